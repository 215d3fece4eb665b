"""Measure a certified answer again and compare it with its record."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ladder.artefacts.inspection import canary_finding
from ladder.climb.opening import COMPLETIONS, open_bench
from ladder.engines import is_served
from ladder.engines.local import LocalEngine
from ladder.errors import GO_ON, NoVerdictError, PassportError, Problem, StateError, TaskError
from ladder.evaluation.control import measure_way
from ladder.evaluation.measure import measure
from ladder.evidence import Measurement, RevalidationPlan, Verdict
from ladder.files import alone_in, append_line, clear_disk_errors, private_folder, read_text
from ladder.lifecycle.plan import day_of, load_plan, pins, task_of, with_secrets
from ladder.progress import Watch
from ladder.report.limits import limit_reason
from ladder.rungs.protocol import Bench
from ladder.task import Task
from ladder.trust.code import Granted
from ladder.wording import harmless

RECORD = "revalidations.jsonl"
CHECKS = "revalidations"
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Revalidation:
    """What a check found."""

    measurement: Measurement | None
    """None where the artefact is refused: it is not what its passport says."""
    verdict: Verdict | None
    changed_pins: tuple[str, ...]
    findings: tuple[str, ...]
    """Reasons to act; none means that the answer still holds."""


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
    record = path.parent / RECORD
    if not record.exists():
        return
    text = read_text(record, "the record of checks", _no_record)
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{record}:{number}"
        try:
            day = day_of(json.loads(line)["at"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            fix = "Fix the line or take it out; or move the file away: the check is due then."
            said = f"{where}: not the record of checks ({str(error)[:100]}). {fix}"
            raise StateError(said) from None
        yield day, where


def _no_record(problems: Sequence[Problem]) -> StateError:
    fix = "Move it away: the check is due then."
    return StateError(f"{problems[0].where}: not the record of checks ({problems[0].got}). {fix}")


def revalidate(path: Path, watch: Watch, granted: Granted = "trusted") -> Revalidation:
    """Measure the plan's candidate on its eval examples, with nothing taken from the cache.

    The eval examples are read whole: a scheduled check has a fixed n. Leaves one line in
    revalidations.jsonl beside the plan.

    Args:
        path: the plan.
        watch: sees progress.
        granted: what of the code that the task names may run (`ladder.trust.code`).

    Raises:
        NoVerdictError: too many requests failed to tell; nothing is recorded.
        TaskError: the plan or its task is wrong, or the plan asks a model that the task does not.
    """
    plan = load_plan(path)
    task = task_of(path, plan, granted)
    plan = with_secrets(plan, path, task)
    refuse_other_endpoint(path, plan, task)
    stamp = datetime.now(UTC)
    with _own_folder(path.parent / CHECKS, stamp) as folder:
        bench = open_bench(task, folder, watch, cache=folder / COMPLETIONS)
        try:
            bench.evaluator.models.learn_abilities()
            result = _measured_again(bench, plan)
        except PassportError as error:
            result = Revalidation(None, None, (), (f"the artefact is refused: {error}",))
        bench.evaluator.models.cache.close()
    _record(path, result, stamp)
    return result


def refuse_other_endpoint(path: Path, plan: RevalidationPlan, task: Task) -> None:
    """Refuse an endpoint that stands in the plan alone: the task says where its rows may go."""
    model = plan.candidate.model if plan.candidate else ""
    if model and is_served(model) and model not in task.models.model_dump().values():
        got, wanted = f"`{harmless(model, 120)}`", f"an endpoint that {task.source} names"
        raise TaskError([Problem(f"{path}: candidate.model", got, wanted)])


@contextmanager
def _own_folder(checks: Path, now: datetime) -> Iterator[Path]:
    """Hold a folder for one check: that of one which was stopped today, else a new one.

    A check takes no answer of another that ended. While it is under way, it holds `unfinished`
    in its folder, which is gone once it has ended.
    """
    with clear_disk_errors(checks), alone_in(private_folder(checks)):
        stopped = sorted(checks.glob(f"{now:%Y-%m-%d}T*/{UNFINISHED}"))
        for mark in [*stopped, checks / f"{now:%Y-%m-%dT%H%M%S.%f}Z" / UNFINISHED]:
            private_folder(mark.parent)
            held = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with suppress(BlockingIOError):  # under way in another process
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            os.close(held)
    try:
        yield mark.parent
        with alone_in(checks):
            mark.unlink()
    finally:
        os.close(held)


def _measured_again(bench: Bench, plan: RevalidationPlan) -> Revalidation:
    candidate = plan.candidate
    if candidate is None:
        measurement, verdict = measure_way(bench.evaluator, plan.control)
    else:
        measurement, verdict, _ = measure(
            bench.evaluator,
            candidate,
            bench.data.gate,
            all_rows=True,
            rungs=1,
            title="revalidating",
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
    engine = bench.evaluator.engine(candidate).engine if candidate else None
    moved = canary_finding(engine) if isinstance(engine, LocalEngine) else None
    return Revalidation(measurement, verdict, changed, (*found, *([moved] if moved else [])))


def changed_pins(bench: Bench, plan: RevalidationPlan) -> tuple[str, ...]:
    """Return the names of pinned things that differ now."""
    now = pins(bench, plan.candidate)
    names = sorted(plan.pinned.keys() | now.keys())
    return tuple(name for name in names if plan.pinned.get(name) != now.get(name))


def findings(
    plan: RevalidationPlan, measured: Measurement, verdict: Verdict, changed: tuple[str, ...]
) -> list[str]:
    """Return the reasons to act on what a check measured. Pure."""
    found = []
    for limit in verdict.limits:
        if limit.verdict in ("fail", "none"):
            found.append(f"{limit.limit} is missed: {limit_reason(limit)}")
    before, now = plan.baseline.gate_rows, measured.score
    if now.high < before.low:
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
    }


def _record(path: Path, result: Revalidation, at: datetime) -> None:
    append_line(path.parent / RECORD, json.dumps(as_record(result, at)))
