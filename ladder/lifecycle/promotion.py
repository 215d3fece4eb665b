"""`ladder promote` and `ladder rollback`: what goes into production, and what comes back.

A promotion cites a release check that passed, of these two plans as they are on disk now, or it is
refused. The check and the record are one step under a lock: of two promotions at once one wins, and
the other finds another champion than its release check knew.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ladder.errors import LadderError, Problem, StateError, TaskError
from ladder.evidence import (
    ASSESSMENT,
    CONTROL,
    Assessment,
    Promoted,
    RevalidationPlan,
    RolledBack,
    System,
)
from ladder.files import digest_of, file_digest, read_text, refused_as
from ladder.json_values import from_json
from ladder.lifecycle.notices import alias_fault
from ladder.lifecycle.plan import find_plan, load_plan, system_of
from ladder.lifecycle.production import Production, cited, in_production, place_of
from ladder.lifecycle.registry import Registry, now, read_registry, record, registry_of
from ladder.report.reading import read_assessment

RELEASES = "releases.jsonl"
"""Beside the candidate's plan; `ladder release check` writes it."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""As of tasks."""


class NotPromotedError(LadderError):
    """What would have to be shown before an answer goes into production is not."""


@dataclass(frozen=True)
class CertifiedRun:
    """A run with its plan, as it is on disk."""

    path: Path
    """Of the plan."""
    plan: RevalidationPlan
    assessment: Assessment

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.path.resolve().parent

    @property
    def system(self) -> System:
        """What a record says of it."""
        return system_of(self.path, self.plan, self.assessment.task.name)

    @property
    def model(self) -> str:
        """The reference of its model; empty: no language model."""
        return str(self.plan.candidate.model) if self.plan.candidate else ""


def read_certified(run: Path) -> CertifiedRun:
    """Read a run that left a plan.

    Raises:
        TaskError: it left none, or the file is none.
        DataError: its assessment cannot be read.
    """
    path = find_plan(run)
    plan = load_plan(path)
    return CertifiedRun(path, plan, read_assessment(path.parent / ASSESSMENT)[0])


@dataclass(frozen=True)
class Wish:
    """What is asked for beside the run itself."""

    name: str = ""
    """In the registry; empty: the task's."""
    registry: Path | None = None
    """Default: beside the runs."""
    production: bool = False
    """Refuse a model that its provider can move."""
    by: str = ""
    owner: str = ""
    fallback: str = ""


def promote(run: Path, wish: Wish) -> Promoted:
    """Put a certified answer into production under a name.

    Raises:
        NotPromotedError: what must be shown first, and the command that shows it.
        StateError: the registry, or the record of release checks, is broken or cannot be written.
        TaskError, DataError: the run is not there, or is no run.
    """
    found = read_certified(run)
    if wish.production and (fault := alias_fault(found.model)):
        fix = "Name it in the task and assess anew"
        raise NotPromotedError(f"not for production: {fault}. {fix}: ladder assess")
    name = wish.name or found.assessment.task.name
    _refuse_strange_name(name)
    measured = _measured(found)
    if wish.fallback and wish.fallback not in measured:
        wanted = (
            f"a rung beside the answer that {found.run} measured: {', '.join(measured) or 'none'}"
        )
        fix = "" if measured else "Leave --fallback out."
        raise TaskError([Problem("--fallback", f"`{wish.fallback}`", wanted, fix)])
    path = wish.registry or registry_of(found.run)

    def decide(registry: Registry) -> Promoted:
        before = in_production(registry.entries).get(name)
        entry = Promoted(
            name=name,
            at=now(),
            by=wish.by,
            system=found.system,
            place=os.path.relpath(found.run, path.resolve().parent),
            rung=found.plan.candidate.rung if found.plan.candidate else CONTROL,
            model=found.model,
            production=wish.production,
            owner=wish.owner or (before.champion.owner if before else ""),
            fallback=wish.fallback or _still_measured(before, measured),
        )
        if before is None:
            _refuse_unconfirmed(found)
            return entry
        champion = before.champion
        if champion.system.plan == entry.system.plan:
            raise NotPromotedError(f"{name}: {found.run} is in production already")
        release, checks = _release(registry, found, champion, path)
        return entry.but(release=release, checks=checks, previous=champion.system)

    return record(path, decide)


def _measured(found: CertifiedRun) -> tuple[str, ...]:
    """Return what a run has figures of beside its answer: what one could fall back to."""
    answer = found.plan.candidate.rung if found.plan.candidate else CONTROL
    rungs = [each.rung for each in found.assessment.attempts if each.measurement]
    control = [CONTROL] if found.assessment.control else []
    return tuple(each for each in (*control, *rungs) if each != answer)


def _still_measured(before: Production | None, measured: tuple[str, ...]) -> str:
    """Return the fallback of the champion before, where the new run has figures of it too."""
    kept = before.champion.fallback if before else ""
    return kept if kept in measured else ""


def _refuse_strange_name(name: str) -> None:
    if not NAME.fullmatch(name):
        wanted = "letters, digits, `.`, `_` and `-`, 64 at most: it names folders elsewhere"
        raise TaskError([Problem("--name", f"`{name}`", wanted)])


def _refuse_unconfirmed(found: CertifiedRun) -> None:
    said = found.assessment.recommendation
    words = {
        None: "was not read",
        "fail": "refutes the answer",
        "none": "gave no verdict: too many requests failed",
    }
    if said.confirmed_verdict != "pass":
        why = words.get(said.confirmed_verdict, "neither confirms nor refutes the answer")
        fix = f"Give it more test examples and assess anew: ladder assess {_task_file(found)}"
        raise NotPromotedError(f"{found.run}: the test set {why}. {fix}")
    if found.plan.baseline.sealed_rows != said.confirmed:
        fix = "One of the two was changed: put the original back, or assess anew"
        where = f"{found.path} and {ASSESSMENT} give other scores of the test set"
        raise NotPromotedError(f"{where}. {fix}: ladder assess {_task_file(found)}")


