"""`ladder release check`: may a candidate take the champion's place?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ladder.audit.ledger import note_lines, refuse_unready
from ladder.climb.opening import COMPLETIONS
from ladder.errors import DataError, Problem, TaskError
from ladder.evidence import Forgetting, ReleaseRecord, Unmeasured
from ladder.files import alone_in, append_line, clear_disk_errors, digest_of, private_folder
from ladder.gate.non_inferiority import least_units
from ladder.lifecycle.answering import (
    LIMITS,
    Asked,
    Certified,
    Desk,
    asked,
    calibration,
    open_certified,
    scored,
)
from ladder.lifecycle.forgetting import FORGETTING_MARGIN, forgotten
from ladder.lifecycle.other_tasks import others_not_worse
from ladder.lifecycle.plan import reads_others, same_answer
from ladder.lifecycle.promotion import RELEASES
from ladder.lifecycle.records import records_in
from ladder.lifecycle.release_findings import compared, regressions, sides, unmeasured
from ladder.models.cache import Cache
from ladder.progress import Watch
from ladder.redaction import redact_in
from ladder.samples.data import Data
from ladder.samples.duplicates import folded
from ladder.samples.reading import read_recent
from ladder.samples.rows import Sample
from ladder.trust.code import Granted

KEPT = "releases"
"""Folder beside the candidate's plan: what both answered, by day."""
MARGIN = 0.05


@dataclass(frozen=True)
class Terms:
    """What a candidate is held to."""

    margin: float = MARGIN
    """How much worse than the champion would be too much, on all rows and on every slice."""
    slices_from: int = 1
    """Slices of fewer units are shown and do not decide."""
    forgetting_margin: float = FORGETTING_MARGIN
    may_forget: bool = False
    """The fixed prompts are asked and do not decide."""
    data: Path | None = None
    """Labelled rows to answer; None: the eval examples of the champion's task."""
    also: tuple[Path, ...] = field(default=())
    """Plans of other tasks, answered with the champion's model and with the candidate's."""


def check_release(
    candidate: Path, champion: Path, watch: Watch, terms: Terms, granted: Granted = "trusted"
) -> ReleaseRecord:
    """Compare a certified candidate with the certified champion; leaves a line in releases.jsonl.

    Args:
        candidate: its plan, or the folder of its run.
        champion: the same.
        watch: sees progress.
        terms: what the candidate is held to.
        granted: what of the code that the tasks name may run (`ladder.trust.code`).

    Raises:
        TaskError: a plan or its task is wrong, or they are plans of two tasks, or one plan; or an
            answer of an earlier version would read other rows now than were certified.
        DataError: rows are wrong, or too few for any verdict.
        StateError: the record of release checks cannot be read or written.
        NoVerdictError: too many requests failed; nothing is recorded.
    """
    new, old = open_certified(candidate, granted), open_certified(champion, granted)
    _refuse_other_task(new, old)
    _refuse_itself(new, old)
    for each in (old, new):
        _refuse_other_rows(each)
    refuse_unready(new.path.parent)
    others = tuple(open_certified(path, granted) for path in terms.also)
    releases_so_far(new.path)
    now = datetime.now(UTC)
    folder = new.path.parent / KEPT / f"{now:%Y-%m-%d}"
    with clear_disk_errors(folder):
        cache = Cache(private_folder(folder) / COMPLETIONS)
    try:
        record = _checked(Desk(cache, folder, watch), (new, old), others, terms, now)
    finally:
        cache.close()
    record = ReleaseRecord.model_validate(redact_in(record.model_dump(mode="json")))
    facts = {"passed": "yes" if record.passed else "no"}
    with alone_in(new.path.parent):
        append_line(new.path.parent / RELEASES, record.model_dump_json())
        note_lines(new.path.parent, "release check", (RELEASES,), (KEPT,), facts)
    return record


def releases_so_far(path: Path) -> list[ReleaseRecord]:
    """Return the release checks of a candidate, by its plan, oldest first.

    Raises:
        StateError: a line of the record cannot be read.
    """
    fix = "Fix the line or take it out; what it says of a candidate is checked anew."
    return records_in(path.parent / RELEASES, ReleaseRecord, "a release check", fix)


def _refuse_other_task(new: Certified, old: Certified) -> None:
    mine, theirs = new.task, old.task
    if mine.name != theirs.name or mine.answer.type != theirs.answer.type:
        got = f"a plan of the task {mine.name}, whose answers are of type {mine.answer.type}"
        wanted = f"one of the champion's, {theirs.name} ({theirs.answer.type})"
        fix = "Name two runs of one task; other tasks are named by --also."
        raise TaskError([Problem(str(new.path), got, wanted, fix)])


def _refuse_itself(new: Certified, old: Certified) -> None:
    """Refuse the champion's own run, or a copy: the same answer certified anew is another run."""
    if new.system.plan == old.system.plan:
        got, wanted = "the champion's own plan", "the run of another answer than the champion's"
        fix = "A candidate that is compared with itself always passes: name another run."
        raise TaskError([Problem(str(new.path), got, wanted, fix)])


