"""Chances beside what came true."""

from __future__ import annotations

import numpy as np

from ladder.evaluation.reliability import measured


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