def _task_file(found: CertifiedRun) -> str:
    return shlex.quote(os.path.normpath(found.run / found.plan.task))


def _release(
    registry: Registry, found: CertifiedRun, champion: Promoted, path: Path
) -> tuple[str, int]:
    """Return the digest of the release record to cite, and how many checks of the pair there are.

    The last check of the pair decides: nobody repeats one until it passes and cites an older one.
    """
    place = path.parent / champion.place
    refuse_changed(champion, place)
    releases = releases_of(found.run, found.system.plan, champion.system.plan)
    command = check_command(found.run, place)
    if not releases:
        raise NotPromotedError(
            f"{champion.name}: no release check of {found.run} as it is now against what is in "
            f"production, {champion.place}. Run: {command}"
        )
    last = releases[-1]
    if last.get("passed") is not True:
        raise NotPromotedError(
            f"{champion.name}: the last release check of {found.run} did not pass. Mend what it "
            f"names, and run: {command}"
        )
    digest = digest_of(last)
    if digest in cited(registry.entries):
        raise NotPromotedError(
            f"{champion.name}: its release check was used up by an earlier promotion, which was "
            f"rolled back. Run it anew: {command}"
        )
    return digest, len(releases)


def check_command(candidate: Path, champion: Path) -> str:
    """Return the release check's command."""
    words = ("ladder", "release", "check", str(candidate), "--against", str(champion))
    return shlex.join(words)


def releases_of(run: Path, candidate: str, champion: str) -> list[dict[str, Any]]:
    """Return the release records of a pair, as they stand in the file, the last one last.

    Args:
        run: the candidate's folder.
        candidate: digest of its plan.
        champion: digest of the champion's plan.

    Raises:
        StateError: a line cannot be read.
    """
    path = run / RELEASES
    if not path.exists():
        return []
    what, fix = "the record of release checks", "Move it away, and check the release anew."
    text = read_text(path, what, refused_as(what, fix))
    found = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        try:
            values = from_json(line)
            pair = values["candidate"]["plan"], values["champion"]["plan"]
        except (ValueError, LookupError, TypeError, RecursionError):
            fix = "Take the line out, and check the release anew if it was the last."
            raise StateError(f"{path}:{number}: no release record. {fix}") from None
        if pair == (candidate, champion):
            found.append(values)
    return found


def refuse_changed(promoted: Promoted, place: Path) -> None:
    """Refuse a system whose plan is not what was promoted.

    Raises:
        StateError: it is not there, or was changed.
    """
    path = find_plan(place)
    if not path.is_file():
        fix = "Put the run's folder back, or roll back to another: ladder rollback NAME --to RUN"
        raise StateError(f"{place}: the run of {promoted.name} is not there. {fix}")
    if file_digest(path) != promoted.system.plan:
        fix = "Put the original back: nothing vouches for another"
        raise StateError(f"{path}: not the plan that was promoted as {promoted.name}. {fix}")


def production_of(registry: Registry, name: str) -> Production:
    """Return what is in production under a name.

    Raises:
        StateError: nothing is.
    """
    known = in_production(registry.entries)
    if name not in known:
        names = ", ".join(known) or "none"
        no_file = "" if registry.path.exists() else " (there is no such file: --registry FILE)"
        said = f"nothing is in production as {name}; there are: {names}"
        raise StateError(f"{registry.path}: {said}{no_file}")
    return known[name]


def target_of(found: Production, path: Path, to: Path | None) -> Promoted:
    """Return what a rollback leads to, its plan as it was promoted.

    Args:
        found: what is in production.
        path: of the registry.
        to: the run; default: the one before the champion.

    Raises:
        StateError: there is none before, the run was never there, or it was changed.
    """
    name, target = found.champion.name, found.before
    if to is not None:
        plan = find_plan(to)
        system = found.champion.system.but(plan=file_digest(plan) if plan.is_file() else "")
        at = place_of(found, system)
        target = found.stack[at] if at >= 0 else None
        if target is None:
            below = ", ".join(one.place for one in reversed(found.stack[:-1])) or "none"
            raise StateError(
                f"{name}: {to}, as it is now, was not in production before what is; "
                f"there are: {below}. What was rolled back comes again by: ladder promote"
            )
    if target is None:
        rung = found.champion.fallback
        whose = (
            f"Its fallback is the rung {rung}: promote a run of it"
            if rung
            else ("No fallback rung was named: promote another certified run")
        )
        fix = f"{whose} under another name: ladder promote RUN --name OTHER"
        raise StateError(f"{name}: nothing was in production before {found.champion.place}. {fix}")
    refuse_changed(target, path.parent / target.place)
    return target


def roll_back(path: Path, name: str, to: Path | None = None, by: str = "") -> RolledBack:
    """Put what was in production before back there; one more record, and nothing is deleted.

    Raises:
        StateError: nothing was, it was changed, or the registry cannot be written.
    """
    production_of(read_registry(path), name)  # no folder is made for a registry of a wrong name

    def decide(registry: Registry) -> RolledBack:
        found = production_of(registry, name)
        target = target_of(found, path, to)
        return RolledBack(
            name=name,
            at=now(),
            by=by,
            system=target.system,
            place=target.place,
            previous=found.champion.system,
        )

    return record(path, decide)
