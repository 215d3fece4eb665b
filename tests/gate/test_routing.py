"""A cascade against the heavy system, the random mix and the router that knows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.gate.routing import Prices, Routed, choose, curve, judge, share_of_mix

PRICES = Prices(light=0.01, heavy=1.0)


def drawn(
    count: int, seed: int, light: float = 0.7, heavy: float = 0.9, knows: bool = True
) -> list[Routed]:
    """Rows whose light system is surer where it is right, or not at all."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        right = float(draw.random() < light)
        sure = draw.normal(2.0 * right) if knows else draw.normal()
        found.append(Routed(float(sure), right, float(draw.random() < heavy)))
    return found


def test_the_curve_goes_from_all_heavy_to_all_light() -> None:
    rows = [Routed(3, 1, 1), Routed(2, 0, 1), Routed(2, 1, 0), Routed(1, 0, 1)]
    points = curve(rows, Prices(1, 10))
    assert [(p.escalated, p.score, p.cost) for p in points] == [
        (1.0, 0.75, 11.0),
        (0.75, 0.75, 8.5),
        (0.25, 0.75, 3.5),  # rows that are equally sure go together
        (0.0, 0.5, 1.0),
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1))
def test_a_point_of_the_curve_is_what_its_threshold_does(
    told: list[tuple[int, bool, bool]],
) -> None:
    rows = [Routed(sure, float(light), float(heavy)) for sure, light, heavy in told]
    for point in curve(rows, PRICES):
        found = judge(rows, PRICES, point.threshold, 0.1, 0.05)
        assert found.point.score == pytest.approx(point.score)
        assert found.point.escalated == pytest.approx(point.escalated)
        assert found.oracle.score >= max(found.light.score, found.heavy.score) - 1e-12
        assert found.oracle.score >= found.point.score - 1e-12


@pytest.mark.slow
def test_a_light_system_that_knows_when_it_is_right_is_worth_it() -> None:
    threshold = choose(drawn(2_000, 1), PRICES, 0.06, 0.05)
    found = judge(drawn(2_000, 2), PRICES, threshold, 0.06, 0.05)
    assert found.verdict == "worth it"
    assert found.above_mix > 0
    assert found.point.cost < 0.8 * found.heavy.cost
    assert found.mix < found.point.score <= found.oracle.score


@pytest.mark.slow
def test_one_that_does_not_know_is_refused() -> None:
    verdicts = []
    for seed in range(40):
        threshold = choose(drawn(400, seed, knows=False), PRICES, 0.04, 0.05)
        rows = drawn(400, 1_000 + seed, knows=False)
        verdicts.append(judge(rows, PRICES, threshold, 0.04, 0.05).verdict)
    assert verdicts.count("worth it") <= 5, "one in twenty by chance, and not two in twenty"
    assert "below the random mix" in verdicts


def test_where_both_cost_the_same_a_cascade_costs_more_than_it_brings() -> None:
    prices = Prices(light=1.0, heavy=1.0)
    rows = drawn(500, 3)
    found = judge(rows, prices, choose(rows, prices, 0.04, 0.05), 0.04, 0.05)
    assert share_of_mix(found.point.cost, prices) == 1.0
    assert found.verdict != "worth it" or found.point.score > found.heavy.score


def test_few_rows_show_nothing() -> None:
    rows = drawn(20, 4)
    assert judge(rows, PRICES, choose(rows, PRICES, 0.04, 0.05), 0.04, 0.05).verdict != "worth it"


def test_a_cascade_that_never_escalates_is_the_light_system() -> None:
    rows = drawn(300, 5)
    found = judge(rows, PRICES, -math.inf, 0.04, 0.05)
    assert (found.point.score, found.point.cost) == (pytest.approx(found.light.score), 0.01)
    assert found.mix == pytest.approx(found.light.score)
    assert found.verdict != "worth it"
