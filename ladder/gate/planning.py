"""What so many rows can tell, before any is read. Pure."""

from __future__ import annotations

from scipy.optimize import brentq
from scipy.special import betainc

from ladder.gate.bounds import lower_bound
from ladder.gate.budget import budget_of, error_of_limit
from ladder.gate.looks import looks
from ladder.gate.sequential import chance_to_pass, hits_to_pass, spent_by
from ladder.task import GateLimits


def detectable_score(
    rows: int, gate: GateLimits, rungs: int, power: float = 0.8, looked_at: int | None = None
) -> float | None:
    """Return the smallest true score that `rows` 0/1 scores prove with the given power.

    By the looks and the error of a rung that nobody hands on to. None where even a perfect score
    would stay undecided. `looked_at` is the number of rows that the looks count, where it is not
    `rows` because groups of them are one unit each.
    """
    if not rows:
        return None
    design = _design(rows, gate, rungs, looked_at or rows)
    if chance_to_pass(*design, 1.0) < power:
        return None
    return float(brentq(lambda score: chance_to_pass(*design, score) - power, 0.0, 1.0, xtol=1e-9))


def rows_needed(
    score: float, gate: GateLimits, rungs: int, power: float = 0.8, most: int = 100_000
) -> int | None:
    """Return the least rows (to about 2 %) that prove the gate if `score` is the true one.

    None where no number up to `most` does. At score 1: the least that can prove it at all.
    """
    if score <= gate.min_score:
        return None

    def enough(rows: int) -> bool:
        return chance_to_pass(*_design(rows, gate, rungs, rows), score) >= power

    low, high = 0, 1
    while not enough(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _design(
    rows: int, gate: GateLimits, rungs: int, looked_at: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the units at each look, and how many right answers pass there."""
    planned = looks(looked_at)
    units = tuple(max(1, round(count * rows / looked_at)) for count in planned)
    spent = [spent_by(planned, error) for error in budget_of(gate, rungs).passing]
    return units, hits_to_pass(units, spent, gate.min_score)


def fixed_rows(
    score: float, gate: GateLimits, rungs: int, power: float = 0.8, most: int = 100_000
) -> int | None:
    """Return the rows that prove the gate in one look, with a power, if `score` is the true one.

    The power of an exact test rises and falls from row to row; these are the first that reach it.
    None where no number up to `most` does.
    """
    error = error_of_limit(gate, rungs)
    for rows in range(1, most + 1):
        needed = _hits_needed(rows, gate.min_score, error)
        if needed and betainc(needed, rows - needed + 1, score) >= power:
            return rows
    return None


def plausible_scores(limit: float) -> tuple[float, ...]:
    """Return true scores above a limit that one may hope for: 1/4, 1/2 and 3/4 of the way up."""
    return tuple(limit + part * (1 - limit) for part in (0.25, 0.5, 0.75))


def _hits_needed(rows: int, limit: float, error: float) -> int | None:
    """Return the least number of right answers whose exact lower bound clears the limit."""
    low, high = 0, rows + 1
    while low < high:
        middle = (low + high) // 2
        hits = [1.0] * middle + [0.0] * (rows - middle)
        if middle <= rows and lower_bound(hits, error) < limit:
            low = middle + 1
        else:
            high = middle
    return low if low <= rows else None
