"""`ladder revalidate`: say how often its eval examples were read, and how often it is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.lifecycle.alpha_spending import BUDGET, LIFE_DAYS
from ladder.lifecycle.revalidate import Revalidation


def about_errors(found: Revalidation) -> Iterator[str]:
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
