"""Evidence that a trickling score is below its limit."""

from __future__ import annotations

import numpy as np
import pytest

from ladder.gate.e_values import e_value_below


@pytest.mark.parametrize("graded", [False, True])
def test_a_score_at_the_limit_raises_few_alarms_however_often_one_looks(graded: bool) -> None:
    draw, limit, alarms = np.random.default_rng(1), 0.8, 0
    for _ in range(1_000):
        scores = draw.beta(8, 2, 500) if graded else (draw.random(500) < limit).astype(float)
        alarms += e_value_below(scores.tolist(), limit) >= 20
    assert alarms <= 71  # 5 %, and three standard deviations


def test_a_score_below_is_found() -> None:
    draw = np.random.default_rng(2)
    found = [
        e_value_below((draw.random(200) < 0.65).astype(float).tolist(), 0.8) >= 20
        for _ in range(100)
    ]
    assert sum(found) >= 95


def test_what_was_found_stays_found() -> None:
    wrong, right = [0.0] * 20, [1.0] * 500
    assert e_value_below([*wrong, *right], 0.8) == e_value_below(wrong, 0.8) > 20


@pytest.mark.parametrize("limit", [0.0, 0.5, 1.0])
def test_ends(limit: float) -> None:
    assert e_value_below([], limit) == 1.0
    assert e_value_below([1.0] * 10, limit) == 1.0
    assert (e_value_below([0.0] * 10, limit) > 20) == (limit > 0)
