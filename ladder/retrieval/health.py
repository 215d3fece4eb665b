"""What a search hands over, judged before any model reads it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from statistics import fmean

SHINGLE_WORDS = 5


def recall(found: Sequence[Sequence[str]], wanted: Sequence[Collection[str]], k: int) -> list[bool]:
    """Tell for each query whether a right document is among its first `k`.

    Args:
        found: ids for each query, best first.
        wanted: the ids that hold the answer, for each query; one of them is enough.
        k: how many are handed over.
    """
    return [
        any(doc_id in right for doc_id in ids[:k]) for ids, right in zip(found, wanted, strict=True)
    ]


def redundancy(texts: Sequence[Sequence[str]]) -> float:
    """Return the mean share of the words handed over that a text before them has said already.

    A word is covered when five in a row that it stands in occur in an earlier text of the same
    query; shorter texts are covered as a whole or not at all.

    Args:
        texts: what is handed over for each query, in order.
    """
    shares = [_covered(handed) for handed in texts if any(text.split() for text in handed)]
    return fmean(shares) if shares else 0.0


def _covered(handed: Sequence[str]) -> float:
    seen: set[tuple[str, ...]] = set()
    covered = total = 0
    for text in handed:
        words = text.casefold().split()
        size = min(SHINGLE_WORDS, len(words))
        if not size:
            continue
        runs = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
        known = {at + step for at, run in enumerate(runs) if run in seen for step in range(size)}
        covered += len(known)
        total += len(words)
        seen.update(runs)
    return covered / total


def inequality(found: Sequence[Sequence[int]], texts: int) -> float:
    """Return the Gini coefficient of how often each text is handed over.

    0: every text as often as any other; near 1: the same few for every query.

    Args:
        found: positions of the texts for each query.
        texts: how many there are to choose from.
    """
    hits = Counter(position for positions in found for position in positions)
    counts = sorted(hits[position] for position in range(texts))
    total = sum(counts)
    if not total:
        return 0.0
    ranked = sum(rank * count for rank, count in enumerate(counts, start=1))
    return 2 * ranked / (len(counts) * total) - (len(counts) + 1) / len(counts)
