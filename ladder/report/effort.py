"""What the decision took, and what other plans take."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from ladder.economy.cost import together
from ladder.evidence import Asked, Effort, PlanName
from ladder.report.summary import table_cells
from ladder.wording import duration

PLANS: dict[PlanName, str] = {
    "every rung": "every rung on every eval example",
    "every candidate": "no halving: every candidate on every dev example",
    "fixed rows": "eval examples fixed beforehand, for a power of 80 %",
}
SHOWN = 4
"""Purposes named on a terminal: those that took most."""


def effort_in_short(effort: Effort, seconds: float) -> Iterator[str]:
    """Yield all calls and tokens with what took most of them, and the same of other plans."""
    all_of_it = _in_all(effort)
    if not all_of_it.tokens:  # nobody answered
        yield duration(seconds)
        return
    most = sorted(effort.by_purpose.items(), key=lambda item: -item[1].tokens)
    parts = [f"{purpose} {asked.tokens:,}" for purpose, asked in most[:SHOWN]]
    rest = sum(asked.tokens for _, asked in most[SHOWN:])
    parts += [f"all else {rest:,}"] if rest else []
    yield (
        f"{all_of_it.calls:,} calls and {all_of_it.tokens:,} tokens in all, {duration(seconds)}: "
        + ", ".join(parts)
    )
    if effort.plans:
        others = [f"{name} {asked.tokens:,}" for name, asked in effort.plans.items()]
        yield f"tokens of other plans, at least: {', '.join(others)}"


def effort_lines(effort: Effort) -> Iterator[str]:
    """Yield the table of what the decision took, and of what other plans take."""
    if effort.by_purpose:
        yield "The decision took, with every call counted:\n"
        yield table_cells(("for", "calls", "tokens"))
        yield "|---|---|---|"
        for purpose, asked in sorted(effort.by_purpose.items(), key=lambda each: -each[1].tokens):
            yield table_cells((purpose, *_figures(asked)))
        yield table_cells(("**in all**", *_figures(_in_all(effort))))
        yield ""
    if effort.plans:
        yield "Other plans for the same decision take at least (a rung that was not climbed is"
        yield "counted with its eval examples alone):\n"
        yield table_cells(("plan", "calls", "tokens"))
        yield "|---|---|---|"
        for name, asked in effort.plans.items():
            yield table_cells((PLANS[name], *_figures(asked)))
        yield ""
    avoided = effort.training_avoided
    yield f"Trained rungs: {effort.trainings_made}" + (
        f"; not trained: {', '.join(avoided)}." if avoided else "."
    )


def _in_all(effort: Effort) -> Asked:
    return reduce(together, effort.by_purpose.values(), Asked())


def _figures(asked: Asked) -> tuple[str, str]:
    return f"{asked.calls:,}", f"{asked.tokens:,}"
