"""How many machines a volume needs, and what is paid for them. Pure.

A rented machine is paid whether it works or waits. So answers cost whole machines, unless the task
says that other work shares them (`hardware.shared`); what one more request costs on a machine that
is busy all the time is said beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from ladder.economy.cost import SECONDS_PER_HOUR, machine_usd_per_1k, usd_per_1k
from ladder.evidence import CostBasis
from ladder.task import Hardware, Task, Use

HOURS_PER_MONTH = 730
"""A twelfth of 8,760 hours."""
LEAST_SECONDS = 1e-9
"""What took no time that a clock can tell."""


def rent_usd_per_month(usd_per_hour: float) -> float:
    """Return the price of one machine, every hour of a month."""
    return HOURS_PER_MONTH * usd_per_hour


def machines_for(requests_per_month: float, capacity: float) -> int:
    """Return how many whole machines answer so many requests a month; one at least.

    Args:
        requests_per_month: the volume.
        capacity: requests a month that one machine can answer.
    """
    return max(1, math.ceil(requests_per_month / capacity))


def capacity_of(
    seconds_per_request: float, hardware: Hardware, most_per_second: float | None = None
) -> float:
    """Return how many requests a month one machine can answer.

    Args:
        seconds_per_request: of the machine when it is kept busy.
        hardware: says in which share of its hours there is work.
        most_per_second: requests a second up to which it holds a limit of latency; None: no limit.
    """
    busy = 1 / max(seconds_per_request, LEAST_SECONDS)
    most = min(busy, most_per_second) if most_per_second else busy
    return most * SECONDS_PER_HOUR * HOURS_PER_MONTH * hardware.utilisation


def machine_cost(
    seconds_per_request: float, hardware: Hardware, use: Use, most_per_second: float | None = None
) -> tuple[float, float, CostBasis]:
    """Return what is paid, the price of a request on a busy machine, and what both rest on.

    Args:
        seconds_per_request: of the machine when it is kept busy.
        hardware: the machine, and whether it is shared.
        use: the volume.
        most_per_second: see `capacity_of`.

    Returns:
        USD per 1,000 requests at the task's volume, USD per 1,000 requests of a machine that is
        busy all the time, and the basis.
    """
    hourly = hardware.usd_per_hour
    busy = machine_usd_per_1k(seconds_per_request, hourly)
    basis = CostBasis(
        kind="machine",
        utilisation=hardware.utilisation,
        usd_per_hour=hourly,
        priced=str(hardware.priced or ""),
        assumed=tuple(_assumed(hardware, use)),
    )
    if hardware.shared:
        return busy / hardware.utilisation, busy, basis
    capacity = capacity_of(seconds_per_request, hardware, most_per_second)
    machines = machines_for(use.requests_per_month, capacity)
    paid = usd_per_1k(machines * rent_usd_per_month(hourly), use.requests_per_month)
    whole = basis.but(
        machines=machines, capacity=capacity, requests_per_month=use.requests_per_month
    )
    return paid, busy, whole


def _assumed(hardware: Hardware, use: Use) -> Iterator[Literal["volume", "price"]]:
    if not hardware.shared and "requests_per_month" not in use.model_fields_set:
        yield "volume"
    if "usd_per_hour" not in hardware.model_fields_set:
        yield "price"


def rent_above_gate(task: Task) -> str:
    """Say that one machine alone costs more than the gate allows; nothing where it does not."""
    limit, use, hourly = task.gate.max_cost_usd_per_1k, task.use, task.hardware.usd_per_hour
    least = usd_per_1k(rent_usd_per_month(hourly), use.requests_per_month)
    if limit is None or task.hardware.shared or least <= limit:
        return ""
    return (
        f"one machine at {hourly:g} USD an hour costs {least:.2f} USD per 1,000 "
        f"requests where {use.requests_per_month:,} are asked a month, and "
        f"gate.max_cost_usd_per_1k is {limit:g}: no model of this machine can hold it"
    )
