"""A threshold above which few answers are wrong keeps its promise; odd rows break nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from ladder.gate.certified import certify, holds, rows_needed

ERROR, CONFIDENCE = 0.05, 0.95
SPLITS = 400


def drawn(
    draw: np.random.Generator, rows: int, *, boast: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draw chances and what came true; the chance of an error falls as the chance rises."""
    chances = draw.beta(4, 1, size=rows)
    return chances, draw.random(rows) < 1 - (1 - chances) ** boast


@pytest.mark.parametrize("boast", [0.6, 1.0, 2.0])
@pytest.mark.parametrize("rows", [150, 600])
def test_the_error_is_kept_in_at_least_95_of_100_draws(boast: float, rows: int) -> None:
    draw = np.random.default_rng(rows)
    chances, right = drawn(draw, 200_000, boast=boast)
    order = np.argsort(-chances)
    falling, wrong = -chances[order], np.cumsum(~right[order])
    broken = 0
    for _ in range(SPLITS):
        chances, right = drawn(draw, rows, boast=boast)
        found = certify(list(chances), list(right), ERROR, CONFIDENCE)
        if found is not None:
            above = int(np.searchsorted(falling, -found.threshold, side="right"))
            broken += int(wrong[above - 1]) > ERROR * above
    assert binomtest(broken, SPLITS, 1 - CONFIDENCE, alternative="greater").pvalue > 0.01


def test_a_boundary_where_every_threshold_is_just_too_low_is_seldom_passed() -> None:
    draw = np.random.default_rng(1)
    passed = 0
    for _ in range(SPLITS):
        right = list(draw.random(200) >= ERROR + 1e-9)
        passed += certify(list(draw.random(200)), right, ERROR, CONFIDENCE) is not None
    assert binomtest(passed, SPLITS, 1 - CONFIDENCE, alternative="greater").pvalue > 0.01


def test_all_right_is_answered_wholly_and_all_wrong_not_at_all() -> None:
    chances = [at / 100 for at in range(100)]
    found = certify(chances, [True] * 100, ERROR, CONFIDENCE)
    assert found == (0.0, 100, 0)
    assert certify(chances, [False] * 100, ERROR, CONFIDENCE) is None


@pytest.mark.parametrize("rows", [0, 1, 3, 58])
def test_fewer_rows_than_it_takes_certify_nothing(rows: int) -> None:
    assert certify([0.9] * rows, [True] * rows, ERROR, CONFIDENCE) is None


def test_59_rows_without_an_error_are_enough() -> None:
    assert certify([0.9] * 59, [True] * 59, ERROR, CONFIDENCE) == (0.9, 59, 0)
    assert rows_needed(0.0, ERROR, CONFIDENCE) == 59


def test_rows_of_the_same_chance_pass_together() -> None:
    # 59 right rows come first among equals: passed alone, they would hide the wrong ones.
    assert certify([0.5] * 100, [True] * 59 + [False] * 41, ERROR, CONFIDENCE) is None


def test_a_row_without_a_chance_is_never_answered() -> None:
    chances = [0.9] * 100 + [float("nan")] * 50
    found = certify(chances, [True] * 100 + [False] * 50, ERROR, CONFIDENCE)
    assert found == (0.9, 100, 0)
    nothing = [float("nan")] * 100
    assert certify(nothing, [True] * 100, ERROR, CONFIDENCE) is None


def test_it_holds_where_the_clopper_pearson_bound_says_so() -> None:
    for answered in (1, 59, 60, 93, 200):
        for wrong in range(min(answered, 9) + 1):
            bound = binomtest(wrong, answered, alternative="less").proportion_ci(0.95).high
            assert holds(wrong, answered, ERROR, CONFIDENCE) == (bound <= ERROR)
    assert not holds(0, 0, ERROR, CONFIDENCE)


def test_as_many_rows_as_are_needed_do_and_a_rate_at_the_error_never_does() -> None:
    rows = rows_needed(0.02, ERROR, CONFIDENCE)
    assert rows is not None
    assert holds(int(0.02 * rows), rows, ERROR, CONFIDENCE)
    assert rows_needed(ERROR, ERROR, CONFIDENCE) is None
    assert rows_needed(1.0, ERROR, CONFIDENCE) is None
