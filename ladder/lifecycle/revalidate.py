"""Measure a certified answer again and compare it with its record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ladder.artefacts.inspection import canary_finding
from ladder.audit.ledger import note_lines, refuse_unready
from ladder.climb.opening import COMPLETIONS, open_bench
from ladder.engines.base import here
from ladder.engines.local import LocalEngine
from ladder.errors import GO_ON, NoVerdictError, PassportError
from ladder.evaluation.control import measure_way
from ladder.evaluation.measure import measure
from ladder.evidence import Measurement, RevalidationPlan, Rotation, Verdict
from ladder.files import append_line, clear_disk_errors, private_folder
from ladder.lifecycle.alpha_spending import LEAST, LIFE_DAYS, error_of_check
from ladder.lifecycle.checks import RECORD as RECORD
from ladder.lifecycle.checks import Check, checks_so_far
from ladder.lifecycle.in_turn import in_turn
from ladder.lifecycle.own_rows import with_own_rows
from ladder.lifecycle.plan import (
    day_of,
    learn_abilities,
    load_plan,
    pins,
    refuse_other_endpoint,
    task_of,
    with_secrets,
)
from ladder.lifecycle.rotation import FOLDER as ROTATED
from ladder.lifecycle.rotation import RECORD as ROTATIONS
from ladder.lifecycle.rotation import rotate, rotated, rotations_so_far
from ladder.progress import Watch
from ladder.report.limits import limit_reason
from ladder.rungs.protocol import Bench
from ladder.task import Task
from ladder.trust.code import Granted

CHECKS = "revalidations"
UNFINISHED = "unfinished"
UNDER_WAY = (
    "another check of this plan is under way, and two at once would spend one error budget twice. "
    "Wait until it has ended."
)


@dataclass(frozen=True)
class Revalidation:
    """What a check found."""

    measurement: Measurement | None
    """None where the artefact is refused: it is not what its passport says."""
    verdict: Verdict | None
    changed_pins: tuple[str, ...]
    findings: tuple[str, ...]
    """Reasons to act; none means that the answer still holds."""
    error: float = 0.0
    """What this check spends of the plan's error budget (`lifecycle.alpha_spending`)."""
    openings: int = 0
    """How often the plan's eval examples were read, certification and this check included."""
    fresh: int = 0
    """Eval examples that no check, and not the certification, has read before."""
    rotation: Rotation | None = None
    """The examples that this check exchanged."""


def is_due(path: Path, plan: RevalidationPlan, today: date) -> bool:
    """Tell whether `every_days` have passed since the certification or the last check."""
    past = [day for day, _ in _days(path, plan) if day <= today]
    return not past or (today - max(past)).days >= plan.every_days


def from_the_future(path: Path, plan: RevalidationPlan, today: date) -> list[str]:
    """Name the dates after today in a plan and its record: no date of theirs is gone by."""
    return [
        f"{where}: {day} lies in the future, so it does not count. Set the clock, or fix the line."
        for day, where in _days(path, plan)
        if day > today
    ]


def _days(path: Path, plan: RevalidationPlan) -> Iterator[tuple[date, str]]:
    """Yield the days of the certification and of every check, and where each is written."""
    yield day_of(plan.created), f"{path}: created"
    yield from ((check.day, check.where) for check in checks_so_far(path))


def revalidate(
    path: Path,
    watch: Watch,
    granted: Granted = "trusted",
    *,
    rotate_in: Path | None = None,
    task_file: Path | None = None,
) -> Revalidation:
    """Measure the plan's candidate on its eval examples, with nothing taken from the cache.

    The eval examples are read whole: a scheduled check has a fixed n. Leaves one line in
    revalidations.jsonl beside the plan.

    Args:
        path: the plan.
        watch: sees progress.
        granted: what of the code that the task names may run (`ladder.trust.code`).
        rotate_in: file of fresh labelled rows, which take the place of a part of the examples
            before they are read.
        task_file: the task, where it is not the one that the plan names.

    Raises:
        NoVerdictError: too many requests failed to tell; nothing is recorded.
        DataError: the fresh rows are wrong, or none of them is fresh.
        StateError: another check of the plan is under way, or the record cannot be read.
        TaskError: the plan or its task is wrong, or the plan asks a model that the task does not.
    """
    refuse_unready(path.parent)
    plan = load_plan(path)
    task = task_of(path, plan, granted, task_file)
    plan = with_secrets(plan, path, task)
    refuse_other_endpoint(path, plan, task)
    with in_turn(path.parent / CHECKS, f"{path}: {UNDER_WAY}"):
        return _checked(path, plan, task, watch, rotate_in)


def _checked(
    path: Path, plan: RevalidationPlan, task: Task, watch: Watch, rotate_in: Path | None
) -> Revalidation:
    """Check a plan that nobody else checks meanwhile, and leave its line."""
    stamp = datetime.now(UTC)
    before = checks_so_far(path)
    spent = [(check.day, check.error) for check in before]
    error = error_of_check(day_of(plan.created), stamp.date(), spent)
    with _own_folder(path.parent / CHECKS, stamp) as folder:
        bench = open_bench(task, folder, watch, cache=folder / COMPLETIONS)
        done = rotate(path, bench, rotate_in, stamp) if rotate_in else None
        bench = _with_kept(bench, path, plan)
        try:
            learn_abilities(bench, plan)
            result = _measured_again(bench, plan, error)
            read = 2 + sum(check.measured for check in before)
            result = replace(result, error=error, openings=read, fresh=_unread(path, before))
        except PassportError as refused:
            result = Revalidation(None, None, (), (f"the artefact is refused: {refused}",))
        bench.evaluator.models.cache.close()
        result = replace(result, rotation=done)
        append_line(path.parent / RECORD, json.dumps(as_record(result, stamp)))
    _note(path, result)
    return result


