"""The plan: written, read back, due in time, and what a check against it finds."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from ladder.climb.opening import open_bench
from ladder.errors import TaskError
from ladder.evidence import (
    ASSESSMENT,
    Attempt,
)
from ladder.lifecycle.plan import PLAN, find_plan, load_plan, make_plan
from ladder.progress import Quiet
from ladder.task import load_task


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


def test_broken_yaml_is_named_by_line(plan_path: Path) -> None:
    lines = plan_path.read_text().splitlines()
    plan_path.write_text("\n".join([*lines[:3], "  - : [", *lines[3:]]))
    with pytest.raises(TaskError, match=rf"{plan_path.name}:\d+: "):
        load_plan(plan_path)


@pytest.mark.slow
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


def test_of_a_folder_of_runs_the_newest_one_s_plan_is_meant(tmp_path: Path) -> None:
    assert find_plan(tmp_path) == tmp_path / PLAN
    for time in ("2026-11-28T1", "2026-11-29T1"):
        (tmp_path / time).mkdir()
        (tmp_path / time / ASSESSMENT).write_text("{}")
    (tmp_path / "2026-11-30T1").mkdir()  # was stopped: it has no record
    assert find_plan(tmp_path) == tmp_path / "2026-11-29T1" / PLAN
    assert find_plan(tmp_path / "2026-11-28T1") == tmp_path / "2026-11-28T1" / PLAN
    (tmp_path / PLAN).write_text("")
    assert find_plan(tmp_path) == tmp_path / PLAN


def test_no_plan_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(TaskError, match="no such file"):
            load_plan(path)


def test_only_a_measured_attempt_is_planned_for(folder: Path) -> None:
    bench = open_bench(load_task(folder / "task.yaml"), folder / "runs", Quiet())
    with pytest.raises(ValueError, match="measured"):
        make_plan(bench, Attempt(rung="lora", status="skipped"), None)
