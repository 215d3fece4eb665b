"""Task files as a user may write them, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ladder.errors import Problem, TaskError
from ladder.task import load_task

GOOD = """\
name: sorting
goal: Sort the notes.
data:
  examples: rows.jsonl
score: exact_match
gate:
  min_score: 0.5
"""


ROW = '{"input": "a note", "target": "good"}\n'


def write_task(folder: Path, text: str | bytes = GOOD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text(ROW)
    path = folder / "task.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems_of(path: Path, data_root: Path | None = None) -> tuple[Problem, ...]:
    with pytest.raises(TaskError) as caught:
        load_task(path, data_root)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return caught.value.problems


def the_problem(path: Path, data_root: Path | None = None) -> Problem:
    problems = problems_of(path, data_root)
    assert len(problems) == 1, problems
    return problems[0]


def with_store(folder: Path, value: str, documents: bool = True) -> Path:
    (folder / "documents.jsonl").write_text('{"id": "1", "text": "a text"}\n')
    given = "  examples: rows.jsonl\n"
    with_documents = given + "  documents: documents.jsonl\n" * documents
    return write_task(folder, GOOD.replace(given, f"{with_documents}  store: {value}\n"))
