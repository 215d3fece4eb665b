"""The plan: written, read back, due in time, and what a check against it finds."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from conftest import train_head
from trained import write_plan

from ladder.climb.opening import open_bench
from ladder.errors import StateError, TaskError
from ladder.evaluation.measure import measure
from ladder.evidence import (
    Attempt,
    Candidate,
    Estimate,
    LimitVerdict,
    Measurement,
    RevalidationPlan,
    TokenUse,
    Verdict,
)
from ladder.gate.verdict import combine
from ladder.lifecycle.plan import load_plan, make_plan
from ladder.lifecycle.revalidate import RECORD, findings, is_due, revalidate
from ladder.progress import Quiet
from ladder.task import load_task

CREATED = date(2026, 1, 10)
THINGS = {"bread": ["loaf", "baguette", "roll"], "cake": ["muffin", "tart", "eclair"]}


def score(mean: float, low: float, high: float) -> Estimate:
    return Estimate(mean=mean, low=low, high=high, n=100)


def measured(estimate: Estimate) -> Measurement:
    return Measurement(score=estimate, tokens=TokenUse(input_mean=1, output_mean=1))


def verdict(word: str) -> Verdict:
    limit = {"limit": "min_score", "wanted": 0.8, "got": 0.8, "distance": 0.0, "n": 60}
    return combine([LimitVerdict.model_validate({**limit, "verdict": word})])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task that a trained label student answers, in a folder of its own."""
    rows = [
        {"input": f"{count} {thing}s, order number {count * 7919 % 1000}", "target": label}
        for label, things in THINGS.items()
        for thing in things
        for count in range(2, 12)
    ]
    home = tmp_path / "job"
    home.mkdir()
    (home / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "task.yaml").write_text(
        "name: shop\ngoal: Sort the orders.\ndata: {test: test.jsonl}\n"
        "answer: {type: label, labels: [bread, cake]}\nscore: exact_match\n"
        "gate: {min_score: 0.7}\n"
    )
    texts = [f"two {thing}s" for things in THINGS.values() for thing in things]
    train_head(home / "student", texts, [label for label in THINGS for _ in range(3)], 0)
    return home


@pytest.fixture
def plan_path(folder: Path) -> Path:
    """The plan that an assessment of the student would leave, in a run folder below."""
    bench = open_bench(load_task(folder / "task.yaml"), folder / "runs", Quiet())
    candidate = Candidate(rung="distill", description="student", model="head:student")
    measurement, found, _ = measure(bench.evaluator, candidate, bench.data.gate, all_rows=True)
    assert found.status == "pass"
    return write_plan(bench, candidate, measurement)


def aged(path: Path, days: int) -> RevalidationPlan:
    """Return the plan as if it was certified on CREATED, and wind its record back too."""
    plan = load_plan(path)
    created = datetime(CREATED.year, CREATED.month, CREATED.day, 23, 59, tzinfo=UTC)
    return plan.model_copy(update={"created": created.isoformat(), "every_days": days})


def check_on(path: Path, *days: date) -> None:
    lines = [json.dumps({"at": f"{day.isoformat()}T06:17:00+00:00"}) for day in days]
    (path.parent / RECORD).write_text("".join(line + "\n" for line in lines))


def test_a_written_plan_is_read_back(folder: Path, plan_path: Path) -> None:
    plan = load_plan(plan_path)
    assert (plan_path.parent / plan.task).resolve() == (folder / "task.yaml").resolve()
    assert not Path(plan.task).is_absolute()
    assert plan.data_root is None
    assert plan.candidate.model == "head:student"
    assert plan.gate["min_score"] == 0.7
    assert plan.baseline.gate_rows.n > 20
    assert {"task", "data: test", "model: head.json", "model: head.npz"} <= set(plan.pinned)
    assert "version: python" in plan.pinned


def test_the_next_four_checks_are_a_quarter_apart(plan_path: Path) -> None:
    plan = load_plan(plan_path)
    first = datetime.fromisoformat(plan.created).date()
    assert plan.every_days == 91
    assert [date.fromisoformat(day) - first for day in plan.due] == [
        timedelta(days=91 * number) for number in (1, 2, 3, 4)
    ]


def test_the_plan_moves_with_its_checkout(folder: Path, plan_path: Path, tmp_path: Path) -> None:
    below = plan_path.relative_to(folder)
    folder.rename(tmp_path / "moved")
    path = tmp_path / "moved" / below
    assert load_task(path.parent / load_plan(path).task).name == "shop"


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


def test_broken_yaml_is_named_by_line(plan_path: Path) -> None:
    lines = plan_path.read_text().splitlines()
    plan_path.write_text("\n".join([*lines[:3], "  - : [", *lines[3:]]))
    with pytest.raises(TaskError, match=rf"{plan_path.name}:\d+: "):
        load_plan(plan_path)


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


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (b"", "valid dictionary"),
        (b"- a\n- b\n", "valid dictionary"),
        (b"a: [", "while parsing"),
        (b"\xff\xfe\x00", "utf-8"),
        (b"a\x00b", "special characters"),
        (b"schema_version: 1\n", "Field required"),
        (b"[" * 20_000, "recursion"),
    ],
)
def test_what_is_no_plan_is_a_task_error_that_names_it(
    tmp_path: Path, text: bytes, got: str
) -> None:
    path = tmp_path / "revalidation.yaml"
    path.write_bytes(text)
    with pytest.raises(TaskError) as caught:
        load_plan(path)
    assert all(str(path) in problem.where for problem in caught.value.problems)
    assert got in str(caught.value)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"every_days": "often"}, "every_days"),
        ({"surprise": 1}, "surprise"),
        ({"candidate": {"rung": "prompt"}}, "candidate.description"),
    ],
)
def test_a_wrong_field_is_named(plan_path: Path, change: dict[str, object], where: str) -> None:
    values = yaml.safe_load(plan_path.read_text(encoding="utf-8"))
    plan_path.write_text(yaml.safe_dump({**values, **change}), encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        load_plan(plan_path)
    assert caught.value.problems[0].where == f"{plan_path}: {where}"


def test_no_plan_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(TaskError, match="no such file"):
            load_plan(path)


def test_only_a_measured_attempt_is_planned_for(folder: Path) -> None:
    bench = open_bench(load_task(folder / "task.yaml"), folder / "runs", Quiet())
    with pytest.raises(ValueError, match="measured"):
        make_plan(bench, Attempt(rung="lora", status="skipped"), None)


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


def test_a_check_finds_a_student_that_got_worse(folder: Path, plan_path: Path) -> None:
    train_head(folder / "student", ["two loafs", "two muffins"], ["cake", "bread"], 0)
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
