"""Confidence bounds of a mean score in 0..1. Pure: numbers in, numbers out.

Scores of 0 and 1 only: the exact binomial bound (Clopper and Pearson, 1934). Graded scores: betting
against every mean that is too low (Waudby-Smith and Ramdas, 2024, "Estimating means of bounded
random variables by betting", §4): a bet that could only have won by luck is won with probability
at most the error, whatever the distribution and however few the rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betaincinv, ndtri

from ladder.evidence import Estimate

Scores = Sequence[float] | NDArray[np.float64]
MOST_STAKED = 0.9
"""Of the capital in one bet: some is left whatever the next score is."""
AT_A_TIME = 65_536
"""Rows whose bets are held at once: the memory of a verdict on many rows."""


def lower_bound(scores: Scores, error: float, weights: Sequence[float] | None = None) -> float:
    """Return a value that the true mean is below with probability at most `error`.

    Args:
        scores: in 0..1, one per independent row.
        error: one-sided.
        weights: of the rows, with mean 1; the weighted mean is what is bounded.
    """
    return _lower(np.array(scores, dtype=float), error, weights)


def upper_bound(scores: Scores, error: float, weights: Sequence[float] | None = None) -> float:
    """Return a value that the true mean is above with probability at most `error`."""
    return 1.0 - _lower(np.subtract(1.0, scores), error, weights)


def _lower(
    values: NDArray[np.float64], error: float, weights: Sequence[float] | None = None
) -> float:
    """Return the lower bound; the array is the bound's own and is changed."""
    n = len(values)
    if n == 0:
        return 0.0
    if weights is not None:  # weighted scores are graded scores on a longer scale
        most = max(weights)
        values *= weights
        values /= most
        return min(1.0, most * _lower(values, error))
    if is_binary(values):
        hits = int(values.sum())
        return float(betaincinv(hits, n - hits + 1, error)) if hits else 0.0
    # Mixed, by a fixed draw: rows that come sorted would let early bets foresee later scores.
    np.random.default_rng(n).shuffle(values)
    return _betting_bound(values, error)


def is_binary(scores: Scores) -> bool:
    """Tell whether every score is exactly 0 or 1."""
    values = np.asarray(scores, dtype=float)
    return bool(((values == 0.0) | (values == 1.0)).all())


def estimate(
    scores: Sequence[float], confidence: float, weights: Sequence[float] | None = None
) -> Estimate:
    """Return the mean with a two-sided interval: Wilson (1927) for 0/1 scores, else betting."""
    n = len(scores)
    if n == 0:
        return Estimate(mean=0.0, low=0.0, high=1.0, n=0)
    mean = weighted_mean(scores, weights)
    if weights is not None or not is_binary(scores):
        error = (1 - confidence) / 2
        low = lower_bound(scores, error, weights)
        high = upper_bound(scores, error, weights)
        return Estimate(mean=mean, low=low, high=high, n=n)
    z = float(ndtri(0.5 + confidence / 2))
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return Estimate(mean=mean, low=max(0.0, centre - half), high=min(1.0, centre + half), n=n)


def weighted_mean(scores: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Return the mean; of no scores 0."""
    if not scores:
        return 0.0
    if weights is None:
        return math.fsum(scores) / len(scores)
    return math.fsum(s * w for s, w in zip(scores, weights, strict=True)) / math.fsum(weights)


def stratum_weights(strata: Sequence[str], shares: Mapping[str, float]) -> list[float]:
    """Return weights, mean 1, that give each kind of row its share in production.

    Args:
        strata: the kind of each row.
        shares: kind -> its share (any scale). A kind without rows is left out.
    """
    there = Counter(strata)
    total = math.fsum(shares[kind] for kind in there)
    return [shares[kind] / total * len(strata) / there[kind] for kind in strata]


def _betting_bound(scores: NDArray[np.float64], error: float) -> float:
    """Return a lower bound on the mean of scores in 0..1, too high at most `error` of the time.

    It is the lowest mean that cannot be refuted: a gambler who bets that the mean is higher, never
    more than he has, has not multiplied his capital by 1 / error.

    Each bet knows only the scores before it, so the capital is a fair game's if the mean is true,
    and Ville's inequality bounds its maximum. Its size is the best one for `n` rows of the variance
    seen so far (their eq. 26, with the number of rows in place of the running count).
    """
    stakes = _stakes(scores, error)

    def won(against: float) -> float:
        """Return the logarithm of the largest capital over the goal; falls with the mean."""
        capital, most = 0.0, -math.inf
        for start in range(0, len(scores), AT_A_TIME):
            part = slice(start, start + AT_A_TIME)
            bets = np.minimum(stakes[part], MOST_STAKED / against)
            path = capital + np.cumsum(np.log1p(bets * (scores[part] - against)))
            capital, most = float(path[-1]), max(most, float(path.max()))
        return most - math.log(1 / error)

    lowest, highest = 1e-9, float(scores.mean())
    if highest <= lowest or won(lowest) <= 0:
        return 0.0
    if won(highest) >= 0:  # a lucky order of the rows: the mean itself is the most one may claim
        return highest
    return float(brentq(won, lowest, highest, xtol=1e-7))


def _stakes(scores: NDArray[np.float64], error: float) -> NDArray[np.float64]:
    """Return the size of each bet, which knows the variance of the scores before it."""
    n = len(scores)
    stakes = np.empty(n)
    total, squares, before = 0.5, 0.25, 0.25
    for start in range(0, n, AT_A_TIME):
        part = scores[start : start + AT_A_TIME]
        count = np.arange(start + 2, start + 2 + len(part))
        totals = total + np.cumsum(part)
        distances = squares + np.cumsum((part - totals / count) ** 2)
        variance = distances / count
        known = np.concatenate(([before], variance[:-1]))
        stakes[start : start + AT_A_TIME] = np.sqrt(2 * math.log(1 / error) / (n * known))
        total, squares, before = float(totals[-1]), float(distances[-1]), float(variance[-1])
    return stakes
