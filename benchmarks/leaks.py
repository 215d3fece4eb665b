"""Are leaks between training and test rows found? Against documented counts and brute force.

    python benchmarks/leaks.py DATASETS_FOLDER

A data set is a folder with README.md, train.jsonl and test.jsonl. For those whose README states how
many test rows repeat a training example, the rows are found again by an independent implementation
of the stated definition (equal after folding case and punctuation; TF-IDF cosine of character
n-grams of at least 0.9), and the program's own findings are held against them. Then every data
set's near-duplicates are compared with a count of all pairs, beside MinHash (datasketch), the
usual way.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np
from datasketch import MinHash, MinHashLSH
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from ladder.samples.duplicates import LIKE, LikePair, describe_pairs, folded, like_pairs
from ladder.samples.overlap import find_overlap

DOCUMENTED = re.compile(
    r"equal input after folding case and punctuation (\d+); "
    r"character-n-gram cosine of at least ([\d.]+) to a training input (\d+)"
)
BLOCK = 500
Pair = tuple[int, int]


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a jsonl file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def equal_rows(train: Sequence[str], test: Sequence[str]) -> set[int]:
    """Return the test rows equal to a training example once case and all punctuation are folded."""
    plain = [
        [" ".join(re.findall(r"[^\W_]+", text.lower())) for text in part] for part in (train, test)
    ]
    known = set(plain[0])
    return {at for at, text in enumerate(plain[1]) if text in known}


def cosine_rows(train: Sequence[str], test: Sequence[str], least: float) -> set[int]:
    """Return the test rows whose character 5-grams (TF-IDF) are so close to a training example."""
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(5, 5)).fit(train)
    best = (vectors.transform(test) @ vectors.transform(train).T).max(axis=1).toarray().ravel()
    return set(np.flatnonzero(best >= least - 1e-9).tolist())


def kinds_of_rows(pairs: Sequence[LikePair], learnt: int) -> dict[int, str]:
    """Return test row -> how it is like a training example, the strongest kind it has."""
    found: dict[int, str] = {}
    for pair in pairs:
        if pair.right < learnt:
            continue
        if pair.left < learnt:
            kind = pair.kind
        elif pair.kind == "equal" and pair.left - learnt in found:
            kind = found[pair.left - learnt]  # of equal rows only the first is compared
        else:
            continue
        row = pair.right - learnt
        found[row] = min(found.get(row, kind), kind, key=("equal", "near", "template").index)
    return found


def share(part: set[int], whole: set[int]) -> str:
    """Return how many of the wanted rows were found."""
    return f"{len(part & whole)} of {len(whole)}"


def documented_leaks(folder: Path) -> None:
    """Print one data set's documented leaks beside what is found."""
    stated = DOCUMENTED.search((folder / "README.md").read_text(encoding="utf-8"))
    if not stated:
        return
    train, test = (rows_of(folder / f"{part}.jsonl") for part in ("train", "test"))
    known, held = [row["input"] for row in train], [row["input"] for row in test]
    equal, alike = equal_rows(known, held), cosine_rows(known, held, float(stated[2]))
    began = process_time()
    pairs = describe_pairs(known + held, like_pairs(known + held))
    seconds = process_time() - began
    found = kinds_of_rows(pairs, len(known))
    count = Counter(found.values())
    began = process_time()
    overlap = find_overlap(held, known, most=len(held))
    overlap_seconds = process_time() - began
    both = set(found) | {pair.held for pair in overlap.pairs if pair.share >= LIKE}
    print(
        f"{folder.name:18}{stated[1]:>4} /{len(equal):3} {share(set(found), equal):>10}"
        f"{stated[3]:>5} /{len(alike):3} {share(set(found), alike):>10} {share(both, alike):>10}"
        f"{count['equal']:6}{count['near']:6}{count['template']:6}{seconds:7.2f}"
        f"{overlap.n:5}{100 * overlap.coverage:6.0f} %{overlap.overlapping:6}{overlap_seconds:7.2f}"
    )
    unequal = equal - {row for row, kind in found.items() if kind == "equal"}
    for row in sorted(unequal):
        print(f"    not equal for the program ({found.get(row, 'not found')}): {held[row]}")
    marked = {at for at, row in enumerate(test) if dict(row.get("meta", {})).get("input_in_train")}
    if marked:
        print(f"    marked by the data set as in train: {share(set(found), marked)} found")


