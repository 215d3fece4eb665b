"""What the measured systems cost to own, and from which volume one is cheaper than another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from ladder.economy.cost import usd_per_month
from ladder.economy.machines import rent_usd_per_month
from ladder.economy.ownership import crossing, fixed_per_month, owned
from ladder.evidence import Attempt, Bill, BreakEven, Economics, Measurement
from ladder.task import Task


def economics(
    task: Task, train_rows: int, gate_rows: int, attempts: Sequence[Attempt]
) -> Economics:
    """Return the bill of every measured rung, and the break-even between any two.

    Args:
        task: gives the volume, the months, and what a label costs.
        train_rows: how many labelled rows a rung may learn from.
        gate_rows: how many rows a revalidation answers.
        attempts: the rungs; those without a known cost are left out.
    """
    bills = tuple(
        _bill(task, train_rows, gate_rows, attempt, attempt.measurement)
        for attempt in attempts
        if attempt.measurement and attempt.measurement.cost_usd_per_1k is not None
    )
    return Economics(
        requests_per_month=task.use.requests_per_month,
        months=task.use.months,
        bills=bills,
        break_evens=tuple(
            _break_even(first, second, task.gate.confidence)
            for first, second in combinations(bills, 2)
        ),
    )


def _bill(
    task: Task, train_rows: int, gate_rows: int, attempt: Attempt, measured: Measurement
) -> Bill:
    per_1k = measured.cost_usd_per_1k or 0.0
    busy = measured.cost_busy_usd_per_1k or per_1k  # a revalidation needs no machine of its own
    labels = _labels_used(task, train_rows, attempt) * task.use.usd_per_label
    revalidation = gate_rows * busy / 1000
    fixed = fixed_per_month(measured.build.usd + labels, revalidation, task.use.months)
    return Bill(
        rung=attempt.rung,
        passed=attempt.status == "passed",
        build=measured.build.usd,
        labels=labels,
        revalidation_per_quarter=revalidation,
        per_1k=per_1k,
        per_1k_error=measured.cost_error_usd_per_1k,
        **_machines(measured, busy),
        fixed_per_month=fixed,
        per_month=fixed + usd_per_month(per_1k, task.use.requests_per_month),
    )


def _machines(measured: Measurement, busy: float) -> dict[str, Any]:
    """Return the fields of a bill for whole machines; none where the price is each request's."""
    basis = measured.cost_basis
    if basis is None or basis.capacity is None:
        return {}
    # What a request takes is known as well as what a busy machine's request costs.
    relative = measured.cost_error_usd_per_1k / busy if busy else 0.0
    return {
        "machines": basis.machines,
        "capacity": basis.capacity,
        "capacity_error": basis.capacity * relative,
        "rent_per_month": rent_usd_per_month(basis.usd_per_hour or 0.0),
    }


def _labels_used(task: Task, train_rows: int, attempt: Attempt) -> int:
    candidate = attempt.candidate
    if candidate is None:
        return 0
    if candidate.retrieval and candidate.retrieval.source in ("examples", "both"):
        return train_rows
    if candidate.is_trained:
        return min(train_rows, task.training.max_rows)
    return len(candidate.shots)


def _break_even(first: Bill, second: Bill, confidence: float) -> BreakEven:
    """Compare two bills: the one that costs more at few requests must earn it back at many."""
    dear, cheap = sorted((second, first), key=lambda bill: -float(owned(bill, 1)))
    found = crossing(dear, cheap, confidence)
    return BreakEven(
        rung=dear.rung,
        against=cheap.rung,
        requests_per_month=found.requests,
        low=found.low,
        high=found.high,
    )
