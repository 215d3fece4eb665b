"""What a release check finds in the answers of both systems. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ladder.errors import NoVerdictError
from ladder.evaluation.units import as_units
from ladder.evidence import NotWorse, Regression, Unmeasured
from ladder.evidence.release import Side
from ladder.gate.bounds import stratum_weights
from ladder.gate.non_inferiority import Pairs, not_worse_by
from ladder.inference.outcome import Outcome
from ladder.lifecycle.answering import Asked
from ladder.samples.rows import Sample
from ladder.task import Task

MOST_REGRESSIONS = 25
MOST_CHARACTERS = 2_000
"""Of a text in a record."""
SideName = Literal["champion", "candidate"]
SIDES: tuple[SideName, ...] = ("champion", "candidate")
Both = Mapping[str, Sequence[Outcome]]
"""`champion` and `candidate` -> outcomes of the same rows."""


def compared(
    outcomes: Both, shares: Mapping[str, float], *, margin: float, error: float, slices_from: int
) -> list[NotWorse]:
    """Return the check on all rows, and on every slice: no correction, since all must hold.

    Args:
        outcomes: of both systems.
        shares: kind of row -> its share in production; empty: every unit counts alike.
        margin: how much worse would be too much.
        error: one-sided.
        slices_from: slices of fewer units do not decide.

    Raises:
        NoVerdictError: there is no row that both have a score of.
    """
    both = zip(outcomes["candidate"], outcomes["champion"], strict=True)
    found = [
        (new.sample, new.score, was.score)
        for new, was in both
        if new.score is not None and was.score is not None
    ]
    if not found:
        raise NoVerdictError("No verdict: no row was answered by both systems.")
    slice_of: dict[tuple[str, str], str] = {}
    for row, _, _ in found:  # a group is of the kind of its first row
        slice_of.setdefault(row.unit, row.stratum)

    def pairs(part: Sequence[tuple[Sample, float, float]], weighted: bool = False) -> Pairs:
        units = list(dict.fromkeys(row.unit for row, _, _ in part))
        groups = [row.unit for row, _, _ in part] if len(units) < len(part) else ()
        wanted = shares if weighted else {}
        weights = stratum_weights([slice_of[unit] for unit in units], wanted) if wanted else None
        return Pairs([a for _, a, _ in part], [b for _, _, b in part], groups, weights)

    checks = [not_worse_by("all", pairs(found, weighted=True), margin, error)]
    for kind in sorted({kind for kind in slice_of.values() if kind}):
        part = [each for each in found if slice_of[each[0].unit] == kind]
        check = not_worse_by(kind, pairs(part), margin, error)
        checks.append(check.but(decides=check.n >= slices_from))
    return checks


def regressions(outcomes: Both) -> list[Regression]:
    """Return the first rows that the champion answers better, the largest losses first."""
    both = zip(outcomes["champion"], outcomes["candidate"], strict=True)
    lost = [
        (was.score - new.score, was, new)
        for was, new in both
        if was.score is not None and new.score is not None and new.score < was.score
    ]
    lost.sort(key=lambda one: -one[0])
    return [
        Regression(
            id=was.sample.id,
            input=was.sample.input[:MOST_CHARACTERS],
            target=" / ".join(was.sample.targets)[:MOST_CHARACTERS],
            champion=was.text[:MOST_CHARACTERS],
            candidate=(new.text or new.error or "")[:MOST_CHARACTERS],
            slice=was.sample.stratum,
        )
        for _, was, new in lost[:MOST_REGRESSIONS]
    ]


def sides(answers: Mapping[str, Asked], outcomes: Both, task: Task) -> dict[SideName, Side]:
    """Return what each of the two does with the rows."""
    made: dict[SideName, Side] = {}
    for name in SIDES:
        known = [(o.sample, o.score) for o in outcomes[name] if o.score is not None]
        units = as_units(known, task.use.strata)
        own = [o for o in outcomes[name] if o.completion.error is not None and o.score == 0]
        made[name] = Side(
            score=units.estimate(task.gate.confidence),
            p95_ms=answers[name].p95_ms,
            usd_per_1k=answers[name].usd_per_1k,
            failed=len(outcomes[name]) - len(known) + len(own),
            own_fault=len(own),
        )
    return made


def unmeasured(
    answers: Mapping[str, Asked],
    calibrations: Mapping[str, object],
    checks: Sequence[NotWorse],
    known: int,
) -> list[Unmeasured]:
    """Name what could not be looked at, and why."""
    found: list[Unmeasured] = []
    if known:
        found.append(Unmeasured(what="rows known to a training", why=f"{known}"))
    if len(checks) == 1:
        found.append(Unmeasured(what="slices", why="no row names its kind"))
    if answers["candidate"].plain is None:
        found.append(Unmeasured(what="forgetting", why="the candidate reads no instructions"))
    elif answers["champion"].plain is None:
        found.append(Unmeasured(what="forgetting", why="the champion reads no instructions"))
    for name in SIDES:
        if calibrations[name] is None:
            found.append(Unmeasured(what="calibration", why=f"no chances from the {name}"))
    limited = {limit.limit for limit in answers["candidate"].limits}
    found += [
        Unmeasured(what=what, why="no limit in either gate")
        for what, name in (("latency", "max_p95_ms"), ("cost", "max_cost_usd_per_1k"))
        if name not in limited
    ]
    return found