def every_pair(texts: Sequence[str]) -> set[Pair]:
    """Return every pair of unequal folded texts whose 5-gram Jaccard is at least LIKE, by count."""
    vectors = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True, lowercase=False)
    grams = vectors.fit_transform(texts).astype(np.int32).tocsr()
    sizes = np.asarray(grams.sum(axis=1)).ravel()
    pairs = set()
    for start in range(0, len(texts), BLOCK):
        shared = (grams[start : start + BLOCK] @ grams.T).tocoo()
        left, right = shared.row + start, shared.col
        like = 5 * shared.data >= 4 * (sizes[left] + sizes[right] - shared.data)
        like &= left < right
        pairs |= set(zip(left[like].tolist(), right[like].tolist(), strict=True))
    return pairs


def minhash_pairs(texts: Sequence[str]) -> set[Pair]:
    """Return near-duplicates by MinHash: 64 permutations, candidates from 0.6, verified."""
    index = MinHashLSH(threshold=0.6, num_perm=64)
    grams = [{text[at : at + 5] for at in range(max(1, len(text) - 4))} for text in texts]
    pairs = set()
    for here, own in enumerate(grams):
        signature = MinHash(num_perm=64, seed=1)
        signature.update_batch([gram.encode() for gram in own])
        for there in index.query(signature):
            if len(own & grams[there]) >= LIKE * len(own | grams[there]):
                pairs.add((there, here))
        index.insert(here, signature)
    return pairs


def all_pairs(folder: Path) -> np.ndarray:
    """Print one data set's near-duplicate pairs; return how many there are and were found."""
    parts = (rows_of(folder / f"{part}.jsonl") for part in ("train", "test"))
    rows = {folded(row["input"]): row["target"] for part in parts for row in part}
    texts = list(rows)
    seconds = []
    found = []
    for method in (every_pair, like_pairs, minhash_pairs):
        began = process_time()
        found.append(set(method(texts)))
        seconds.append(process_time() - began)
    truth, ours, minhash = found
    same = Counter[str]()
    kinds = Counter[str]()
    for pair in describe_pairs(texts, sorted(ours)):
        kinds[pair.kind] += 1
        same[pair.kind] += rows[texts[pair.left]] == rows[texts[pair.right]]
    cells = [f"{same[kind]} of {kinds[kind]}" for kind in ("near", "template")]
    print(
        f"{folder.name:18}{len(texts):7}{len(truth):7}{len(ours & truth):7}{len(ours - truth):7}"
        f"{len(minhash & truth):9}{seconds[0]:9.2f}{seconds[1]:7.2f}{seconds[2]:11.2f}"
        f"{cells[0]:>13}{cells[1]:>13}",
        flush=True,
    )
    return np.array([len(truth), len(ours & truth), len(minhash & truth)])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", type=Path)
    folders = sorted(path.parent for path in parser.parse_args().datasets.glob("*/README.md"))
    print(
        "Test rows that repeat a training example: stated / found again by brute force, and how "
        "many\n"
        "of the latter are found (+n: or whose word n-grams stand to 80 % in one training "
        "example)\n"
        f"{'data set':18}{'equal':>9} {'found':>10}{'cosine':>10} {'found':>10} {'found +n':>10}"
        f"{'equal':>6}{'near':>6}{'slots':>6}{'s':>7}{'n':>5}{'covered':>8}{'share':>6}{'s':>7}"
    )
    for folder in folders:
        documented_leaks(folder)
    print(
        "\nPairs of unequal rows with Jaccard >= 0.8, train and test together; of each kind, how\n"
        "many have the same target\n"
        f"{'data set':18}{'rows':>7}{'pairs':>7}{'found':>7}{'wrong':>7}{'MinHash':>9}"
        f"{'brute s':>9}{'s':>7}{'MinHash s':>11}{'near':>13}{'slots':>13}"
    )
    total = sum((all_pairs(folder) for folder in folders), np.zeros(3, int))
    recall = total[1:] / max(1, total[0])
    print(f"recall: {100 * recall[0]:.1f} %, MinHash {100 * recall[1]:.1f} %")


if __name__ == "__main__":
    main()
