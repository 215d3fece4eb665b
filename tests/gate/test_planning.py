"""What so many rows can tell, beside what the looks then do: counted out path by path."""

from __future__ import annotations

import pytest
from paths import Paths
from scipy.stats import binom

from ladder.gate.budget import budget_of
from ladder.gate.looks import looks
from ladder.gate.planning import detectable_score, fixed_rows, rows_needed
from ladder.task import GateLimits


@pytest.mark.parametrize("rows", [40, 100, 213])
@pytest.mark.parametrize(("limit", "rungs"), [(0.5, 1), (0.85, 1), (0.85, 4)])
def test_the_detectable_score_is_proved_with_the_power_that_is_named(rows, limit, rungs):
    gate = GateLimits(min_score=limit)
    found = detectable_score(rows, gate, rungs)
    assert found is not None
    assert limit < found < 1
    paths = Paths(looks(rows), limit, budget_of(gate, rungs))
    assert paths.chances(found)[0] == pytest.approx(0.8, abs=1e-4)  # few fail before


def test_more_rows_detect_a_smaller_difference():
    found = [detectable_score(rows, GateLimits(min_score=0.85), 1) for rows in (50, 100, 200, 400)]
    assert None not in found
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(("rows", "limit"), [(0, 0.5), (1, 0.9), (20, 0.9), (400, 1.0)])
def test_too_few_rows_detect_nothing(rows, limit):
    assert detectable_score(rows, GateLimits(min_score=limit), 1) is None


@pytest.mark.parametrize(("score", "limit", "rungs"), [(0.95, 0.85, 1), (0.9, 0.7, 4)])
def test_the_rows_that_are_needed_have_the_power_that_is_named(score, limit, rungs):
    gate = GateLimits(min_score=limit)
    rows = rows_needed(score, gate, rungs)
    assert rows is not None
    enough = Paths(looks(rows), limit, budget_of(gate, rungs))
    assert enough.chances(score)[0] >= 0.8
    short = Paths(looks(9 * rows // 10), limit, budget_of(gate, rungs))
    assert short.chances(score)[0] < 0.8


def test_at_a_perfect_score_the_least_rows_are_those_that_can_prove_it_at_all() -> None:
    gate = GateLimits(min_score=0.9)
    rows = rows_needed(1.0, gate, 1)
    assert rows == 29  # 0.9**29 is below 0.05, 0.9**28 is not; the look at 25 spends nothing
    assert rows_needed(1.0, GateLimits(min_score=1.0), 1) is None
    assert rows_needed(0.9, gate, 1) is None
    assert rows_needed(0.91, gate, 1, most=200) is None


def test_a_fixed_number_of_rows_has_its_power_and_one_row_less_has_not() -> None:
    """Exactly: the chance of enough right answers among n at the true score, from the binomial."""
    gate = GateLimits(min_score=0.85)
    rows = fixed_rows(0.9, gate, rungs=1)
    assert rows == 281

    def power(n: int) -> float:
        passing = [hits for hits in range(n + 1) if binom.sf(hits - 1, n, 0.85) <= 0.05]
        return float(binom.sf(passing[0] - 1, n, 0.9)) if passing else 0.0

    assert power(rows) >= 0.8 > power(rows - 1)
