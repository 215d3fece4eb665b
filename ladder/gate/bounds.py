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
from itertools import pairwise
from typing import NamedTuple

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
HALVED = 4
"""Times less one that the rows of a bet are halved: few rows have to settle a clear case."""
MOST_WON = 600.0
"""Logarithm: beyond it a capital is no number any more."""


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
    return _betting_bound(values, error, Bets((n,), (n,), error))


class Bets(NamedTuple):
    """How a gambler bets on scores of which more and more are seen."""

    seen: tuple[int, ...]
    """Rows at each look so far: those that a look adds are mixed among themselves."""
    horizons: tuple[int, ...]
    """Each part of the capital, all alike, is staked so as to win by so many rows."""
    tuned: float
    """The error that the stakes are the best for; they are the same for any other."""


def bets_for(seen: tuple[int, ...], most: int, error: float) -> Bets:
    """Return the bets for looks at up to so many rows: staked for all, for half, a quarter, less.

    Args:
        seen: rows at each look so far.
        most: rows that are planned in all.
        error: that the stakes are the best for.
    """
    return Bets(seen, tuple(max(1, most >> halved) for halved in range(HALVED)), error)


def lower_bound_in_looks(scores: Scores, bets: Bets, error: float) -> float:
    """Return a value that the true mean is below, at any of the looks, with that probability.

    The looks need no shares of the error: by Ville's inequality a fair gambler's capital ever grows
    to 1 / `error` with probability at most `error`, however often one looks.

    Args:
        scores: in 0..1, one per independent row; at the next look these come first again.
        bets: on them.
        error: one-sided, of all looks.
    """
    return _betting_bound(np.array(scores, dtype=float), error, bets)


def upper_bound_in_looks(scores: Scores, bets: Bets, error: float) -> float:
    """Return a value that the true mean is above, at any of the looks, with that probability."""
    return 1.0 - _betting_bound(np.subtract(1.0, scores), error, bets)


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


def _betting_bound(scores: NDArray[np.float64], error: float, bets: Bets) -> float:
    """Return a lower bound on the mean of scores in 0..1, too high at most `error` of the time.

    It is the lowest mean that cannot be refuted: a gambler who bets that the mean is higher, never
    more than he has, has not multiplied his capital by 1 / error.

    Each bet knows only the scores before it, so the capital is a fair game's if the mean is true,
    and Ville's inequality bounds its maximum. Its size is the best one for a number of rows of the
    variance seen so far (their eq. 26, with that number in place of the running count).
    """
    _mix(scores, bets.seen)
    spread = _variances(scores)
    parts = len(bets.horizons)

    def won(against: float) -> float:
        """Return the logarithm of the largest capital over the goal; falls with the mean."""
        capital, most = np.zeros(parts), 0.0
        for start in range(0, len(scores), AT_A_TIME):
            rows = slice(start, start + AT_A_TIME)
            gains, total = scores[rows] - against, np.zeros(len(scores[rows]))
            for part, horizon in enumerate(bets.horizons):
                best = np.sqrt(2 * math.log(1 / bets.tuned) / (horizon * spread[rows]))
                stakes = np.minimum(best, MOST_STAKED / against)
                path = capital[part] + np.cumsum(np.log1p(stakes * gains))
                capital[part] = path[-1]
                total += np.exp(np.minimum(path, MOST_WON)) / parts
            most = max(most, float(total.max()))
        return (math.log(most) if most > 0 else -math.inf) - math.log(1 / error)

    lowest, highest = 1e-9, float(scores.mean())
    if highest <= lowest or won(lowest) <= 0:
        return 0.0
    if won(highest) >= 0:  # a lucky order of the rows: the mean itself is the most one may claim
        return highest
    return float(brentq(won, lowest, highest, xtol=1e-7))


def _mix(scores: NDArray[np.float64], counts: Sequence[int]) -> None:
    """Mix the rows that each look adds, by a fixed draw.

    Rows that come sorted would let early bets foresee later scores.
    """
    for start, end in pairwise((0, *counts)):
        np.random.default_rng(end).shuffle(scores[start:end])


def _variances(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each score the variance of those before it."""
    n = len(scores)
    found = np.empty(n)
    total, squares, before = 0.5, 0.25, 0.25
    for start in range(0, n, AT_A_TIME):
        part = scores[start : start + AT_A_TIME]
        count = np.arange(start + 2, start + 2 + len(part))
        totals = total + np.cumsum(part)
        distances = squares + np.cumsum((part - totals / count) ** 2)
        variance = distances / count
        found[start : start + AT_A_TIME] = np.concatenate(([before], variance[:-1]))
        total, squares, before = float(totals[-1]), float(distances[-1]), float(variance[-1])
    return found
