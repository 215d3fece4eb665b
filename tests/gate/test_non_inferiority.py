"""Not worse by a margin: exact for right and wrong, by betting for what is graded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from ladder.gate.non_inferiority import (
    Pairs,
    chance_to_show,
    exact_p,
    least_units,
    not_worse_by,
)
from ladder.gate.paired import losses_by_chance, not_worse, tango_z


def pairs(won: int, lost: int, rows: int, **more: object) -> Pairs:
    new = [1.0] * won + [0.0] * lost + [1.0] * (rows - won - lost)
    old = [0.0] * won + [1.0] * lost + [1.0] * (rows - won - lost)
    return Pairs(new, old, **more)


def test_the_p_value_is_the_largest_chance_of_a_system_that_is_worse_by_the_margin() -> None:
    """By brute force: every result that is as good, under a fine grid of nuisance shares."""
    rows, margin, won, lost = 40, 0.15, 3, 4
    seen = tango_z(won, lost, rows, -margin)
    good = [
        (a, b)
        for a in range(rows + 1)
        for b in range(rows + 1 - a)
        if tango_z(a, b, rows, -margin) >= seen - 1e-9
    ]
    a, b = (np.array(side) for side in zip(*good, strict=True))
    worst = 0.0
    for share in np.linspace(1e-9, (1 - margin) / 2, 2_000):
        first = binom.pmf(a, rows, share)
        second = binom.pmf(b, rows - a, (share + margin) / (1 - share))
        worst = max(worst, float((first * second).sum()))
    assert exact_p(won, lost, rows, margin) == pytest.approx(worst, rel=2e-3)


def test_no_lost_row_is_not_enough_where_the_normal_approximation_says_so() -> None:
    assert not_worse(0, 0, 52, 0.05) < 0.05
    assert exact_p(0, 0, 52, 0.05) == pytest.approx(0.95**52)
    assert least_units(0.05, 0.05, exact=True) == 59
    assert not_worse_by("all", pairs(0, 0, 58), 0.05, 0.05).verdict == "too few rows"
    assert not_worse_by("all", pairs(0, 0, 59), 0.05, 0.05).verdict == "not worse"


def test_as_bad_as_the_margin_is_never_shown() -> None:
    assert exact_p(0, 10, 200, 0.05) == 1.0
    found = not_worse_by("all", pairs(0, 10, 200), 0.05, 0.05)
    assert not found.holds
    assert (found.won, found.lost, found.n, found.difference) == (0, 10, 200, -0.05)


@pytest.mark.slow
def test_the_chance_to_pass_is_that_of_the_test_itself() -> None:
    rows, apart, margin, error = 60, 0.2, 0.15, 0.05
    exact = sum(
        binom.pmf(d, rows, apart) * binom.pmf(won, d, 0.5)
        for d in range(rows + 1)
        for won in range(d + 1)
        if binom.pmf(d, rows, apart) > 1e-12 and exact_p(won, d - won, rows, margin) <= error
    )
    assert chance_to_show(rows, apart, margin, error) == pytest.approx(exact, abs=2e-3)


def test_groups_count_once_and_graded_scores_are_bounded() -> None:
    groups = [number // 10 for number in range(1_000)]
    found = not_worse_by("all", pairs(0, 0, 1_000, groups=groups), 0.05, 0.05)
    assert (found.n, found.rows, found.p_value, found.verdict) == (100, 1_000, None, "not worse")
    few = not_worse_by("all", pairs(0, 0, 600, groups=groups[:600]), 0.05, 0.05)
    assert (few.n, few.verdict) == (60, "too few rows")
    draw = np.random.default_rng(1)
    old = draw.random(400)
    same = not_worse_by("all", Pairs(np.clip(old + 0.01, 0, 1), old), 0.05, 0.05)
    worse = not_worse_by("all", Pairs(np.clip(old - 0.06, 0, 1), old), 0.05, 0.05)
    assert (same.verdict, worse.verdict) == ("not worse", "not shown")


def test_weights_bring_a_rare_kind_to_its_share() -> None:
    weights = [0.5] * 400 + [2.0] * 133
    scores = [1.0] * 400 + [0.0] * 133
    found = not_worse_by("all", Pairs(scores, [1.0] * 533, (), weights), 0.05, 0.05)
    assert found.difference < -0.45
    assert not found.holds


def test_losses_that_chance_does_not_explain() -> None:
    assert losses_by_chance(0, 5) == pytest.approx(1 / 32)
    assert losses_by_chance(3, 3) > 0.5
    assert losses_by_chance(0, 0) == 1.0


def test_what_so_many_rows_can_show_is_said() -> None:
    """72 rows of which 14 disagree: an equal system would seldom pass, and no wonder."""
    found = not_worse_by("all", pairs(7, 7, 72), 0.05, 0.05)
    assert found.verdict == "not shown"
    assert found.power < 0.3
    assert found.shows > 0.1
    assert found.wants > 400
