"""`ladder status`: say how certified answers stand, in words and for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from ladder.evidence import AlarmName, PlanStanding, Standing
from ladder.files import write_whole
from ladder.lifecycle.history import moment_of
from ladder.report.since import answered_by, happening_words
from ladder.wording import harmless

ALARMS: Mapping[AlarmName, str] = {
    "silent": "nothing has checked it for too long: see that its job runs",
    "overdue": "its revalidation is overdue: see that its job runs",
    "found": "a check found something, and nothing since has answered it",
    "ends": "its model ends soon: plan its replacement",
    "ended": "its model has ended by its provider's announcement",
    "unreadable": "a record beside it cannot be read",
}
UNITS = {"h": 1 / 24, "d": 1, "w": 7}
LONGEST_DAYS = 36_500


def age_of(text: str) -> timedelta:
    """Return a length of time written as 100d, 14w or 36h; a number alone is days.

    Raises:
        ValueError: it is none, or not between nothing and a century.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([hdw]?)", text, re.ASCII)
    days = float(found[1]) * UNITS[found[2] or "d"] if found else -1.0
    if not 0 < days <= LONGEST_DAYS:
        raise ValueError(f"{text}: such as 100d, 14w or 36h is wanted")
    return timedelta(days=days)


def lines(found: Standing) -> Iterator[str]:
    """Say how all plans stand, the alarms first."""
    for plan in found.plans:
        yield from _of_plan(plan)
    for name in found.missing:
        yield f"! {name}: in production by the registry, and its plan is not here"
    yield from (f"! {note}" for note in found.notes)
    alarmed = sum(bool(plan.alarms) for plan in found.plans) + len(found.missing + found.notes)
    word = "plan" if len(found.plans) == 1 else "plans"
    said = f"{alarmed} to act on" if alarmed else "all stand"
    yield f"{len(found.plans)} {word}, {said}"


def _of_plan(plan: PlanStanding) -> Iterator[str]:
    mark = "!" if plan.alarms else "✓" if plan.proven else "?"
    used = ", in production" if plan.in_production else ""
    yield f"{mark} {harmless(plan.task)}{used}: {harmless(plan.plan)}"
    first = "certified" if plan.proven else "assessed"
    what = f"last {plan.last_kind}" if plan.last_kind != "certification" else first
    age = f"{plan.age_days} days ago" if plan.age_days >= 0 else "after today by this clock"
    yield f"    {what} {plan.last[:10]}, {age}; due {plan.due}"
    if not plan.proven:
        yield "    the gate was never proven for this answer: it leaned to a pass"
    if plan.ends is not None and plan.ends_in_days is not None:
        left = plan.ends_in_days
        when = f"in {left} days" if left >= 0 else f"{-left} days ago"
        yield f"    its model ends on {plan.ends}, {when}"
    yield from (f"    {ALARMS[name]}" for name in plan.alarms)
    for each in plan.open:
        answered = f"; open until {answered_by(each.found)}" if each.kind == "drift" else ""
        yield f"    - {each.kind} of {each.at[:10]}: {happening_words(each)}{answered}"
    yield from (f"    - {note}" for note in plan.notes)


# What Prometheus reads.

Value = Callable[[PlanStanding], float | None]


def _seconds(day: str) -> float:
    return datetime.combine(date.fromisoformat(day), time(), UTC).timestamp()


METRICS: tuple[tuple[str, str, Value], ...] = (
    (
        "ladder_last_check_timestamp_seconds",
        "When a certified answer was last checked, else certified.",
        lambda plan: moment_of(plan.last).timestamp(),
    ),
    (
        "ladder_check_due_timestamp_seconds",
        "When the next revalidation is due.",
        lambda plan: _seconds(plan.due),
    ),
    (
        "ladder_check_ok",
        "1: no check found something that nothing came after; 0: one did.",
        lambda plan: float(not plan.open),
    ),
    (
        "ladder_alarms",
        "How many alarms `ladder status` has for the plan.",
        lambda plan: float(len(plan.alarms)),
    ),
    (
        "ladder_model_ends_timestamp_seconds",
        "The end of the model that its provider has announced.",
        lambda plan: _seconds(plan.ends) if plan.ends else None,
    ),
)
"""Name, help and value of each figure of a plan; all are gauges."""


def as_prometheus(found: Standing) -> str:
    """Return the figures in Prometheus' text format 0.0.4, for node_exporter's textfile folder."""
    at, missing, unreadable = moment_of(found.at).timestamp(), found.missing, found.notes
    whole = (
        ("ladder_status_timestamp_seconds", "When this was written.", at),
        ("ladder_plans_missing", "Answers in production whose plan is not here.", len(missing)),
        ("ladder_unreadable", "Plans and lines of the registry not readable.", len(unreadable)),
    )
    written = [f"{_head(name, about)}{name} {value:.0f}\n" for name, about, value in whole]
    for name, about, value_of in METRICS:
        series = [
            f'{name}{{task="{_label(plan.task)}",plan="{_label(plan.plan)}"}} {value:.0f}\n'
            for plan in found.plans
            if (value := value_of(plan)) is not None
        ]
        if series:
            written += [_head(name, about), *series]
    return "".join(written)


def _head(name: str, about: str) -> str:
    return f"# HELP {name} {about}\n# TYPE {name} gauge\n"


def _label(value: str) -> str:
    """Return the value of a label, escaped; what is no text in UTF-8 is shown as `?`."""
    text = value.encode(errors="replace").decode()
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def write_prometheus(path: Path, found: Standing) -> None:
    """Write the figures, whole or not at all; whoever collects them may read them.

    Raises:
        StateError: the file cannot be written.
    """
    write_whole(path, as_prometheus(found))
    path.chmod(0o644)
