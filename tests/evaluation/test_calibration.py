"""Chances corrected on dev answers: nearer to what is right on others, and never out of bounds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ladder.evaluation.calibration import (
    abstention,
    applied,
    calibration_of,
    cross_fitted,
    fitted,
    isotonic,
    platt,
)

Pairs = tuple[list[float], list[bool]]
CONFIDENCE = 0.95


def boastful(rows: int, seed: int) -> Pairs:
    """Draw chances that are too high: 0.9 is right in 7 of 10."""
    draw = np.random.default_rng(seed)
    chances = 0.5 + 0.5 * draw.beta(3, 1, size=rows)
    return list(map(float, chances)), list(map(bool, draw.random(rows) < chances**3))


@pytest.mark.parametrize(("rows", "methods"), [(120, {"platt"}), (1500, {"platt", "isotonic"})])
def test_what_dev_answers_teach_lowers_both_errors_on_others(rows: int, methods: set[str]) -> None:
    found = calibration_of(boastful(rows, 1), boastful(800, 2), CONFIDENCE)
    assert found.method in methods
    assert found.after.ece < found.before.ece / 2
    assert found.after.ece_high is not None
    assert found.before.ece_low is not None
    assert found.after.ece_high < found.before.ece_low
    assert found.after.brier.mean < found.before.brier.mean


def test_many_dev_answers_bring_the_error_near_what_chance_alone_makes() -> None:
    found = calibration_of(boastful(1500, 1), boastful(800, 2), CONFIDENCE)
    assert found.before.ece > 2 * found.before.ece_by_chance
    assert found.after.ece <= 1.5 * found.after.ece_by_chance


def test_chances_that_are_right_already_are_hardly_moved() -> None:
    draw = np.random.default_rng(4)
    chances = list(map(float, 0.3 + 0.7 * draw.random(1000)))
    right = list(map(bool, draw.random(1000) < np.array(chances)))
    _, curve = fitted(chances, right)
    moved = np.abs(np.array(applied(curve, chances)) - np.array(chances))
    assert float(moved.mean()) < 0.05


@pytest.mark.parametrize("fit", [platt, isotonic])
@pytest.mark.parametrize("right", ["all", "none", "mixed", "upside down"])
@pytest.mark.parametrize("chances", ["one value", "0 and 1", "spread"])
def test_a_curve_rises_and_stays_within_0_and_1(fit: object, right: str, chances: str) -> None:
    given = {
        "one value": [0.7] * 30,
        "0 and 1": [0.0] * 15 + [1.0] * 15,
        "spread": [at / 29 for at in range(30)],
    }[chances]
    hits = {
        "all": [True] * 30,
        "none": [False] * 30,
        "mixed": [at % 3 == 0 for at in range(30)],
        "upside down": [at < 15 for at in range(30)],
    }[right]
    assert callable(fit)
    corrected = applied(fit(given, hits), [at / 100 for at in range(101)])
    assert all(0 <= chance <= 1 for chance in corrected)
    assert all(one <= other + 1e-9 for one, other in pairwise(corrected))


def test_a_row_is_corrected_by_what_other_rows_taught() -> None:
    chances = [at / 40 for at in range(1, 40)]
    right = [at % 2 == 0 for at in range(1, 40)]
    ours = cross_fitted(isotonic, chances, right)
    whole = applied(isotonic(chances, right), chances)
    assert ours != whole
    assert len(ours) == len(chances)


@pytest.mark.parametrize("rows", [0, 3, 19])
def test_a_few_dev_answers_teach_nothing(rows: int) -> None:
    dev = boastful(rows, 1)
    found = calibration_of(dev, boastful(50, 2), CONFIDENCE)
    assert (found.method, found.curve) == ("none", ())
    assert found.after == found.before
    assert found.abstention.threshold is None
    assert found.abstention.needed == 59


def test_three_eval_answers_and_those_without_a_chance_are_counted() -> None:
    nan = float("nan")
    dev = ([0.9, nan] * 60, [True, False] * 60)
    found = calibration_of(dev, ([0.9, nan, 0.8], [True, True, False]), CONFIDENCE)
    assert (found.before.n, found.without, found.dev_rows) == (2, 1, 60)
    assert found.abstention.threshold == 0.9
    assert found.abstention.share is not None
    assert found.abstention.share.mean == pytest.approx(1 / 3)
    assert found.abstention.verdict == "undecided"


def test_a_threshold_of_dev_is_judged_on_eval() -> None:
    dev: Pairs = [0.9] * 200 + [0.5] * 100, [True] * 200 + [False] * 100
    held = abstention(dev, ([0.95] * 100 + [0.2] * 20, [True] * 100 + [False] * 20), CONFIDENCE)
    assert (held.threshold, held.verdict) == (0.9, "pass")
    broken = abstention(dev, ([0.95] * 100, [True] * 60 + [False] * 40), CONFIDENCE)
    assert broken.verdict == "fail"
    unreached = abstention(dev, ([0.2] * 100, [True] * 100), CONFIDENCE)
    assert (unreached.verdict, unreached.wrong) == ("none", None)


def test_what_it_would_take_is_named_unless_no_number_would_do() -> None:
    chances = [at / 200 for at in range(200)]
    near = [at not in (199, 180, 170) for at in range(200)]  # three wrong among the surest 59
    assert abstention((chances, near), ([], []), CONFIDENCE).needed is None
    one = [at != 199 for at in range(200)]
    needed = abstention((chances, one), ([], []), CONFIDENCE).needed
    assert needed is not None
    assert needed > 200


def test_out_of_scope_inputs_stand_among_those_that_choose_and_judge():
    dev = [0.9] * 100 + [0.4] * 20, [True] * 100 + [False] * 20
    unseen = [0.9] * 100 + [0.4] * 20, [True] * 99 + [False] * 21
    alone = abstention(dev, unseen, CONFIDENCE)
    assert alone.threshold == 0.9
    assert alone.beyond is None
    known = abstention(dev, unseen, CONFIDENCE, beyond=([0.3] * 50, [0.3] * 45 + [0.95] * 5))
    assert known.threshold == 0.9
    assert known.beyond_rows == (50, 50)
    assert known.beyond is not None
    assert known.beyond.mean == 0.1
    assert known.share == alone.share, "of what has a label"
    assert known.medians == (0.9, 0.3)
    assert alone.medians is None
    assert known.wrong is not None
    assert known.wrong.n == 105
    assert known.wrong.mean == pytest.approx(6 / 105)
    fooled = abstention(dev, unseen, CONFIDENCE, beyond=([0.95] * 50, []))
    assert fooled.threshold is None, "whoever answers them as surely can certify nothing"
