"""Waits at several machines, against closed forms and against a queue counted by hand."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.economy.load import rate_in_time
from ladder.economy.queueing import (
    MOST_MACHINES,
    erlang_c,
    machines_below,
    machines_in_time,
    mean_wait,
    p95,
    p95_interval,
    response_times,
)

EXPONENTIAL = (-np.log1p(-(np.arange(2_000) + 0.5) / 2_000)).tolist()
"""Quantiles of an exponential time with a mean of one second."""
EQUAL = [1.0]
TWO = [0.2] * 9 + [8.2]
"""One in ten takes long: mean 1, squared coefficient of variation 5.76."""


def simulated(service: list[float], rate: float, machines: int) -> float:
    """Return the mean wait over several seeds."""
    waits = [
        response_times(service, rate, machines, seed=seed, arrivals=40_000).mean()
        for seed in range(4)
    ]
    return fmean(waits) - fmean(service)


@pytest.mark.parametrize(("rate", "machines"), [(0.5, 1), (1.4, 2), (2.8, 4)])
def test_exponential_times_wait_as_erlang_says(rate: float, machines: int) -> None:
    exact = erlang_c(rate, machines) / (machines - rate)
    assert simulated(EXPONENTIAL, rate, machines) == pytest.approx(exact, rel=0.08)
    assert mean_wait(EXPONENTIAL, rate, machines) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize(("service", "rate"), [(EQUAL, 0.6), (TWO, 0.5)])
def test_one_machine_waits_as_pollaczek_and_khinchine_say(
    service: list[float], rate: float
) -> None:
    square = fmean(one**2 for one in service)
    exact = rate * square / (2 * (1 - rate))
    assert simulated(service, rate, 1) == pytest.approx(exact, rel=0.08)
    assert mean_wait(service, rate, 1) == pytest.approx(exact)


@pytest.mark.parametrize(("service", "rate"), [(EQUAL, 3.0), (TWO, 3.0)])
def test_several_machines_wait_about_as_allen_and_cunneen_say(
    service: list[float], rate: float
) -> None:
    assert simulated(service, rate, 4) == pytest.approx(mean_wait(service, rate, 4), rel=0.2)


def test_erlang_c_is_what_tables_print() -> None:
    assert erlang_c(0.5, 1) == pytest.approx(0.5)
    assert erlang_c(2.0, 3) == pytest.approx(4 / 9)
    assert erlang_c(8.0, 10) == pytest.approx(0.409, abs=0.001)


def test_one_machine_agrees_with_the_rate_that_it_holds() -> None:
    rate = rate_in_time(TWO, 20.0)
    assert p95(TWO, rate, 1) == pytest.approx(20.0, rel=0.1)


def test_equal_input_gives_equal_output() -> None:
    assert p95(TWO, 2.5, 4) == p95(TWO, 2.5, 4)


def test_machines_that_cannot_keep_up_take_for_ever() -> None:
    assert p95(EQUAL, 2.0, 2) == math.inf
    assert p95(EQUAL, 1.9, 2) < math.inf


def test_no_number_of_machines_makes_a_request_shorter() -> None:
    assert machines_in_time(EQUAL, 0.01, 0.99) is None
    assert machines_in_time(EQUAL, 0.01, 1.01) == 1


def test_more_machines_than_the_simulation_takes_are_none() -> None:
    assert machines_in_time(EQUAL, MOST_MACHINES + 5, 10.0) is None


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.floats(0.05, 4.0), min_size=1, max_size=30),
    st.floats(0.1, 12.0),
    st.floats(1.05, 4.0),
)
def test_the_fewest_machines_hold_the_limit_and_one_less_does_not(
    service: list[float], rate: float, slack: float
) -> None:
    limit = slack * float(np.quantile(service, 0.95, method="inverted_cdf"))  # one that occurs
    found = machines_in_time(service, rate, limit)
    assert found is not None
    assert p95(service, rate, found) <= limit
    assert found == 1 or p95(service, rate, found - 1) > limit


def test_machines_below_a_share_of_their_time() -> None:
    assert machines_below(EQUAL, 0.8, 0.8) == 1
    assert machines_below(EQUAL, 0.81, 0.8) == 2
    assert machines_below(EQUAL, 0.001, 0.8) == 1


def test_few_times_have_no_upper_end() -> None:
    few, many = [*TWO, *TWO], TWO * 10
    low, high = p95_interval(few, 0.5, 1, 0.95)
    assert low <= p95(few, 0.5, 1)
    assert high == math.inf
    low, high = p95_interval(many, 0.3, 1, 0.95)
    assert low < p95(many, 0.3, 1) < high < math.inf
