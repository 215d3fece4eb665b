"""The preference file: each form that is read, and each mistake in it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from ladder.errors import DataError, Problem, TaskError
from ladder.samples.preferences import Preference
from ladder.samples.reading import read_rows
from ladder.task import Task, load_task

PAIR = {"input": "q", "chosen": "good", "rejected": "bad"}
SINGLE = {"input": "q", "answer": "good", "desirable": True}


def task_with(folder: Path, name: str, text: str, **data: Any) -> Task:
    (folder / "t.jsonl").write_text('{"input": "held", "target": "t"}\n')
    (folder / name).write_text(text)
    values = {
        "name": "tastes",
        "goal": "Answer well.",
        "data": {"test": "t.jsonl", "preferences": name, **data},
        "score": "contains",
        "gate": {"min_score": 0.5},
    }
    (folder / "task.yaml").write_text(json.dumps(values))
    return load_task(folder / "task.yaml")


def read(folder: Path, *rows: dict[str, Any], **data: Any) -> tuple[Preference, ...]:
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    return read_rows(task_with(folder, "p.jsonl", text, **data)).preferences


def the_problem(folder: Path, *rows: dict[str, Any]) -> Problem:
    with pytest.raises(DataError) as caught:
        read(folder, *rows)
    [problem] = caught.value.problems
    return problem


def test_pairs_are_read(tmp_path: Path) -> None:
    other = {"input": " q ", "chosen": " a\n", "rejected": "b"}
    found = read(tmp_path, PAIR, other)
    assert found == (Preference("q", "good", "bad"), Preference("q", "a", "b"))
    assert all(row.is_pair for row in found)


@pytest.mark.parametrize("yes", [True, 1, "true", "True", "1", 1.0])
@pytest.mark.parametrize("no", [False, 0, "false", "0"])
def test_single_answers_stand_on_their_side(yes: object, no: object, tmp_path: Path) -> None:
    rows = [{**SINGLE, "desirable": yes}, {"input": "q", "answer": "bad", "desirable": no}]
    found = read(tmp_path, *rows)
    assert found == (Preference("q", "good", ""), Preference("q", "", "bad"))
    assert not any(row.is_pair for row in found)


def test_a_csv_and_columns_of_another_name(tmp_path: Path) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["prompt", "better", "worse"])
    writer.writeheader()
    writer.writerow({"prompt": "q", "better": "good", "worse": "bad"})
    columns = {"input": "prompt", "chosen": "better", "rejected": "worse"}
    (tmp_path / "t.jsonl").write_text("")
    task = task_with(tmp_path, "p.csv", out.getvalue(), columns=columns)
    (tmp_path / "t.jsonl").write_text('{"prompt": "held", "target": "t"}\n')
    assert read_rows(task).preferences == (Preference("q", "good", "bad"),)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"input": "q", "chosen": "a"}, "rejected"),
        ({"input": "q", "rejected": "a"}, "chosen"),
        ({"chosen": "a", "rejected": "b"}, "input"),
        ({"input": "q", "answer": "a"}, "desirable"),
        ({"input": "q", "desirable": True}, "answer"),
    ],
)
def test_a_missing_column_is_named(row: dict[str, Any], column: str, tmp_path: Path) -> None:
    problem = the_problem(tmp_path, row)
    assert problem.where == f"{tmp_path / 'p.jsonl'}:1: {column}"
    assert problem.wanted == f"the column `{column}`"
    assert "data: {columns:" in problem.fix


def test_a_column_that_no_row_has_is_said_once(tmp_path: Path) -> None:
    rows = [{"input": f"q{at}", "chosen": "a"} for at in range(5)]
    assert the_problem(tmp_path, *rows).wanted == "the column `rejected`"


@pytest.mark.parametrize("column", ["input", "chosen", "rejected"])
def test_an_empty_text_is_a_mistake(column: str, tmp_path: Path) -> None:
    problem = the_problem(tmp_path, {**PAIR, "input": "other"}, {**PAIR, column: "  "})
    assert problem.where == f"{tmp_path / 'p.jsonl'}:2: {column}"
    assert problem.got == "an empty value"


@pytest.mark.parametrize(
    ("rows", "got", "fix"),
    [
        ([{**PAIR, "rejected": "good "}], "`good` as `chosen` and as `rejected`", "take it out"),
        ([PAIR, PAIR], "the same row again (first in ", "Keep one"),
        ([SINGLE, SINGLE], "the same row again (first in ", "Keep one"),
        (
            [PAIR, {"input": "q", "chosen": "bad", "rejected": "good"}],
            "the same pair the other way round (in ",
            "take both out",
        ),
        (
            [SINGLE, {**SINGLE, "desirable": False}],
            "the same answer with the other mark (in ",
            "take both out",
        ),
        ([{**SINGLE, "desirable": "maybe"}], "`desirable: maybe`", "wanted or not"),
        ([{**SINGLE, "desirable": 2}], "`desirable: 2`", "wanted or not"),
    ],
)
def test_rows_that_prefer_nothing_or_both_ways(
    rows: list[dict[str, Any]], got: str, fix: str, tmp_path: Path
) -> None:
    problem = the_problem(tmp_path, *rows)
    assert problem.where == f"{tmp_path / 'p.jsonl'}:{len(rows)}"
    assert problem.got.startswith(got)
    assert fix in problem.fix


def test_what_is_learnt_cannot_measure(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"the file of .* again"):
        task_with(tmp_path, "p.jsonl", json.dumps(PAIR), preferences="t.jsonl")
