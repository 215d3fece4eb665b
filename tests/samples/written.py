"""Tasks over files of rows, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ladder.errors import DataError, Problem
from ladder.samples.reading import read_rows
from ladder.samples.rows import Rows
from ladder.task import Task, load_task

ROW = '{"input": "a", "target": "b"}\n'


def make_task(folder: Path, data: dict[str, Any], **more: Any) -> Task:
    folder.mkdir(exist_ok=True)
    values = {
        "name": "rows",
        "goal": "Read the rows.",
        "data": data,
        "score": "exact_match",
        "gate": {"min_score": 0.5},
        **more,
    }
    path = folder / "task.yaml"
    path.write_text(json.dumps(values))
    return load_task(path)


def read(folder: Path, name: str, content: str | bytes, **data: Any) -> Rows:
    raw = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(raw)
    return read_rows(make_task(folder, {"examples": name, **data}))


def problems_of(folder: Path, name: str, content: str | bytes, **data: Any) -> tuple[Problem, ...]:
    with pytest.raises(DataError) as caught:
        read(folder, name, content, **data)
    return caught.value.problems


def the_problem(folder: Path, name: str, content: str | bytes, **data: Any) -> Problem:
    problems = problems_of(folder, name, content, **data)
    assert len(problems) == 1, problems
    return problems[0]