def _with_kept(bench: Bench, path: Path, plan: RevalidationPlan) -> Bench:
    """Return a bench with the eval examples of today, and the rows that the answer reads."""
    own = with_own_rows(bench.data, path, plan)
    data = replace(own, gate=rotated(path, bench.data.gate).rows)
    if data == bench.data:
        return bench
    return replace(bench, evaluator=bench.evaluator.with_data(data))


def _unread(path: Path, before: Sequence[Check]) -> int:
    """Return how many eval examples came in that no check has read yet."""
    came_in = sum(each.fresh for each in rotations_so_far(path))
    return came_in - sum(check.fresh for check in before if check.measured)


@contextmanager
def _own_folder(checks: Path, now: datetime) -> Iterator[Path]:
    """Give a check its folder: that of one which was stopped today, else a new one.

    A check takes no answer of another that ended. While it is under way, it has `unfinished`
    in its folder, which is gone once its line is written: of one that found the disk full in the
    end, no answer is asked again.
    """
    with clear_disk_errors(checks):
        stopped = sorted(checks.glob(f"{now:%Y-%m-%d}T*/{UNFINISHED}"))
        new = checks / f"{now:%Y-%m-%dT%H%M%S.%f}Z" / UNFINISHED
        mark = stopped[0] if stopped else new
        private_folder(mark.parent)
        mark.touch(mode=0o600)
    yield mark.parent
    mark.unlink()


def _measured_again(bench: Bench, plan: RevalidationPlan, error: float) -> Revalidation:
    candidate, left = plan.candidate, max(error, LEAST)
    if candidate is None:
        measurement, verdict = measure_way(bench.evaluator, plan.control, left)
    else:
        measurement, verdict, _ = measure(
            bench.evaluator,
            candidate,
            bench.data.gate,
            all_rows=True,
            title="revalidating",
            error=left,
        )
    if verdict.status == "none":
        reason = "; ".join(
            limit_reason(limit) for limit in verdict.limits if limit.verdict == "none"
        )
        words = f" (most often: {measurement.commonest_error})" if measurement.errors else ""
        raise NoVerdictError(
            f"No verdict: {reason}{words}. This does not count as a check. {GO_ON}"
        )
    changed = changed_pins(bench, plan)
    found = findings(plan, measurement, verdict, changed)
    if not error:
        found.append(f"its error budget of {LIFE_DAYS} days is spent: certify the answer anew")
    engine = here(bench.evaluator.engine(candidate).engine) if candidate else None
    moved = canary_finding(engine) if isinstance(engine, LocalEngine) else None
    return Revalidation(measurement, verdict, changed, (*found, *([moved] if moved else [])))


def changed_pins(bench: Bench, plan: RevalidationPlan) -> tuple[str, ...]:
    """Return the names of pinned things that differ now."""
    now = pins(bench, plan.candidate)
    names = sorted(plan.pinned.keys() | now.keys())
    own = {"data: train"} if plan.train is not None else set()  # it goes on with its own
    return tuple(
        name for name in names if plan.pinned.get(name) != now.get(name) and name not in own
    )


def findings(
    plan: RevalidationPlan, measured: Measurement, verdict: Verdict, changed: tuple[str, ...]
) -> list[str]:
    """Return the reasons to act on what a check measured. Pure.

    The score fell where its upper bound, at the error of this check, lies below the certified
    interval (`lifecycle.alpha_spending`).
    """
    found = []
    high = measured.score.high
    for limit in verdict.limits:
        if limit.verdict in ("fail", "none"):
            found.append(f"{limit.limit} is missed: {limit_reason(limit)}")
        if limit.limit == "min_score" and limit.high is not None:
            high = limit.high
    before, now = plan.baseline.gate_rows, measured.score
    if high < before.low:
        found.append(
            f"the score fell from {before.mean:.3f} ({before.low:.3f}–{before.high:.3f}) "
            f"to {now.mean:.3f} ({now.low:.3f}–{now.high:.3f})"
        )
    if changed:
        found.append(f"changed since the certification: {', '.join(changed)}")
    return found


def as_record(result: Revalidation, at: datetime) -> dict[str, Any]:
    """Return a check as a line of revalidations.jsonl has it."""
    return {
        "at": at.isoformat(timespec="seconds"),
        "score": result.measurement.score.model_dump() if result.measurement else None,
        "verdict": result.verdict.status if result.verdict else None,
        "changed": list(result.changed_pins),
        "findings": list(result.findings),
        "error": result.error,
        "openings": result.openings,
        "fresh": result.fresh,
    }


def _note(path: Path, result: Revalidation) -> None:
    rotation = [ROTATIONS] if result.rotation else []
    folders = (CHECKS, *([ROTATED] if result.rotation else []))
    facts = {"findings": len(result.findings), "openings": result.openings}
    note_lines(path.parent, "revalidation", (RECORD, *rotation), folders, facts)