def _refuse_other_rows(certified: Certified) -> None:
    """Refuse an answer of an earlier version that would read other rows now than were certified."""
    if names := reads_others(certified.plan, certified.task):
        got = f"other rows ({names}) than those of {certified.path}"
        wanted = "the training examples that its answer reads whenever it is asked"
        fix = (
            "Put them back; new rows belong in a file and a task file of their own, of one `name`."
        )
        raise TaskError([Problem(str(certified.task.source), got, wanted, fix)])


def _checked(
    desk: Desk,
    two: tuple[Certified, Certified],
    others: Sequence[Certified],
    terms: Terms,
    now: datetime,
) -> ReleaseRecord:
    new, old = two
    champion_data = desk.data(old)
    rows, known = _rows(desk, new, old, champion_data, terms)
    error = 1 - old.task.gate.confidence
    _refuse_few(rows, terms, error, old)
    answers = {
        "candidate": asked(desk, new, rows, "candidate", _tighter(new, old)),
        "champion": asked(desk, old, rows, "champion", {}),
    }
    judge = desk.evaluator(old, champion_data)
    outcomes = {name: scored(judge, found.outcomes) for name, found in answers.items()}
    checks = compared(
        outcomes,
        old.task.use.strata,
        margin=terms.margin,
        error=error,
        slices_from=terms.slices_from,
    )
    made = {
        name: calibration(desk, one, outcomes[name])
        for name, one in (("candidate", new), ("champion", old))
    }
    checks += others_not_worse(desk, others, two, terms.margin)
    record = ReleaseRecord(
        at=now.isoformat(timespec="seconds"),
        candidate=new.system,
        champion=old.system,
        passed=False,
        rows=digest_of([[row.id, row.input, *row.targets] for row in rows]),
        own_rows=terms.data is None,
        margin=terms.margin,
        error=error,
        slices_from=terms.slices_from,
        checks=tuple(checks),
        sides=sides(answers, outcomes, old.task),
        limits=answers["candidate"].limits,
        regressions=tuple(regressions(outcomes)),
        forgetting=_forgotten(answers["champion"], answers["candidate"], terms),
        calibration={name: found for name, found in made.items() if found},
        unmeasured=(*_alike(new, old), *unmeasured(answers, made, checks, known)),
    )
    return record.but(passed=not record.refusals)


def _alike(new: Certified, old: Certified) -> tuple[Unmeasured, ...]:
    """Say that the champion was certified anew: no difference can be seen."""
    why = "the champion's own answer, certified anew: it is compared with itself"
    return (Unmeasured(what="a difference", why=why),) * same_answer(new.plan, old.plan)


def _rows(
    desk: Desk, new: Certified, old: Certified, data: Data, terms: Terms
) -> tuple[tuple[Sample, ...], int]:
    """Return the rows that both answer, and how many are left out: a training has seen them."""
    rows = data.gate
    if terms.data is not None:
        rows = tuple(row for row in read_recent(old.task, terms.data) if row.target)
    theirs = desk.data(new)
    parts = (data.train, data.dev, theirs.train, theirs.dev)
    seen = {folded(row.input) for part in parts for row in part}
    fresh = tuple(row for row in rows if folded(row.input) not in seen)
    shares = old.task.use.strata
    strange = sorted({row.stratum for row in fresh} - shares.keys()) if shares else []
    if strange:
        where, got = str(terms.data or old.task.source), f"rows of the kind {strange[0]!r}"
        raise DataError([Problem(where, got, f"kinds with a share in {old.task.source}")])
    return fresh, len(rows) - len(fresh)


def _refuse_few(rows: Sequence[Sample], terms: Terms, error: float, old: Certified) -> None:
    grouped = any(row.group for row in rows)
    units = len({row.unit for row in rows})
    wanted = least_units(terms.margin, error, exact=not (grouped or old.task.use.strata))
    if units < wanted:
        got = f"{units} rows that no training has seen" + (", groups counted once" * grouped)
        need = f"{wanted} or more: with fewer not even equal answers show a margin of"
        fix = "Label more rows (--data FILE), or widen the margin (--margin)."
        where = str(terms.data or old.task.source.resolve())
        raise DataError([Problem(where, got, f"{need} {terms.margin:g}", fix)])


def _tighter(new: Certified, old: Certified) -> dict[str, float]:
    """Return the tighter of the limits that both were certified with."""
    found: dict[str, float] = {}
    for name in LIMITS:
        values = [plan.gate.get(name) for plan in (new.plan, old.plan)]
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        found |= {name: min(numbers)} if numbers else {}
    return found


def _forgotten(champion: Asked, candidate: Asked, terms: Terms) -> tuple[Forgetting, ...]:
    """Compare the fixed prompts with the champion, and with the base under the adapter.

    The base decides where the champion cannot be asked; else it is told.
    """
    if candidate.plain is None:
        return ()
    found, margin = [], terms.forgetting_margin
    if champion.plain is not None:
        found.append(forgotten(champion.plain, candidate.plain, of_base=False, margin=margin))
    if candidate.base_plain is not None:
        found.append(forgotten(candidate.base_plain, candidate.plain, of_base=True, margin=margin))
    return tuple(
        one.but(check=one.check.but(decides=at == 0 and not terms.may_forget))
        for at, one in enumerate(found)
    )
