"""Bills, break-evens and queues, reckoned by hand and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.economy.load import rate_in_time, waits
from ladder.economy.ownership import crossing, fixed_per_month, owned
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


def rented(fixed: float, capacity: float, error: float = 0.0) -> Bill:
    """Return the bill of whole machines at 100 USD a month."""
    return bill(12 * fixed, 0).but(
        per_1k_error=error, capacity=capacity, capacity_error=error, rent_per_month=100.0
    )


def test_a_months_bill():
    assert fixed_per_month(120 + 240, 3, 12) == pytest.approx(31)


@given(st.floats(1, 1e4), st.floats(0, 0.9), st.floats(1e-6, 1e-2), st.floats(0.01, 0.99))
def test_at_the_break_even_both_bills_are_equal(build, share, each, cheaper):
    dear, cheap = bill(build, each * cheaper), bill(build * share, each)
    volume = crossing(dear, cheap, 0.95).requests
    assert volume is not None
    assert owned(dear, volume) == pytest.approx(owned(cheap, volume))


def test_what_is_dearer_both_ways_never_pays():
    found = crossing(bill(120, 0.002), bill(0, 0.001), 0.95)
    assert found.requests is None
    assert (found.low, found.high) == (None, None)


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


def test_whole_machines_pay_back_where_the_other_needs_one_more():
    # Both rent one machine up to 1,000 requests; from there on the other needs a second one.
    dear, cheap = rented(10, capacity=10_000), rented(0, capacity=1_000)
    assert owned(cheap, [1, 1_000, 1_001]) == pytest.approx([100, 100, 200])
    assert crossing(dear, cheap, 0.95).requests == pytest.approx(1_000)


def test_ahead_and_behind_again_is_not_yet_ahead():
    # At 1,001 requests it is one machine against two; at 1,501 two against two, and 10 more.
    dear, cheap = rented(10, capacity=1_500), rented(0, capacity=1_000)
    volume = crossing(dear, cheap, 0.95).requests
    assert volume is not None
    further = np.arange(int(volume) + 1, 200_000)
    assert (owned(dear, further) < owned(cheap, further)).all()
    assert owned(dear, volume - 1) >= owned(cheap, volume - 1)
    assert volume > 1_500


def test_a_machine_pays_back_against_prices_per_request():
    # 100 USD a month against 0.01 USD a request.
    machine, endpoint = rented(0, capacity=1e7), bill(0, 0.01)
    assert crossing(machine, endpoint, 0.95).requests == pytest.approx(10_000)
    assert crossing(rented(0, capacity=9_000), endpoint, 0.95).requests is None


def test_what_a_request_takes_is_not_known_exactly():
    found = crossing(rented(10, 10_000, error=300), rented(0, 1_000, error=30), 0.95)
    assert found.low is not None
    assert found.high is not None
    assert found.requests is not None
    assert found.low < found.requests < found.high


@pytest.mark.parametrize("limit", [0.5, 1.0, 3.0])
def test_the_rate_in_time_is_that_of_a_known_queue(limit):
    """M/M/1: the time in system is exponential at mu - lambda, so 95 % within T is ln(20) / T."""
    service = np.random.default_rng(1).exponential(0.1, 50_000)
    wanted = 1 / 0.1 - math.log(20) / limit
    assert rate_in_time(list(service), limit) == pytest.approx(wanted, rel=0.08)


def test_what_is_too_slow_alone_is_in_time_at_no_rate():
    assert rate_in_time([0.2] * 20, 0.1) == 0
    assert rate_in_time([0.1] * 20, 0.100001) == pytest.approx(0, abs=0.6)


def queue_by_clock(service: list[float], clients: int) -> list[float]:
    """Serve a closed loop with a clock: when each client asks, when the server is free."""
    free, asks, found = 0.0, [0.0] * clients, []
    for own in service:
        client = min(range(clients), key=asks.__getitem__)
        begins = max(free, asks[client])
        found.append(begins - asks[client])
        free = asks[client] = begins + own
    return found[clients - 1 :]


@pytest.mark.slow
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
