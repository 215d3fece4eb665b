"""Is a new system not worse than an old one by a margin or more? Paired, on the same rows. Pure.

0/1 scores: rows are ordered by Tango's score statistic (`gate.paired`), and the p-value is exact:
the largest chance, over every share of rows on which the two may disagree, of a result as good from
a system that is worse by the margin (Hsueh, Liu and Chen, Biometrics 57 (2001)). Tango's own normal
approximation lets such a system pass in 7 % of cases where it promises 5 % (52 rows, margin 0.05,
no row lost). Graded scores, weighted rows and rows that come in groups: the betting bound on the
mean difference (`gate.bounds`), which holds for any distribution and any number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ladder.evidence import NotWorse
from ladder.gate.binomial import at_least, exactly
from ladder.gate.bounds import is_binary, lower_bound, weighted_mean
from ladder.gate.paired import group_means, rows_for_margin, tango_interval

GRID = 60
"""Shares of won rows at which a chance is computed, twice: in all, and around the largest."""
ROUNDING = 1e-9
BISECTIONS = 14
"""Of the statistic that is enough: to 0.0002."""
POWER = 0.8

Numbers = NDArray[np.float64]


class Pairs(NamedTuple):
    """The scores of two systems on the same rows, in the same order."""

    new: Sequence[float]
    """In 0..1."""
    old: Sequence[float]
    groups: Sequence[Hashable] = ()
    """The group of each row, which counts once; empty: rows are independent."""
    weights: Sequence[float] | None = None
    """Of the groups in the order of first sight, or of the rows; with mean 1."""


def not_worse_by(name: str, pairs: Pairs, margin: float, error: float) -> NotWorse:
    """Test that a new system is not worse than an old one by a margin or more.

    Args:
        name: of the rows.
        pairs: their scores.
        margin: how much worse would be too much, 0..1.
        error: chance, at most, that a system that is worse by the margin is let pass.
    """
    gaps = [new - old for new, old in zip(pairs.new, pairs.old, strict=True)]
    won, lost = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    if pairs.groups:
        gaps = group_means(gaps, pairs.groups)
    found = NotWorse(
        name=name, n=len(gaps), rows=len(pairs.new), won=won, lost=lost, margin=margin, error=error
    )
    if len(gaps) < least_units(margin, error, exact=_is_exact(pairs)):
        mean = weighted_mean(gaps, pairs.weights)
        return found.but(difference=mean, verdict="too few rows")
    if _is_exact(pairs):
        return _by_counts(found)
    return _by_bound(found, gaps, pairs.weights)


def _is_exact(pairs: Pairs) -> bool:
    """Tell whether rows are independent, count alike, and are right or wrong."""
    graded = not (is_binary(pairs.new) and is_binary(pairs.old))
    return not graded and not pairs.groups and pairs.weights is None


def _by_counts(found: NotWorse) -> NotWorse:
    won, lost, n = found.won, found.lost, found.n
    p_value = exact_p(won, lost, n, found.margin)
    apart = (won + lost) / n
    return found.but(
        difference=(won - lost) / n,
        low=tango_interval(won, lost, n, float(ndtri(1 - found.error)))[0],
        p_value=p_value,
        verdict="not worse" if p_value <= found.error else "not shown",
        power=chance_to_show(n, apart, found.margin, found.error),
        shows=_margin_of(n, apart, found.error),
        wants=rows_for_margin(max(apart, 1 / n), found.margin, found.error),
    )


def _by_bound(found: NotWorse, gaps: Sequence[float], weights: Sequence[float] | None) -> NotWorse:
    low = 2 * lower_bound([(gap + 1) / 2 for gap in gaps], found.error, weights) - 1
    spread = float(np.var(gaps))
    return found.but(
        difference=weighted_mean(gaps, weights),
        low=low,
        verdict="not worse" if low > -found.margin else "not shown",
        shows=_margin_of(found.n, spread, found.error),
        wants=rows_for_margin(max(spread, 1 / found.n), found.margin, found.error),
    )


def _margin_of(rows: int, spread: float, error: float) -> float:
    """Return the least margin that equal systems show with 80 % power (normal approximation)."""
    z = float(ndtri(1 - error) + ndtri(POWER))
    return min(1.0, max(z * math.sqrt(spread / rows), z * z / rows / 2))


@lru_cache(maxsize=256)
def least_units(margin: float, error: float, *, exact: bool) -> int:
    """Return the rows, or groups, below which not even two equal systems show the margin.

    Args:
        margin: how much worse would be too much, 0..1.
        error: one-sided.
        exact: for scores of 0 and 1, else for graded ones and groups.
    """
    if exact:
        return math.ceil(math.log(error) / math.log1p(-margin) - ROUNDING)

    def shown(rows: int) -> bool:
        return 2 * lower_bound([0.5] * rows, error) - 1 > -margin

    above = 1
    while not shown(above):
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        above, below = (middle, below) if shown(middle) else (above, middle)
    return above


@lru_cache(maxsize=65_536)
def exact_p(won: int, lost: int, rows: int, margin: float) -> float:
    """Return the exact one-sided p-value against "worse by `margin` or more".

    Args:
        won: rows that only the new system has right.
        lost: rows that only the old one has right.
        rows: all of them, independent.
        margin: how much worse would be too much, 0..1.
    """
    observed = float(_tango(np.array([won]), np.array([lost]), rows, margin)[0])
    if observed <= 0:
        return 1.0  # as bad as the margin says, or worse
    return _size(_least_won(observed - ROUNDING, rows, margin), rows, margin)


@lru_cache(maxsize=1024)
def chance_to_show(rows: int, apart: float, margin: float, error: float) -> float:
    """Return how likely a system that is as good as the old one passes.

    Args:
        rows: independent ones.
        apart: share of rows that only one of the two has right.
        margin: how much worse would be too much, 0..1.
        error: one-sided.
    """
    return _chance(_boundary(rows, margin, error), rows, np.array([apart]), 0.5)


@lru_cache(maxsize=1024)
def _boundary(rows: int, margin: float, error: float) -> tuple[int, ...]:
    """Return disagreeing rows -> how many of them have to be won; more than there are: none do."""
    low, high = 1.0, 4.0
    if _size(_least_won(high, rows, margin), rows, margin) > error:  # too few rows
        return tuple(range(1, rows + 2))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        fits = _size(_least_won(middle, rows, margin), rows, margin) <= error
        low, high = (low, middle) if fits else (middle, high)
    return tuple(int(won) for won in _least_won(high, rows, margin))


def _size(least: NDArray[Any], rows: int, margin: float) -> float:
    """Return the largest chance to pass of a system that is worse by exactly the margin."""
    shares, highest = (1 - margin) / 2 * np.linspace(0, 1, GRID) ** 2, 0.0
    for _ in range(2):
        apart = 2 * shares + margin
        chances = _chances(least, rows, apart, shares / apart)
        highest, at = max(highest, float(chances.max())), int(chances.argmax())
        shares = np.linspace(shares[max(0, at - 1)], shares[min(GRID - 1, at + 1)], GRID)
    return min(1.0, highest)


def _chance(least: Sequence[int], rows: int, apart: Numbers, share: float) -> float:
    return float(_chances(np.asarray(least), rows, apart, np.array([share]))[0])


def _chances(least: NDArray[Any], rows: int, apart: Numbers, share: Numbers) -> Numbers:
    """Return, for each share of rows apart, the chance that enough of them are won.

    Args:
        least: disagreeing rows -> won rows that are enough; [rows + 1].
        rows: all of them.
        apart: share of rows on which the two disagree, [m].
        share: of those, the share that is won, [m].
    """
    counts = np.arange(rows + 1)
    seen = exactly(counts, rows, apart[:, None])
    enough = at_least(least, counts, share[:, None])
    return np.asarray((seen * enough).sum(axis=1))


def _least_won(limit: float, rows: int, margin: float) -> NDArray[np.int64]:
    """Return disagreeing rows -> least won rows whose statistic reaches a limit; [rows + 1].

    One more than there are where none does. The statistic grows with the rows that are won.
    """
    apart = np.arange(rows + 1)
    below, above = np.full(rows + 1, -1), apart + 1  # not enough; enough, or more than there are
    while (above - below > 1).any():
        middle = np.where(above - below > 1, (above + below) // 2, above)
        inside = np.minimum(middle, apart)
        reached = (_tango(inside, apart - inside, rows, margin) >= limit) | (middle > apart)
        undecided = above - below > 1
        above = np.where(undecided & reached, middle, above)
        below = np.where(undecided & ~reached, middle, below)
    return above


def _tango(won: NDArray[Any], lost: NDArray[Any], rows: int, margin: float) -> Numbers:
    """Return `gate.paired.tango_z` of many results at a difference of minus the margin."""
    b = -(won + lost) - (2 * rows - (won - lost)) * margin
    c = lost * margin * (1 + margin)
    q = (np.sqrt(np.maximum(0.0, b * b - 8.0 * rows * c)) - b) / (4 * rows)
    variance = rows * (2 * q - margin * (1 + margin))
    return np.asarray((won - lost + rows * margin) / np.sqrt(np.maximum(variance, 1e-300)))
