"""`ladder probe`: say what a look at a certified model found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ladder.evidence import ProbeLook, ProbeReference, Shift
from ladder.lifecycle.alpha_spending import BUDGET, LIFE_DAYS
from ladder.lifecycle.plan import day_of
from ladder.lifecycle.probing import Probed

SIDES = {"frozen": "the reference of", "trailing": "the looks of late"}


def lines(found: Probed) -> Iterator[str]:
    """Say what a look found, line by line."""
    look = found.look
    if found.taken is not None:
        yield from _reference(found.taken, found.certified)
    yield from _digests(look)
    yield from (_shift(shift, look) for shift in look.shifts)
    if look.calls:
        paid = f", {look.usd:.4f} USD" if look.usd else ""
        tokens = f", {look.tokens:,} tokens" if look.tokens else ""
        yield f"asked: {look.calls:,} calls{tokens}{paid}"
    if look.ends:
        yield f"its provider ends the model on {look.ends}"
    elif look.deprecated:
        yield "its provider calls the model deprecated, and names no day"
    yield from _budget(look, taken=found.taken is not None)
    yield {
        "same": "The model is what it was.",
        "revalidate": "Revalidate: the model, or what it lies on, is not what was certified. "
        "Confirm it: ladder revalidate PLAN",
        "block": "Block: this is not the model that was certified. Put it back, or assess anew.",
    }[look.verdict]


def _reference(taken: ProbeReference, certified: date) -> Iterator[str]:
    days = (day_of(taken.at) - certified).days
    if taken.samples:
        yield f"reference taken: {taken.probe} of {len(taken.samples)} prompts"
    else:
        canaries = f"{len(taken.canaries.prompts)} canaries and " if taken.canaries else ""
        yield f"reference taken: {canaries}the digests of {len(taken.parts)} parts of the model"
    if days > 0 and taken.samples:
        yield f"{days} days after the certification: what changed in between is not seen"


def _digests(look: ProbeLook) -> Iterator[str]:
    if look.probe in ("canaries", "digests"):
        named = ", ".join(look.changed)
        yield f"changed: {named}" if named else "digests: all as they were certified"
    if look.refused:
        yield f"refused: {look.refused}"
    if look.canaries:
        far = f"by up to {look.largest:.4f} nats, {look.tolerance:.4f} allowed"
        yield f"canaries: {look.moved} of {look.canaries} out of tolerance, {far}"
    if look.effect is not None:
        yield f"the adapter moves its base by up to {look.effect:.4f} nats"


def _shift(shift: Shift, look: ProbeLook) -> str:
    since = f" {look.reference[:10]}" if shift.name == "frozen" else ""
    unit = " nats" if look.probe == "log-probabilities" else ""
    size = f"effect {shift.effect:.3f}{unit} (alarm from {shift.least:g})"
    mark = "ALARM" if shift.alarms else "     "
    beside = f"{look.probe} beside {SIDES[shift.name]}{since}"
    return f"{mark} {beside}: {size}, p {shift.p_holm:.6f}"


def _budget(look: ProbeLook, *, taken: bool) -> Iterator[str]:
    if look.probe in ("canaries", "digests") or taken:
        return
    if not look.error:
        yield "the plan's error budget is spent: certify the answer anew"
    else:
        yield (
            f"false alarms: at most {100 * look.error:.4f} % at this look, "
            f"{100 * BUDGET:g} % over the {LIFE_DAYS} days of the plan"
        )
