"""What a report says of criteria that were frozen before the run, or were not."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evidence import CitedFreeze, FrozenChange

LONGEST = 60
"""Characters of a value that are shown."""


def frozen_lines(found: CitedFreeze | None) -> Iterator[str]:
    """Say what a freeze shows, and each field that is another one now; nothing without a ledger."""
    if found is None:
        return
    if not found.frozen:
        yield "Criteria: not frozen before this run. `ladder freeze` signs them before the next."
        return
    yield (
        f"Criteria: they existed no later than {found.at} by the signing machine's clock, "
        f"signed in record {found.record + 1} of the ledger (sha256 of the freeze "
        f"{found.digest[:16]})."
    )
    if found.metric_rationale:
        yield f"The metric was chosen because: {found.metric_rationale}"
    if found.looks_before:
        times = "once" if found.looks_before == 1 else f"{found.looks_before} times"
        yield f"The eval set had been looked at {times} before that."
    if found.openings_before:
        times = "once" if found.openings_before == 1 else f"{found.openings_before} times"
        yield f"The held-out test set had been read {times} before that."
    yield from map(change_line, found.changes)


def change_line(change: FrozenChange) -> str:
    """Say that a field is another one than was frozen."""
    return f"{change.field} was frozen at {_short(change.frozen)}, is {_short(change.now)}."


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
