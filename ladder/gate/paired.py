"""Two systems on the same rows: is one better, and is one not worse? Pure.

0/1 scores: the exact McNemar test on the rows where the two disagree, and Tango's score interval
(1998) for the difference, which also tests "not worse by more than a margin". That McNemar finds
nothing is no evidence of no harm. Graded scores, and rows that come in groups: sign flips of the
differences, and the betting bounds of `bounds`. Several claims at once: Holm (1979).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from ladder.gate.binomial import at_least, at_most
from ladder.gate.bounds import is_binary, lower_bound, upper_bound

SIGN_FLIPS = 9_999


def mcnemar(won: int, lost: int) -> float:
    """Return the exact two-sided p-value that two systems are equally often right.

    Args:
        won: rows that only the first has right.
        lost: rows that only the second has right.
    """
    return min(1.0, 2 * float(at_most(min(won, lost), won + lost, 0.5)))


def losses_by_chance(won: int, lost: int) -> float:
    """Return the exact one-sided p-value (McNemar) that so many rows are lost by chance alone."""
    return float(at_least(lost, won + lost, 0.5))


def tango_z(won: int, lost: int, rows: int, difference: float) -> float:
    """Return Tango's score statistic that the true difference of two shares is `difference`."""
    a = 2 * rows
    b = -(won + lost) + (2 * rows - (won - lost)) * difference
    c = -lost * difference * (1 - difference)
    q = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = rows * (2 * q + difference * (1 - difference))
    gap = won - lost - rows * difference
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def not_worse(won: int, lost: int, rows: int, margin: float) -> float:
    """Return the one-sided p-value against "worse by `margin` or more" (Tango, 1998)."""
    return float(ndtr(-tango_z(won, lost, rows, -margin)))


def rows_for_margin(disagreeing: float, margin: float, error: float, power: float = 0.8) -> int:
    """Return the rows that can show "not worse by `margin`" for two systems that are equal.

    Args:
        disagreeing: share of rows that only one of the two has right.
        margin: how much worse would be too much.
        error: one-sided.
        power: chance that equal systems pass.
    """
    z = float(ndtri(1 - error) + ndtri(power))
    return math.ceil(z * z * disagreeing / margin**2)


def paired(
    first: Sequence[float],
    second: Sequence[float],
    confidence: float,
    groups: Sequence[Hashable] = (),
) -> tuple[float, float, float, float]:
    """Compare two systems on the same rows.

    Args:
        first: scores in 0..1.
        second: of the same rows, in the same order.
        confidence: of the two-sided interval.
        groups: the group of each row; rows of one group are averaged first. Empty: rows are
            independent.

    Returns:
        the mean difference (first minus second), its interval, and the two-sided p-value.
    """
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    error = (1 - confidence) / 2
    if not gaps:
        return 0.0, -1.0, 1.0, 1.0
    if is_binary(first) and is_binary(second) and not groups:
        won, lost, n = gaps.count(1.0), gaps.count(-1.0), len(gaps)
        low, high = tango_interval(won, lost, n, float(ndtri(1 - error)))
        return (won - lost) / n, low, high, mcnemar(won, lost)
    if groups:
        gaps = group_means(gaps, groups)
    halves = [(gap + 1) / 2 for gap in gaps]
    low, high = 2 * lower_bound(halves, error) - 1, 2 * upper_bound(halves, error) - 1
    return math.fsum(gaps) / len(gaps), low, high, _sign_flips(gaps)


def group_means(values: Sequence[float], groups: Sequence[Hashable]) -> list[float]:
    """Return the mean of each group, in the order of first sight: a group counts once."""
    members: dict[Hashable, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        members.setdefault(group, []).append(value)
    return [math.fsum(found) / len(found) for found in members.values()]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that any false claim among them is as rare as one alone."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = highest
    return adjusted


def tango_interval(won: int, lost: int, rows: int, z: float) -> tuple[float, float]:
    """Return the differences that the score statistic does not reject."""
    observed = (won - lost) / rows
    edge = 1 - 1e-12

    def end(side: float) -> float:
        def gap(difference: float) -> float:
            return tango_z(won, lost, rows, difference) - side * z

        limit = -edge if side > 0 else edge
        if gap(limit) * gap(observed) >= 0:
            return limit
        return float(brentq(gap, min(limit, observed), max(limit, observed), xtol=1e-9))

    return max(-1.0, end(1.0)), min(1.0, end(-1.0))


def _sign_flips(gaps: Sequence[float]) -> float:
    """Return the p-value of the mean gap when each gap's sign is a coin's (Fisher, 1935)."""
    if len(gaps) < 2 or not any(gaps):
        return 1.0
    from scipy.stats import permutation_test  # slow to import

    result = permutation_test(
        (np.asarray(gaps),),
        np.mean,
        permutation_type="samples",
        n_resamples=SIGN_FLIPS,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)
