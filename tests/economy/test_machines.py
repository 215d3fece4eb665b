"""Whole machines: how many a volume needs, and what is paid, reckoned by hand."""

from __future__ import annotations

import pytest
from economy.billed import TASK

from ladder.economy.machines import capacity_of, machine_cost, machines_for, rent_above_gate
from ladder.task import Hardware, Task, Use

MONTH = 730 * 3600  # seconds


def test_a_machine_is_paid_though_it_waits() -> None:
    # 0.2 USD x 730 hours = 146 USD a month, over 100,000 requests; a request takes 0.09 s.
    paid, busy, basis = machine_cost(0.09, Hardware(), Use())
    assert paid == pytest.approx(1.46)
    assert busy == pytest.approx(0.005)
    assert basis.machines == 1
    assert basis.capacity == pytest.approx(MONTH / 0.09)
    assert basis.requests_per_month == 100_000


def test_a_shared_machine_costs_the_seconds_of_its_working_hours() -> None:
    paid, busy, basis = machine_cost(0.09, Hardware(shared=True, utilisation=0.5), Use())
    assert (paid, busy) == (pytest.approx(0.01), pytest.approx(0.005))
    assert (basis.machines, basis.capacity) == (None, None)


@pytest.mark.parametrize(
    ("volume", "machines"), [(1, 1), (2_628_000, 1), (2_628_001, 2), (26_280_000, 10)]
)
def test_a_further_machine_where_one_is_full(volume: int, machines: int) -> None:
    paid, _, basis = machine_cost(1.0, Hardware(usd_per_hour=1), Use(requests_per_month=volume))
    assert basis.machines == machines == machines_for(volume, MONTH)
    assert paid * volume / 1000 == pytest.approx(machines * 730)


def test_capacity_is_what_the_hours_and_the_limit_of_latency_leave() -> None:
    assert capacity_of(0.1, Hardware()) == pytest.approx(10 * MONTH)
    assert capacity_of(0.1, Hardware(utilisation=0.25)) == pytest.approx(2.5 * MONTH)
    assert capacity_of(0.1, Hardware(), most_per_second=4) == pytest.approx(4 * MONTH)
    assert capacity_of(0.1, Hardware(), most_per_second=40) == pytest.approx(10 * MONTH)


def test_what_takes_no_time_needs_one_machine() -> None:
    paid, busy, basis = machine_cost(0.0, Hardware(), Use())
    assert (paid, busy, basis.machines) == (pytest.approx(1.46), 0, 1)


def changed(**parts: dict[str, object]) -> Task:
    written = TASK.model_dump(exclude={"score"}, exclude_unset=True)
    return Task.model_validate({**written, "score": "contains", **parts})


def test_a_limit_below_the_rent_of_one_machine_is_told() -> None:
    gate = {"min_score": 0.8, "max_cost_usd_per_1k": 0.4}
    told = rent_above_gate(changed(gate=gate))  # 146 USD over 50,000 requests
    assert "costs 2.92 USD per 1,000 requests where 50,000 are asked a month" in told
    assert not rent_above_gate(changed(gate=gate, hardware={"shared": True}))
    assert not rent_above_gate(changed(gate=gate, use={"requests_per_month": 365_000}))
    assert not rent_above_gate(TASK)


def test_what_the_task_does_not_say_is_called_assumed():
    def assumed(hardware: Hardware, use: Use) -> tuple[str, ...]:
        return machine_cost(0.09, hardware, use)[2].assumed

    assert assumed(Hardware(), Use()) == ("volume", "price")
    assert assumed(Hardware(), Use(requests_per_month=100_000)) == ("price",)
    assert assumed(Hardware(usd_per_hour=0.2), Use(months=3)) == ("volume",)
    assert assumed(Hardware(usd_per_hour=0.2), Use(requests_per_month=5)) == ()
    assert assumed(Hardware(shared=True), Use()) == ("price",), "seconds are paid at any volume"
