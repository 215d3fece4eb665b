"""Confidence bounds of a mean score in 0..1. Pure: numbers in, numbers out.

Scores of 0 and 1 only: the exact binomial bound (Clopper and Pearson, 1934). Graded scores: the
Chernoff bound in its Bernoulli form, which holds for every variable in [0, 1] (Hoeffding, 1963,
Theorem 1); it is wider than the exact bound, and its guarantee needs no large n.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy.special import betaincinv, ndtri

from ladder.evidence import Estimate


def lower_bound(scores: Sequence[float], error: float) -> float:
    """Return a value that the true mean is below with probability at most `error`."""
    n = len(scores)
    if n == 0:
        return 0.0
    total = math.fsum(scores)
    if is_binary(scores):
        hits = round(total)
        return float(betaincinv(hits, n - hits + 1, error)) if hits else 0.0
    mean = total / n
    return _solve(lambda p: n * _divergence(mean, p) - math.log(1 / error), 0.0, mean)


def upper_bound(scores: Sequence[float], error: float) -> float:
    """Return a value that the true mean is above with probability at most `error`."""
    return 1.0 - lower_bound([1.0 - score for score in scores], error)


def is_binary(scores: Sequence[float]) -> bool:
    """Tell whether every score is exactly 0 or 1."""
    return all(score in (0.0, 1.0) for score in scores)


def estimate(scores: Sequence[float], confidence: float) -> Estimate:
    """Return the mean with a two-sided interval: Wilson (1927) for display.

    For graded scores Wilson is wide: a variable in [0, 1] varies at most as much as a coin with
    the same mean.
    """
    n = len(scores)
    if n == 0:
        return Estimate(mean=0.0, low=0.0, high=1.0, n=0)
    mean = math.fsum(scores) / n
    z = float(ndtri(0.5 + confidence / 2))
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return Estimate(mean=mean, low=max(0.0, centre - half), high=min(1.0, centre + half), n=n)


def _divergence(mean: float, p: float) -> float:
    """Kullback-Leibler divergence of coins with these means."""
    if p <= 0.0 or p >= 1.0:
        return 0.0 if mean == p else math.inf
    left = mean * math.log(mean / p) if mean > 0 else 0.0
    right = (1 - mean) * math.log((1 - mean) / (1 - p)) if mean < 1 else 0.0
    return left + right


def _solve(gap: Callable[[float], float], low: float, high: float) -> float:
    """Return where a decreasing function crosses zero, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) > 0 else (low, middle)
    return low
