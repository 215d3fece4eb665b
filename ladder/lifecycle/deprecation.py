"""`ladder deprecate`: from a model that will end to its replacement, in steps that are done once.

freeze -> dual run -> non-inferiority -> cut-over -> retention. Each leaves one record in the
registry; the next call goes on with the first step that has none. To add a step: a name in
`evidence.registry.StepName`, a function, and a line in `STEPS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ladder.errors import Problem, StateError, TaskError
from ladder.evidence import ASSESSMENT, Announced, Promoted, StepName, Stepped
from ladder.files import file_digest
from ladder.lifecycle.alpha_spending import LIFE_DAYS
from ladder.lifecycle.plan import PLAN
from ladder.lifecycle.production import Production, cited, in_production
from ladder.lifecycle.promotion import (
    CertifiedRun,
    NotPromotedError,
    Wish,
    check_command,
    production_of,
    promote,
)
from ladder.lifecycle.registry import Registry, now, read_registry, record
from ladder.lifecycle.rehearsal import Rehearsal, rehearse
from ladder.progress import Watch
from ladder.report.kept import SAMPLES
from ladder.trust.code import Granted

DUAL_ROWS = 50

Check = Callable[[Path, Path], str]
"""(candidate's run, champion's run) -> digest of the release record that passed.

Raises NotPromotedError where none did, with the command that makes one."""


@dataclass(frozen=True)
class Move:
    """A replacement under way."""

    path: Path
    """Of the registry."""
    old: Promoted
    new: CertifiedRun
    check: Check
    watch: Watch
    wish: Wish
    granted: Granted = "trusted"

    @property
    def old_run(self) -> Path:
        """The folder of the run that is replaced."""
        return (self.path.parent / self.old.place).resolve()


@dataclass(frozen=True)
class Done:
    """What a step leaves."""

    facts: Mapping[str, str | float | int] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)


def announce(path: Path, name: str, ends: str, told: str, by: str = "") -> Announced:
    """Note when the model of what is in production ends, and when that was told.

    Args:
        path: the registry.
        name: of the model in it.
        ends: date of the end, ISO 8601.
        told: date of the announcement; empty: today.
        by: who notes it.

    Raises:
        TaskError: a date is none, or the end is before its announcement.
        StateError: nothing is in production under that name.
    """
    told = told or datetime.now(UTC).date().isoformat()
    wrong = [p for p in (_no_date("--ends", ends), _no_date("--told", told)) if p]
    if not wrong and date.fromisoformat(ends) < date.fromisoformat(told):
        wrong = [Problem("--ends", ends, f"a date after {told}, when it was told")]
    if wrong:
        raise TaskError(wrong)

    production_of(read_registry(path), name)

    def decide(registry: Registry) -> Announced:
        model = production_of(registry, name).champion.model
        if not model:
            raise StateError(f"{name} needs no language model: none of it can be taken away")
        days = {"ends": date.fromisoformat(ends), "told": date.fromisoformat(told)}
        return Announced(name=name, at=now(), by=by, model=model, **days)

    return record(path, decide)


def _no_date(where: str, text: str) -> Problem | None:
    try:
        date.fromisoformat(text)
    except ValueError:
        return Problem(where, f"`{text}`", "a date: 2027-03-31")
    return None


def begin(path: Path, name: str, new: CertifiedRun) -> tuple[Promoted, Production]:
    """Return what a replacement replaces, and what is in production.

    After the cut-over that is no longer the champion: the first step's record says what it was.

    Raises:
        StateError: nothing is in production under that name, or it is this very run.
    """
    found = production_of(read_registry(path), name)
    steps = found.done(new.system.plan)
    frozen = steps.get("freeze")
    if found.champion.system.plan != new.system.plan:
        return found.champion, found
    if frozen is None:
        raise StateError(f"{name}: {new.run} is in production already: name its replacement")
    old = next(one for one in found.stack if one.system.plan == frozen.old.plan)
    return old, found


def carry_out(move: Move) -> Iterator[tuple[StepName, Stepped, bool]]:
    """Do the steps that are left, one by one; yield each step's record, and if it is new.

    Raises:
        NotPromotedError: a step cannot be done yet; those before it are kept.
    """
    name = move.old.name
    for step, do in STEPS.items():
        found = in_production(read_registry(move.path).entries)[name]
        done = found.done(move.new.system.plan).get(step)
        if done is not None and done.old.plan == move.old.system.plan:
            yield step, done, False
            continue
        left = do(move)
        yield step, _keep(move, step, left), True


def _keep(move: Move, step: StepName, left: Done) -> Stepped:
    def decide(_: Registry) -> Stepped:
        return Stepped(
            name=move.old.name,
            at=now(),
            by=move.wish.by,
            step=step,
            old=move.old.system,
            new=move.new.system,
            facts=dict(left.facts),
            kept=dict(left.kept),
        )

    return record(move.path, decide)


def _freeze(move: Move) -> Done:
    """Take the digests of what the old system answered: it cannot be asked for ever."""
    run = move.old_run
    if not (run / PLAN).is_file() or file_digest(run / PLAN) != move.old.system.plan:
        raise StateError(f"{run}: not the run that was promoted. Put the original folder back")
    files = _files_of(run)
    if not any(name.endswith(SAMPLES) for name in files) and move.old.model:
        fix = "Assess the old model once more while it answers: ladder assess"
        raise NotPromotedError(f"{run}: it has kept no answers to compare with. {fix}")
    return Done({"files": len(files)}, files)


def _files_of(run: Path) -> dict[str, str]:
    """Return name -> digest of the run's records: plan, assessment, kept answers, checks."""
    named = [run / PLAN, run / ASSESSMENT, *run.glob("*.jsonl"), *run.glob(f"*/{SAMPLES}")]
    return {str(path.relative_to(run)): file_digest(path) for path in named if path.is_file()}


