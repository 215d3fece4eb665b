"""Exact errors of interim looks at scores of 0 and 1. Pure.

A look sees the rows of the looks before again, so looks that each err with their own share err
together less often than the shares add up to. How often a boundary is crossed for the first time
follows exactly from the binomial, look by look (Armitage, McPherson and Rowe, 1969); here each look
crosses as early as what was to be spent until then allows (Lan and DeMets, 1983). The rows of a
look may be any number: what counts is how many there were, not how many were planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ladder.gate.binomial import at_least, exactly

LARGE = 4_000
"""Counts from which distributions are folded by Fourier transform: exact to 1e-12."""
ROUNDING = 1e-9
"""Relative: a boundary is not missed for the last digit of its own error."""


def spent_by(counts: Sequence[int], error: float) -> tuple[float, ...]:
    """Return the error that may be spent by each planned look: it grows with the rows."""
    return tuple(error * count / counts[-1] for count in counts)


def hits_to_pass(
    counts: tuple[int, ...], spent: Sequence[tuple[float, ...]], limit: float
) -> tuple[int, ...]:
    """Return the least number of right answers that passes at each look.

    More than there are rows where none does. Under several ways to spend the least is one that
    passes under all of them.
    """
    ends = range(1, len(counts) + 1)
    return tuple(max(_looked(counts[:k], way[:k], limit)[0] for way in spent) for k in ends)


def chance_to_pass(counts: tuple[int, ...], hits: Sequence[int], score: float) -> float:
    """Return how likely any look finds so many right answers, path by path.

    Args:
        counts: rows at each look.
        hits: that pass, at each look.
        score: the true share of right answers.
    """
    left, before, passed = np.ones(1), 0, 0.0
    for count, needed in zip(counts, hits, strict=True):
        left, before = _folded(left, count - before, score, count), count
        passed += float(left[needed:].sum())
        left[needed:] = 0.0
    return passed


@lru_cache(maxsize=1024)
def nominal_error(counts: tuple[int, ...], spent: tuple[float, ...], limit: float) -> float:
    """Return the error at which the last look may bound a score from below.

    With it a score whose true mean is below the limit passes at any of the looks with probability
    at most `spent[-1]`. From above, with one minus the limit: one at or above it fails so.

    Args:
        counts: rows at each look so far, never fewer than before.
        spent: error that may be spent by each look, in all.
        limit: the least score wanted.
    """
    boundary, _, _ = _looked(counts, spent, limit)
    rows = counts[-1]
    if boundary > rows:  # not even hits alone cross
        return min(spent[-1], limit**rows * (1 - ROUNDING))
    error = float(at_least(boundary, rows, limit)) * (1 + ROUNDING)
    return error or spent[-1]  # what cannot happen may be concluded from at any error


@lru_cache(maxsize=1024)
def _looked(
    counts: tuple[int, ...], spent: tuple[float, ...], chance: float
) -> tuple[int, NDArray[np.float64], float]:
    """Return the last look's boundary, the chances of fewer hits without a crossing, and the rest.

    Args:
        counts: rows at each look.
        spent: as above.
        chance: of a hit.

    Returns:
        the least number of hits that crosses (more than there are rows: none does); hits -> chance
        of having so many and not having crossed; the chance of having crossed by now.
    """
    before, left, crossed = 0, np.ones(1), 0.0
    if len(counts) > 1:
        before = counts[-2]
        _, left, crossed = _looked(counts[:-1], spent[:-1], chance)
    now = _folded(left, counts[-1] - before, chance, counts[-1])
    at_least = np.cumsum(now[::-1])[::-1]  # hits -> chance of so many or more
    allowed = np.flatnonzero(crossed + at_least <= spent[-1])
    boundary = int(allowed[0]) if len(allowed) else len(now)
    crossed += float(at_least[boundary]) if boundary < len(now) else 0.0
    now[boundary:] = 0.0
    return boundary, now, crossed


def _folded(left: NDArray[np.float64], new: int, chance: float, count: int) -> NDArray[np.float64]:
    """Return hits -> chance after so many new rows; `count` rows in all."""
    step = exactly(np.arange(new + 1), new, chance)
    if count <= LARGE:
        folded = np.convolve(left, step)
    else:
        from scipy.signal import fftconvolve  # slow to import, and seldom needed

        folded = fftconvolve(left, step)
    return np.clip(folded, 0.0, None)
