"""Bills, break-evens and queues, reckoned by hand and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.economy.load import waits
from ladder.economy.ownership import crossing, fixed_per_month
from ladder.economy.prices import listed_prices
from ladder.evidence import Bill


def bill(build: float, each: float, error: float = 0.0) -> Bill:
    """Return a bill; `each` and its error are for one request."""
    return Bill(
        rung="lora",
        passed=True,
        build=build,
        labels=0,
        revalidation_per_quarter=0,
        per_1k=1000 * each,
        per_1k_error=1000 * error,
        fixed_per_month=fixed_per_month(build, 0, 12),
        per_month=0,
    )


def at(owned: Bill, requests: float) -> float:
    return owned.fixed_per_month + requests * owned.per_1k / 1000


def test_a_months_bill():
    assert fixed_per_month(120 + 240, 3, 12) == pytest.approx(31)


@given(st.floats(1, 1e4), st.floats(0, 0.9), st.floats(1e-6, 1e-2), st.floats(0.01, 0.99))
def test_at_the_break_even_both_bills_are_equal(build, share, each, cheaper):
    dear, cheap = bill(build, each * cheaper), bill(build * share, each)
    volume = crossing(dear, cheap, 0.95).requests
    assert volume is not None
    assert at(dear, volume) == pytest.approx(at(cheap, volume))


def test_what_is_dearer_both_ways_never_pays():
    found = crossing(bill(120, 0.002), bill(0, 0.001), 0.95)
    assert found.requests is None
    assert found.high is None
    assert found.low == math.inf


def test_an_uncertain_saving_may_never_pay():
    found = crossing(bill(120, 0.001, error=0.001), bill(0, 0.002), 0.95)
    assert found.requests == pytest.approx(10_000)
    assert found.low < 10_000
    assert found.high is None


def test_the_interval_of_a_break_even_covers():
    draw = np.random.default_rng(0)
    truth = (120 / 12) / (0.0020 - 0.0012)
    covered = 0
    for _ in range(500):
        dear = draw.normal(0.0012, 0.00005)
        cheap = draw.normal(0.0020, 0.00008)
        found = crossing(bill(120, dear, 0.00005), bill(0, cheap, 0.00008), 0.95)
        covered += found.low <= truth <= (found.high or math.inf)
    assert 0.92 < covered / 500 < 0.98


def queue_by_clock(service: list[float], clients: int) -> list[float]:
    """Serve a closed loop with a clock: when each client asks, when the server is free."""
    free, asks, found = 0.0, [0.0] * clients, []
    for own in service:
        client = min(range(clients), key=asks.__getitem__)
        begins = max(free, asks[client])
        found.append(begins - asks[client])
        free = asks[client] = begins + own
    return found[clients - 1 :]


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=40), st.integers(1, 6))
def test_the_queue_is_what_a_clock_shows(service, clients):
    assert waits(service, clients) == pytest.approx(queue_by_clock(service, clients))


def test_listed_prices_name_their_source():
    found = listed_prices("gpt-4o-mini", "https://api.openai.com/v1")
    assert found is not None
    assert 0 < found.input_usd_per_1m < found.output_usd_per_1m
    assert "genai-prices" in found.source
    assert listed_prices("my-own-model", "http://127.0.0.1:8000/v1") is None
    assert listed_prices("no-such-model-at-all", "https://api.openai.com/v1") is None