def _dual_run(move: Move) -> Done:
    """Ask both systems the same rows on the same day; an old one that is gone is noted.

    Raises:
        NotPromotedError: the new one is not what was certified.
    """
    old = rehearse(move.old_run / PLAN, move.watch, move.granted, DUAL_ROWS)
    new = rehearse(move.new.path, move.watch, move.granted, DUAL_ROWS)
    if new.findings:
        raise NotPromotedError(f"{move.new.run}: {'; '.join(new.findings)}. Mend that first")
    return Done({**_sides(old, new), "old_findings": "; ".join(old.findings)})


def _sides(old: Rehearsal, new: Rehearsal) -> dict[str, str | float | int]:
    both = (old.answers or {}).keys() & (new.answers or {}).keys()
    found: dict[str, str | float | int | None] = {
        "rows": len(both),
        "same": sum((old.answers or {})[row] == (new.answers or {})[row] for row in both),
        "old_score": old.score_now,
        "new_score": new.score_now,
    }
    return {key: value for key, value in found.items() if value is not None}


def _non_inferior(move: Move) -> Done:
    """Take the release check of the two; one that an earlier promotion cites counts no more."""
    release = move.check(move.new.run, move.old_run)
    registry = read_registry(move.path)
    champion = production_of(registry, move.old.name).champion
    if release in cited(registry.entries) and champion.system.plan != move.new.system.plan:
        command = check_command(move.new.run, move.old_run)
        raise NotPromotedError(
            f"{move.new.run}: its release check was used up by a promotion that was rolled back. "
            f"Run it anew: {command}"
        )
    return Done({"release": release})


def _cut_over(move: Move) -> Done:
    """Promote the replacement, if nobody has by now."""
    champion = production_of(read_registry(move.path), move.old.name).champion
    if champion.system.plan != move.new.system.plan:
        wish = replace(
            move.wish,
            name=move.old.name,
            registry=move.path,
            production=move.old.production,  # what held for the old one holds for the new
        )
        champion = promote(move.new.run, wish)
    return Done({"release": champion.release or ""})


def _retain(move: Move) -> Done:
    """Name what is kept of the old system, and until when: answers given have to be explained."""
    until = datetime.now(UTC).date() + timedelta(days=LIFE_DAYS)
    place = os.path.relpath(move.old_run, move.path.resolve().parent)
    return Done({"until": until.isoformat(), "place": place}, _files_of(move.old_run))


STEPS: Mapping[StepName, Callable[[Move], Done]] = {
    "freeze": _freeze,
    "dual run": _dual_run,
    "non-inferiority": _non_inferior,
    "cut-over": _cut_over,
    "retention": _retain,
}
