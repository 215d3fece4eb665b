"""What the decision took, and what other plans take."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from ladder.economy.cost import together
from ladder.evidence import Asked, Effort, PlanName
from ladder.report.blocks import Block, Said, Strong, say, tabled
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
    all_of_it = in_all_of(effort)
    if not all_of_it.tokens:  # nobody answered
        yield duration(seconds)
        return
    most = sorted(effort.by_purpose.items(), key=lambda item: -item[1].tokens)
    parts = [f"{purpose} {asked.tokens:,}" for purpose, asked in most[:SHOWN]]
    rest = sum(asked.tokens for _, asked in most[SHOWN:])
    parts += [f"all else {rest:,}"] if rest else []
    yield (
        f"{all_of_it.calls:,} calls and {all_of_it.tokens:,} tokens in all, "
        f"{duration(seconds)}{kept_words(effort)}: " + ", ".join(parts)
    )
    if effort.plans:
        yield f"other plans, in tokens: {_others_in_short(effort)}"


def _others_in_short(effort: Effort) -> str:
    """Name the plans that take more than was taken, and those of which that is not known."""
    dearer, others = _dearer(effort), [name for name in effort.plans if name not in _dearer(effort)]
    said = [f"{name} {effort.plans[name].tokens:,} or more" for name in dearer]
    said += [f"not known to take more: {', '.join(others)}"] if others else []
    return "; ".join(said)


def _dearer(effort: Effort) -> list[PlanName]:
    """Return the plans whose lower bound is above what was taken: beside them it was saved."""
    taken = in_all_of(effort).tokens
    return [name for name, asked in effort.plans.items() if asked.tokens > taken]


def kept_words(effort: Effort) -> str:
    """Say, in brackets, which answers a run kept from earlier ones, and what they took there."""
    if effort.asked is None:
        return ""
    calls = [asked for purpose, asked in effort.by_purpose.items() if purpose != "training"]
    in_all = reduce(together, calls, Asked())
    kept, then = in_all.calls - effort.asked.calls, in_all.seconds - effort.asked.seconds
    if kept <= 0:
        return ""
    many = "all" if kept == in_all.calls else f"{kept:,} of {in_all.calls:,}"
    before = f", where the models took {duration(then)}" if then >= 1 else ""
    return f" ({many} answers kept from earlier runs{before})"


def effort_blocks(effort: Effort) -> Iterator[Block]:
    """Yield the table of what the decision took, and of what other plans take."""
    if effort.by_purpose:
        yield say(f"The decision took, with every answered call counted{kept_words(effort)}:")
        most = sorted(effort.by_purpose.items(), key=lambda each: -each[1].tokens)
        rows: list[tuple[Said, ...]] = [(purpose, *_figures(asked)) for purpose, asked in most]
        in_all = ((Strong("in all"),), *_figures(in_all_of(effort)))
        yield tabled(("for", "calls", "tokens"), *rows, in_all)
    yield from _plan_blocks(effort)
    avoided = effort.training_avoided
    yield say(
        f"Trained rungs: {effort.trainings_made}"
        + (f"; not trained: {', '.join(avoided)}." if avoided else ".")
    )


def _plan_blocks(effort: Effort) -> Iterator[Block]:
    """Yield what other plans take at least; one that may take less is named, and saves nothing."""
    dearer = _dearer(effort)
    if dearer:
        yield say(
            "Other plans for the same decision take more (a rung that was not climbed counts",
            "nothing, and what hangs on a verdict is left out):",
        )
        plans = ((PLANS[name], *_figures(effort.plans[name])) for name in dearer)
        yield tabled(("plan", "calls, at least", "tokens, at least"), *plans)
    others = [
        f"{PLANS[name]} ({asked.tokens:,} tokens or more)"
        for name, asked in effort.plans.items()
        if name not in dearer
    ]
    if others:
        yield say(f"Not known to take more than was taken: {'; '.join(others)}.")


def in_all_of(effort: Effort) -> Asked:
    """Return all that was asked, whatever for."""
    return reduce(together, effort.by_purpose.values(), Asked())


def _figures(asked: Asked) -> tuple[str, str]:
    return f"{asked.calls:,}", f"{asked.tokens:,}"
