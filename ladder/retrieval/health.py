"""What a search puts in context, judged before any model reads it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from statistics import fmean

import numpy as np
from scipy.optimize import isotonic_regression

from ladder.retrieval.repeats import Said

BINS = 10


def recall(found: Sequence[Sequence[str]], wanted: Sequence[Collection[str]], k: int) -> list[bool]:
    """Tell for each query whether a right document is among its first `k`.

    Args:
        found: ids for each query, best first.
        wanted: the ids that hold the answer, for each query; one of them is enough.
        k: how many are put in context.
    """
    return [
        any(doc_id in right for doc_id in ids[:k]) for ids, right in zip(found, wanted, strict=True)
    ]


def redundancy(texts: Sequence[Sequence[str]]) -> float:
    """Return the mean share of the words put in context that a text before them has said already.

    What counts as said: `repeats.Said`.

    Args:
        texts: what is put in context for each query, in order.
    """
    shares = [_covered(handed) for handed in texts if any(map(_has_words, handed))]
    return fmean(shares) if shares else 0.0


def _has_words(text: str) -> bool:
    return Said().covered(text)[1] > 0


def _covered(handed: Sequence[str]) -> float:
    said = Said()
    covered = total = 0
    for text in handed:
        known, words = said.covered(text)
        covered += known
        total += words
        said.add(text)
    return covered / total


def inequality(found: Sequence[Sequence[int]], texts: int) -> float:
    """Return the Gini coefficient of how often texts are put in context.

    0: as evenly as so many hits can fall; near 1: the same few texts for every query. Where there
    are fewer hits than texts, only so many texts are counted, those hit most: 25 hits cannot reach
    130 texts, and the coefficient over all of them would be 0.81 even where no text is hit twice.

    Args:
        found: positions of the texts for each query.
        texts: how many there are to choose from.
    """
    hits = Counter(position for positions in found for position in positions)
    total = hits.total()
    if not total:
        return 0.0
    counts = sorted(hits[position] for position in range(texts))[-total:]
    ranked = sum(rank * count for rank, count in enumerate(counts, start=1))
    return 2 * ranked / (len(counts) * total) - (len(counts) + 1) / len(counts)


def calibrated(
    scores: Sequence[float], right: Sequence[bool], unseen: Sequence[float]
) -> list[float]:
    """Return the chance that a text with a score is right, learnt from texts that are known.

    Isotonic regression (Zadrozny and Elkan, 2002): a higher score never means a lower chance.
    """
    levels, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    means = np.bincount(place, np.asarray(right, dtype=float)) / counts
    rising = isotonic_regression(means, weights=counts).x
    return [float(chance) for chance in np.interp(unseen, levels, rising)]


def calibration_error(chances: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error (Guo et al., 2017).

    The chances are sorted into ten bins of equal width; in each, the mean chance is compared with
    the share that is right; the gaps are averaged by how many fall into a bin.
    """
    given, really = np.asarray(chances), np.asarray(right, dtype=float)
    bins = np.minimum((given * BINS).astype(int), BINS - 1)
    gaps = 0.0
    for number in np.unique(bins):
        there = bins == number
        gaps += abs(float(given[there].mean() - really[there].mean())) * int(there.sum())
    return gaps / max(1, len(given))
