"""`ladder revalidate`: say how often its eval examples were read, and how often it is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evidence import RevalidationPlan
from ladder.lifecycle.alpha_spending import BUDGET, LIFE_DAYS
from ladder.lifecycle.revalidate import Revalidation
from ladder.wording import MOST_SAID, indented, span


def lines(found: Revalidation, plan: RevalidationPlan) -> Iterator[str]:
    """Say what a check found beside the certified score, line by line."""
    score = span(found.measurement.score) if found.measurement else "not measured"
    then = "certified" if plan.proven else "at its assessment"
    yield f"score {score}, {then} {span(plan.baseline.gate_rows)}"
    yield from (indented(f"- {finding}", MOST_SAID) for finding in found.findings)
    yield from _about_errors(found)
    holds = "The answer still holds."
    if not plan.proven:
        holds = "Nothing changed. The gate was never proven for this answer: it leaned to a pass."
    yield "Act on this." if found.findings else holds


def _about_errors(found: Revalidation) -> Iterator[str]:
    """Say what a check exchanged, read, and spent, line by line."""
    done = found.rotation
    if done is not None:
        aside = f", {done.alike:,} set aside as known" if done.alike else ""
        unused = f", {done.unused:,} left for the next quarter" if done.unused else ""
        yield f"rotated: {done.fresh:,} fresh eval examples in, as many out{aside}{unused}"
    if found.openings:
        fresh = f", {found.fresh:,} of its examples for the first time" if found.fresh else ""
        yield f"the eval set was read for the {_nth(found.openings)} time{fresh}"
    if found.measurement is None:
        return
    yield (
        f"false alarms on score and latency: at most {100 * found.error:.3f} % at this check, "
        f"{100 * BUDGET:g} % over the {LIFE_DAYS} days of the plan"
    )


def _nth(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 <= number % 100 <= 13 else ending}"
