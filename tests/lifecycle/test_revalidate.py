"""A check against a plan: when it is due, and what it finds."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from conftest import train_head

from ladder.errors import StateError
from ladder.evidence import (
    Estimate,
    LimitVerdict,
    Measurement,
    RevalidationPlan,
    TokenUse,
    Verdict,
)
from ladder.gate.verdict import combine
from ladder.lifecycle import revalidate as module
from ladder.lifecycle.plan import load_plan
from ladder.lifecycle.revalidate import RECORD, findings, is_due, revalidate
from ladder.progress import Quiet

CREATED = date(2026, 1, 10)


def score(mean: float, low: float, high: float) -> Estimate:
    return Estimate(mean=mean, low=low, high=high, n=100)


def measured(estimate: Estimate) -> Measurement:
    return Measurement(score=estimate, tokens=TokenUse(input_mean=1, output_mean=1))


def verdict(word: str) -> Verdict:
    limit = {"limit": "min_score", "wanted": 0.8, "got": 0.8, "distance": 0.0, "n": 60}
    return combine([LimitVerdict.model_validate({**limit, "verdict": word})])


def aged(path: Path, days: int) -> RevalidationPlan:
    """Return the plan as if it was certified on CREATED, and wind its record back too."""
    plan = load_plan(path)
    created = datetime(CREATED.year, CREATED.month, CREATED.day, 23, 59, tzinfo=UTC)
    return plan.model_copy(update={"created": created.isoformat(), "every_days": days})


def check_on(path: Path, *days: date) -> None:
    lines = [json.dumps({"at": f"{day.isoformat()}T06:17:00+00:00"}) for day in days]
    (path.parent / RECORD).write_text("".join(line + "\n" for line in lines))


def test_due_when_the_days_have_passed(plan_path: Path) -> None:
    plan = aged(plan_path, 91)
    assert not is_due(plan_path, plan, CREATED)
    assert not is_due(plan_path, plan, CREATED + timedelta(days=90))
    assert is_due(plan_path, plan, CREATED + timedelta(days=91))
    assert is_due(plan_path, plan, CREATED + timedelta(days=400))
    assert is_due(plan_path, aged(plan_path, 7), CREATED + timedelta(days=7))


def test_a_broken_record_of_checks_is_named(plan_path: Path) -> None:
    (plan_path.parent / RECORD).write_text("half a li")
    with pytest.raises(StateError, match="not the record of checks"):
        is_due(plan_path, aged(plan_path, 91), CREATED)


def test_a_check_starts_the_count_anew(plan_path: Path) -> None:
    plan = aged(plan_path, 91)
    late = CREATED + timedelta(days=100)
    check_on(plan_path, CREATED + timedelta(days=3), late)
    assert not is_due(plan_path, plan, late)
    assert not is_due(plan_path, plan, late + timedelta(days=90))
    assert is_due(plan_path, plan, late + timedelta(days=91))


def test_a_record_older_than_the_plan_does_not_count(plan_path: Path) -> None:
    check_on(plan_path, CREATED - timedelta(days=300))
    assert not is_due(plan_path, aged(plan_path, 91), CREATED + timedelta(days=90))
    check_on(plan_path)
    assert is_due(plan_path, aged(plan_path, 91), CREATED + timedelta(days=91))


def test_findings_name_what_got_worse(plan_path: Path) -> None:
    plan = load_plan(plan_path)
    baseline = plan.baseline.model_copy(update={"gate_rows": score(0.9, 0.84, 0.94)})
    plan = plan.model_copy(update={"baseline": baseline})
    same, lower = measured(score(0.87, 0.8, 0.91)), measured(score(0.7, 0.6, 0.79))
    assert findings(plan, same, verdict("pass"), ()) == []
    assert findings(plan, same, verdict("undecided"), ()) == []
    assert findings(plan, measured(score(0.99, 0.97, 1.0)), verdict("pass"), ()) == []
    [fell] = findings(plan, lower, verdict("pass"), ())
    assert "fell from 0.900" in fell
    assert len(findings(plan, lower, verdict("fail"), ("task",))) == 3
    [missed] = findings(plan, same, verdict("none"), ())
    assert "60 rows place the true score" in missed
    [changed] = findings(plan, same, verdict("pass"), ("data: test", "task"))
    assert "data: test, task" in changed


def test_a_check_that_finds_nothing_and_leaves_its_line(plan_path: Path) -> None:
    today = datetime.now(UTC).date()
    found = revalidate(plan_path, Quiet())
    assert found.findings == ()
    assert found.changed_pins == ()
    assert found.verdict.status == "pass"
    assert found.measurement.score == load_plan(plan_path).baseline.gate_rows
    revalidate(plan_path, Quiet())
    lines = (plan_path.parent / RECORD).read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["verdict"] == "pass"
    plan = aged(plan_path, 91)
    assert not is_due(plan_path, plan, today + timedelta(days=90))
    assert is_due(plan_path, plan, today + timedelta(days=93))


def test_a_check_whose_line_finds_no_room_goes_on_where_it_was(
    plan_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, line: str) -> None:
        raise StateError(f"{path}: no space left on the device")

    with monkeypatch.context() as patched:
        patched.setattr(module, "append_line", full)
        with pytest.raises(StateError, match="no space left"):
            revalidate(plan_path, Quiet())
    [stopped] = (plan_path.parent / "revalidations").glob("*/unfinished")
    revalidate(plan_path, Quiet())
    assert [each.name for each in stopped.parent.parent.glob("2*")] == [stopped.parent.name]
    assert not stopped.exists()
    assert len((plan_path.parent / RECORD).read_text().splitlines()) == 1


def test_a_check_finds_a_student_that_got_worse(folder: Path, plan_path: Path) -> None:
    things = ["loafs", "baguettes", "rolls", "muffins", "tarts", "eclairs"]
    train_head(folder / "student", [f"two {thing}" for thing in things],
               ["cake"] * 3 + ["bread"] * 3, 0)  # fmt: skip
    found = revalidate(plan_path, Quiet())
    assert found.verdict.status == "fail"
    assert found.changed_pins == ("model: head.npz",)
    assert any(finding.startswith("the score fell") for finding in found.findings)
    assert any(finding.startswith("min_score is missed") for finding in found.findings)


def test_a_check_finds_replaced_rows_and_a_changed_task(folder: Path, plan_path: Path) -> None:
    for name in ("test.jsonl", "task.yaml"):
        with (folder / name).open("a") as file:
            file.write("\n")
    assert revalidate(plan_path, Quiet()).changed_pins == ("data: test", "task")
