"""What a store costs, and how much it finds: in memory, LanceDB, Qdrant's local mode.

    python benchmarks/stores.py FOLDER [--chunks 5000] [--stores lancedb qdrant] [--queries 200]

FOLDER holds wiki_rag/ and finance_qa/. Their documents are searched whole, beside overlapping
windows of them, of varied length, until there are enough different chunks; their test rows ask.
recall@5 and @17: the share of the questions for which a chunk of a document that answers is among
so many; `after` is recall@5 once the change is made. Each figure comes from a process of its own.
BM25 only: embedding takes as long wherever the vectors go. Qdrant's local mode compares every row
in Python and says itself that it is not made for more than 20,000: ask for it by name.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from ladder.retrieval.health import recall
from ladder.retrieval.search import LexicalIndex, Ranking
from ladder.retrieval.stores.backend import Row
from ladder.retrieval.stores.store import open_store, rank_in_store

CHANGED = 500
DEPTH = 17
SETS = ("wiki_rag", "finance_qa")
STORES = ("lancedb", "qdrant")


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def chunks(folder: Path, wanted: int) -> list[tuple[str, str]]:
    """Return different texts, each after the id of its document: documents, then windows of them.

    Windows have 60 to 220 words, at random places.
    """
    documents = [row for name in SETS for row in lines(folder / name / "documents.jsonl")]
    texts = [(row["id"], f"{row.get('title', '')} {row['text']}") for row in documents]
    rng, found = Random(0), {text: doc_id for doc_id, text in texts[:wanted]}
    while len(found) < wanted:
        doc_id, whole = texts[rng.randrange(len(texts))]
        words = whole.split()
        start = rng.randrange(max(1, len(words) - 60))
        found.setdefault(" ".join(words[start : start + rng.randint(60, 220)]), doc_id)
    return [(doc_id, text) for text, doc_id in found.items()]


def questions(folder: Path, wanted: int) -> tuple[list[str], list[list[str]]]:
    """Return what is asked, in an order of its own, and the documents that answer it."""
    rows = [row for name in SETS for row in lines(folder / name / "test.jsonl")]
    Random(0).shuffle(rows)
    rows = [row for row in rows if row.get("doc_ids")][:wanted]
    return [row["input"] for row in rows], [row["doc_ids"] for row in rows]


def as_texts(pieces: list[tuple[str, str]]) -> dict[str, str]:
    """Return the texts by ids of their own."""
    return {f"chunk-{at}": text for at, (_, text) in enumerate(pieces)}


def measure(store: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return build and change times, the size on disk, and recall before and after the change."""
    pieces = chunks(given.folder, given.chunks + CHANGED)
    before, after = pieces[:-CHANGED], pieces[: -2 * CHANGED] + pieces[-CHANGED:]
    queries, wanted = questions(given.folder, given.queries)
    search = in_memory if store == "memory" else in_store
    got, rankings = search(f"{store}:{given.place}", before, after, queries)
    for name, searched, found, k in (
        ("recall", before, rankings[0], 5),
        ("recall deep", before, rankings[0], DEPTH),
        ("recall after", after, rankings[1], 5),
    ):
        ids = [[searched[at][0] for at, _ in ranking] for ranking in found]
        got[name] = fmean(recall(ids, wanted, k))
    got["bytes"] = sum(path.stat().st_size for path in given.place.rglob("*") if path.is_file())
    return got


def in_memory(
    _: str, before: list[tuple[str, str]], after: list[tuple[str, str]], queries: list[str]
) -> tuple[dict[str, Any], list[list[Ranking]]]:
    """Return the time of a build, twice, and both rankings."""
    started = time.perf_counter()
    index = LexicalIndex([text for _, text in before])
    built = time.perf_counter() - started
    anew = LexicalIndex([text for _, text in after])
    found = [index.search(queries, DEPTH), anew.search(queries, DEPTH)]
    return {"build": built, "change": built}, found


def in_store(
    place: str, before: list[tuple[str, str]], after: list[tuple[str, str]], queries: list[str]
) -> tuple[dict[str, Any], list[list[Ranking]]]:
    """Return the times of a build and of a change, and both rankings."""
    seconds, found = [], []
    with open_store(place, "bench") as kept:
        for pieces in (before, after):
            texts = as_texts(pieces)
            started = time.perf_counter()
            kept.hold([Row(*pair) for pair in texts.items()])
            seconds.append(time.perf_counter() - started)
            found.append(rank_in_store(kept, texts, queries, DEPTH, "bm25"))
    return {"build": seconds[0], "change": seconds[1]}, found


def reopen(store: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return what a process takes that only searches: seconds, and memory at its highest."""
    queries, _ = questions(given.folder, given.queries)
    texts = [text for _, text in chunks(given.folder, given.chunks)] if store == "memory" else []
    started = time.perf_counter()
    with ExitStack() as until_closed:
        index = (
            LexicalIndex(texts)
            if store == "memory"
            else until_closed.enter_context(open_store(f"{store}:{given.place}", "bench"))
        )
        opened = time.perf_counter() - started
        index.search(queries[:1], DEPTH)
        started = time.perf_counter()
        for query in queries:
            index.search([query], DEPTH)
        each = (time.perf_counter() - started) / len(queries)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"open": opened, "query": each, "peak": peak}


def apart(step: str, store: str, given: argparse.Namespace, place: str) -> dict[str, Any]:
    """Run a step in a process of its own."""
    words = [sys.executable, __file__, str(given.folder), "--stores", store]
    words += ["--chunks", str(given.chunks), "--queries", str(given.queries)]
    run = subprocess.run(
        [*words, "--step", step, "--place", place], stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(run.stdout.splitlines()[-1]))


def main() -> None:
    """Print one line for each store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chunks", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--stores", nargs="+", default=["lancedb"], choices=["memory", *STORES])
    parser.add_argument("--step", choices=["measure", "reopen"], help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step = {"measure": measure, "reopen": reopen}[given.step]
        print(json.dumps(step(given.stores[0], given)))
        return
    print(f"{given.chunks:,} chunks; a change is {CHANGED} of them; memory is of a search alone")
    titles = ("store", "build s", "change s", "open s", "ms/query", "disk MB", "memory MB")
    titles += ("recall@5", f"@{DEPTH}", "after")
    print("".join(f"{title:>10}" for title in titles))
    for store in dict.fromkeys(["memory", *given.stores]):
        with tempfile.TemporaryDirectory() as scratch:
            got = apart("measure", store, given, scratch) | apart("reopen", store, given, scratch)
        print(line(store, got), flush=True)


def line(store: str, got: dict[str, Any]) -> str:
    """Return a row of the table."""
    cells = [store, f"{got['build']:.2f}", f"{got['change']:.2f}", f"{got['open']:.2f}"]
    cells += [f"{got['query'] * 1000:.2f}", f"{got['bytes'] / 1e6:.1f}"]
    cells += [f"{got['peak'] / 1e6:.0f}"]
    cells += [f"{got[name]:.3f}" for name in ("recall", "recall deep", "recall after")]
    return "".join(f"{cell:>10}" for cell in cells)


if __name__ == "__main__":
    main()
