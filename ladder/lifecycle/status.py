"""`ladder status`: how certified answers stand, also when nothing has checked them: silence alarms.

It reads what lies beside the plans, asks no model, and is made to run elsewhere than the checks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from ladder.errors import LadderError, StateError
from ladder.evidence import AlarmName, Happening, PlanStanding, RevalidationPlan, Standing
from ladder.files import file_digest, problem_of, read_text
from ladder.json_values import from_json
from ladder.lifecycle.history import History, history_of, moment_of
from ladder.lifecycle.plan import PLAN, find_plan, load_plan
from ladder.lifecycle.registry import REGISTRY
from ladder.wording import harmless

IN_PRODUCTION = ("promoted", "rolled back")
LEVELS = 3
"""Folders below the one that is named in which a run may lie: runs/<task>/<time>."""
GRACE_DAYS = 14
"""A revalidation is overdue when two weekly ticks have missed it."""


@dataclass(frozen=True)
class Limits:
    """From when on what is seen is an alarm."""

    max_age: timedelta = timedelta(days=100)
    """Since the last check."""
    ends_within: timedelta = timedelta(days=90)


def status_of(
    paths: Sequence[Path], now: datetime, limits: Limits, *, every: bool = False
) -> Standing:
    """Return how the plans in folders stand.

    Of each task the plan in production counts, where the folder's registry names one; else the
    newest. A plan that is named itself always counts.

    Args:
        paths: folders of runs, runs, or plans.
        now: the time, UTC.
        limits: of what is no alarm.
        every: whether superseded plans count too.

    Raises:
        StateError: there is no plan, or no such folder.
    """
    plans: dict[Path, bool | None] = {}
    missing: list[str] = []
    notes: list[str] = []
    for path in paths:
        found = _found_in(path, notes)
        named, gone = _in_production(path, found, notes)
        missing += gone
        chosen = found if every or not path.is_dir() else named or _newest(found)
        plans |= {plan: plan in named if named else None for plan in chosen}
    if not plans and not missing and not notes:
        places = ", ".join(map(str, paths))
        raise StateError(f"{places}: no {PLAN} below it. Name the folder of your runs, or a plan.")
    stand = [_status(path, load_plan(path), now, limits, used) for path, used in plans.items()]
    stand.sort(key=lambda each: (not each.alarms, each.task, each.plan))
    at = now.isoformat(timespec="seconds")
    return Standing(at=at, plans=tuple(stand), missing=tuple(missing), notes=tuple(notes))


def _found_in(path: Path, notes: list[str]) -> dict[Path, RevalidationPlan]:
    """Return the plans in a folder; one that cannot be read is a note.

    Raises:
        StateError: there is no such folder.
        TaskError: what is named itself is no plan.
    """
    if not path.exists():
        fix = "Go to where your runs are, or name their folder, a run, or a plan."
        raise StateError(f"{path.absolute()}: no such file or folder. {fix}")
    if not path.is_dir() or (path / PLAN).is_file():
        plan = find_plan(path)
        return {plan: load_plan(plan)}
    found = {}
    for plan in _plans_below(path, notes):
        try:
            found[plan] = load_plan(plan)
        except LadderError as error:
            notes.append(str(error))
    return found


def _plans_below(path: Path, notes: list[str]) -> Iterator[Path]:
    """Yield the plans of runs in a folder; a folder that cannot be looked into is a note.

    Its plans would count as none, and nobody would miss them.
    """

    def unlisted(error: OSError) -> None:
        notes.append(str(problem_of(Path(error.filename), error, "a folder of runs to look into")))

    for name, below, files in os.walk(path, onerror=unlisted, followlinks=True):
        level = len(Path(name).relative_to(path).parts)
        below[:] = sorted(below) if level < LEVELS - 1 else []
        if level and PLAN in files:
            yield Path(name) / PLAN


def _newest(found: dict[Path, RevalidationPlan]) -> list[Path]:
    """Return the plan of each task that was certified last."""
    newest: dict[str, Path] = {}
    for path in sorted(found, key=lambda each: moment_of(found[each].created)):
        newest[os.path.normpath(path.parent.absolute() / found[path].task)] = path
    return list(newest.values())


def _in_production(
    path: Path, found: dict[Path, RevalidationPlan], notes: list[str]
) -> tuple[list[Path], list[str]]:
    """Return the plans that the folder's registry has in production, and names without a plan."""
    registry = path / REGISTRY
    if not path.is_dir() or not registry.exists():
        return [], []
    current: dict[str, str] = {}
    text = read_text(registry, "the registry", lambda problems: StateError(str(problems[0])))
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            values = from_json(line) if line.strip() else {}
            if values.get("kind") in IN_PRODUCTION:
                current[str(values["name"])] = str(values["system"]["plan"])
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            said = f"{type(error).__name__}: {error}"[:100]
            notes.append(harmless(f"{registry}:{number}: no line of the registry ({said})"))
    digests = {file_digest(plan): plan for plan in found}
    here = [digests[digest] for digest in current.values() if digest in digests]
    return here, [harmless(name) for name, digest in current.items() if digest not in digests]


