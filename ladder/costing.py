"""What the measured systems cost to own, and from which volume one is cheaper than another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from ladder.economy import ownership
from ladder.evidence import Attempt, Bill, BreakEven, Economics
from ladder.task import RungName, Task

MOST_PLAUSIBLE_REQUESTS = 10**12
"""A month; a break-even beyond it is none."""


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
    owned: dict[RungName, ownership.Bill] = {}
    for attempt in attempts:
        m = attempt.measurement
        if m is None or m.cost_usd_per_1k is None:
            continue
        owned[attempt.rung] = ownership.Bill(
            build=m.build.usd,
            labels=_labels_used(task, train_rows, attempt) * task.use.usd_per_label,
            revalidation=gate_rows * m.cost_usd_per_1k / 1000,
            per_request=m.cost_usd_per_1k / 1000,
            per_request_error=m.cost_error_usd_per_1k / 1000,
            months=task.use.months,
        )
    volume = task.use.requests_per_month
    passed = {attempt.rung for attempt in attempts if attempt.status == "passed"}
    bills = tuple(
        Bill(
            rung=rung,
            passed=rung in passed,
            build=bill.build,
            labels=bill.labels,
            revalidation_per_quarter=bill.revalidation,
            per_1k=1000 * bill.per_request,
            fixed_per_month=bill.fixed,
            per_month=bill.per_month(volume),
        )
        for rung, bill in owned.items()
    )
    crossings = tuple(
        _crossing(first, second, owned, task.gate.confidence)
        for first, second in combinations(owned, 2)
    )
    return Economics(
        requests_per_month=volume, months=task.use.months, bills=bills, break_evens=crossings
    )


def _labels_used(task: Task, train_rows: int, attempt: Attempt) -> int:
    candidate = attempt.candidate
    if candidate is None:
        return 0
    if candidate.retrieval and candidate.retrieval.source in ("examples", "both"):
        return train_rows
    if candidate.rung in ("lora", "distill"):
        return min(train_rows, task.training.max_rows)
    return len(candidate.shots)


def _crossing(
    first: RungName, second: RungName, owned: dict[RungName, ownership.Bill], confidence: float
) -> BreakEven:
    """Compare two bills: the one with the higher fixed cost must earn it back per request."""
    dear, cheap = sorted((second, first), key=lambda rung: -owned[rung].fixed)
    found = ownership.break_even(owned[dear], owned[cheap], confidence)
    requests = found.requests
    if requests is None or requests > MOST_PLAUSIBLE_REQUESTS:
        sentence = f"{cheap} stays cheaper than {dear} at every volume."
        return BreakEven(
            rung=dear, against=cheap, requests_per_month=None, low=None, high=None,
            sentence=sentence,
        )  # fmt: skip
    high = found.high if found.high and found.high <= MOST_PLAUSIBLE_REQUESTS else None
    to = f"to {high:,.0f}" if high is not None else "upwards, perhaps never"
    return BreakEven(
        rung=dear,
        against=cheap,
        requests_per_month=requests,
        low=found.low,
        high=high,
        sentence=(
            f"{dear} is cheaper than {cheap} from about {requests:,.0f} requests a month "
            f"({found.low:,.0f} {to})."
        ),
    )
