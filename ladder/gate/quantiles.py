"""Quantiles with the interval that holds for every distribution. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ladder.gate.binomial import at_most


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def values_to_bound(share: float, confidence: float) -> int:
    """Return how many values bound a quantile from above: of a 95th percentile at 95 % 59."""
    return math.ceil(math.log(1 - confidence) / math.log(share))


def quantile_interval(
    values: Sequence[float], share: float, confidence: float
) -> tuple[float | None, float | None]:
    """Return the order statistics between which the true quantile lies.

    How many of n values lie below the true quantile is a binomial number, whatever the
    distribution (Conover, 1999, section 3.2). None where the values are too few for an end: 59
    values bound a 95th percentile from above at one-sided 95 %, fewer do not.
    """
    n, error = len(values), (1 - confidence) / 2
    if not n:
        return None, None
    ordered = sorted(values)
    chances = at_most(np.arange(n + 1), n, share)
    below = int(np.searchsorted(chances, error))  # P(at most below - 1) < error
    above = int(np.searchsorted(chances, 1 - error)) + 1
    low = ordered[below - 1] if below >= 1 else None
    high = ordered[above - 1] if above <= n else None
    return low, high