def _status(
    path: Path, plan: RevalidationPlan, now: datetime, limits: Limits, used: bool | None
) -> PlanStanding:
    history = history_of(path.parent)
    past = [each for each in history.happenings if moment_of(each.at) <= now]
    created = moment_of(plan.created)
    checks = [each for each in past if each.kind != "release"]
    revalidated = [moment_of(each.at) for each in past if each.kind == "revalidation"]
    certified = [created] if created <= now else []
    last = max([*certified, *(moment_of(each.at) for each in checks)], default=created)
    kind = checks[-1].kind if checks and moment_of(checks[-1].at) == last else None
    due = max([*certified, *revalidated], default=created).date() + timedelta(plan.every_days)
    ends = next((each.ends for each in reversed(past) if each.ends), None)
    left = (date.fromisoformat(ends) - now.date()).days if ends else None
    still = (*_still_open(checks), *_open_ahead(history, now))
    alarms: list[tuple[AlarmName, bool]] = [
        ("silent", now - last > limits.max_age or last > now),
        ("overdue", (now.date() - due).days > GRACE_DAYS),
        ("found", bool(still)),
        ("ends", left is not None and 0 <= left <= limits.ends_within.days),
        ("ended", left is not None and left < 0),
        ("unreadable", bool(history.unreadable)),
    ]
    return PlanStanding(
        plan=str(path),
        task=path.absolute().parent.parent.name,
        created=plan.created,
        in_production=used,
        proven=plan.proven,
        last=last.isoformat(timespec="seconds"),
        last_kind=kind or "certification",
        age_days=(now - last).days,
        due=due.isoformat(),
        open=still,
        ends=ends,
        ends_in_days=left,
        alarms=tuple(name for name, holds in alarms if holds),
        notes=(*history.unreadable, *_of_the_future(path, plan, history, now)),
    )


def _still_open(checks: Sequence[Happening]) -> Iterator[Happening]:
    """Yield what found something, and nothing came after.

    A revalidation that held answers what was found before it, drift only where it read fresh rows:
    the certified ones say nothing of traffic that has moved away from them. A look at drift, or at
    the model, that found nothing answers those of its own kind alone.
    """
    held = [each for each in checks if each.kind == "revalidation" and each.held]
    for each in {each.kind: each for each in checks}.values():  # the last of each kind
        answers = (one.at for one in held if one.fresh or each.kind != "drift")
        if not each.held and each.at > max(answers, default=""):
            yield each


def _open_ahead(history: History, now: datetime) -> Iterator[Happening]:
    """Yield what found something by a clock that stood ahead, and no line came after.

    Its date does not count, and what it found does.
    """
    for each in history.last:
        if not each.held and each.kind != "release" and moment_of(each.at) > now:
            yield each


def _of_the_future(
    path: Path, plan: RevalidationPlan, history: History, now: datetime
) -> Iterator[str]:
    """Say which dates lie after now: the clock went back, or was wrong."""
    fix = "so it does not count. Set the clock, or fix the line."
    if moment_of(plan.created) > now:
        yield harmless(f"{path}: created {plan.created} lies in the future, {fix}")
    for each in history.happenings:
        if moment_of(each.at) > now:
            yield harmless(f"{path.parent}: the {each.kind} of {each.at} lies in the future, {fix}")
