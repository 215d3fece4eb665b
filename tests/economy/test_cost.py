"""Prices, reckoned by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.economy.cost import (
    machine_usd,
    machine_usd_per_1k,
    tokens_usd_per_1k,
    usd_per_month,
)
from ladder.task import Prices


def test_machine_time() -> None:
    assert machine_usd(3600, 0.2) == pytest.approx(0.2)
    assert machine_usd(90, 4) == pytest.approx(0.1)
    assert machine_usd(0, 4) == 0
    # 0.36 s a request: 1,000 requests take a tenth of an hour.
    assert machine_usd_per_1k(0.36, 0.2) == pytest.approx(0.02)


def test_tokens() -> None:
    prices = Prices(input_usd_per_1m=0.15, output_usd_per_1m=0.6)
    # 1,000 requests of 200 + 10 tokens: 0.2 M at 0.15 and 0.01 M at 0.6.
    assert tokens_usd_per_1k(200, 10, prices) == pytest.approx(0.036)
    assert tokens_usd_per_1k(0, 10, prices) == pytest.approx(0.006)
    assert tokens_usd_per_1k(200, 10, Prices(input_usd_per_1m=0, output_usd_per_1m=0)) == 0


def test_a_month() -> None:
    assert usd_per_month(0.036, 100_000) == pytest.approx(3.6)
    assert usd_per_month(0.5, 1) == pytest.approx(0.0005)


@given(st.floats(0, 1e4), st.floats(0, 1e3))
def test_a_thousand_requests_cost_as_much_as_their_seconds(seconds: float, hour: float) -> None:
    assert machine_usd_per_1k(seconds, hour) == pytest.approx(machine_usd(1000 * seconds, hour))
    assert usd_per_month(machine_usd_per_1k(seconds, hour), 1) == pytest.approx(
        machine_usd(seconds, hour)
    )
