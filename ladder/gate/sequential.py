"""Exact errors of interim looks at scores of 0 and 1. Pure.

A look sees the rows of the looks before again, so looks that each err with their own share err
together less often than the shares add up to. How often a boundary is crossed for the first time
follows exactly from the binomial, look by look (Armitage, McPherson and Rowe, 1969); here each look
crosses as early as what was to be spent until then allows (Lan and DeMets, 1983). The rows of a
look may be any number: what counts is how many there were, not how many were planned.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.stats import binom

LARGE = 4_000
"""Counts from which distributions are folded by Fourier transform: exact to 1e-12."""
ROUNDING = 1e-9
"""Relative: a boundary is not missed for the last digit of its own error."""


def nominal_errors(
    counts: tuple[int, ...], spent: tuple[float, ...], limit: float
) -> tuple[float, float]:
    """Return the errors at which the last look may bound a score: from below, and from above.

    With them a score whose true mean is below the limit passes at any of the looks with probability
    at most `spent[-1]`, and one at or above it fails with at most that.

    Args:
        counts: rows at each look so far, never fewer than before.
        spent: error that may be spent by each look, in all.
        limit: the least score wanted.
    """
    return _nominal(counts, spent, limit), _nominal(counts, spent, 1.0 - limit)


def _nominal(counts: tuple[int, ...], spent: tuple[float, ...], chance: float) -> float:
    boundary, _, _ = _looked(counts, spent, chance)
    rows = counts[-1]
    if boundary > rows:  # not even hits alone cross
        return min(spent[-1], chance**rows * (1 - ROUNDING))
    error = float(binom.sf(boundary - 1, rows, chance)) * (1 + ROUNDING)
    return error or spent[-1]  # what cannot happen may be concluded from at any error


@lru_cache(maxsize=256)
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
    new = counts[-1] - before
    step = binom.pmf(np.arange(new + 1), new, chance)
    fold = fftconvolve if counts[-1] > LARGE else np.convolve
    now = np.clip(fold(left, step), 0.0, None)
    at_least = np.cumsum(now[::-1])[::-1]  # hits -> chance of so many or more
    allowed = np.flatnonzero(crossed + at_least <= spent[-1])
    boundary = int(allowed[0]) if len(allowed) else len(now)
    crossed += float(at_least[boundary]) if boundary < len(now) else 0.0
    now[boundary:] = 0.0
    return boundary, now, crossed
