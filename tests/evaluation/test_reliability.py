"""Chances beside what came true."""

from __future__ import annotations

import numpy as np
import pytest

from ladder.evaluation.reliability import measured
from ladder.retrieval.health import calibration_error


def test_a_calibrated_system_stays_below_what_chance_does_and_a_boastful_one_does_not() -> None:
    draw = np.random.default_rng(3)
    chances = list(0.5 + draw.random(400) / 2)
    right = list(draw.random(400) < np.array(chances))
    found = measured(chances, right, 0.95)
    assert found.ece <= found.ece_by_chance
    assert found.brier.low < found.brier.mean < found.brier.high
    boastful = measured([0.99] * 400, right, 0.95)
    assert boastful.ece > boastful.ece_by_chance
    assert boastful.brier.mean > found.brier.mean


@pytest.mark.parametrize(
    ("rows", "told", "true"),
    [(25, 0.999, 0.95), (25, 0.999, 0.87), (100, 0.99, 0.98), (400, 0.95, 0.9)],
)
def test_the_interval_holds_the_error_of_the_system_also_where_all_rows_are_right(rows, told, true):
    draw = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        found = measured([told] * rows, list(draw.random(rows) < true), 0.95)
        held += found.ece_low <= abs(told - true) <= found.ece_high
    assert held >= 0.95 * 200 - 9  # three standard deviations of what 95 % would give


def test_the_interval_of_spread_chances_holds_too():
    draw = np.random.default_rng(8)
    held = 0
    for _ in range(200):
        chances = 0.3 + 0.7 * draw.random(300)
        true = chances**1.5
        error = calibration_error(list(chances), list(true))
        found = measured(list(chances), list(draw.random(300) < true), 0.95)
        held += found.ece_low <= error <= found.ece_high
    assert held >= 0.95 * 200 - 9
