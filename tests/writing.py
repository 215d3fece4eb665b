"""Write small task folders for tests: a real task.yaml beside real data files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ladder.errors import ProblemsError
from ladder.task import Task, load_task

PLAIN_TASK = {
    "name": "weather",
    "goal": "Say whether the weather is good.",
    "data": {"test": "test.jsonl"},
    "score": "exact_match",
    "gate": {"min_score": 0.9},
}
"""Every required key and no other; JSON is YAML, so it is written as it stands."""


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_task(folder: Path, data: Mapping[str, Any], **more: Any) -> Task:
    """Write task.yaml for data files that are already in the folder, and load it."""
    path = folder / "task.yaml"
    path.write_text(json.dumps({**PLAIN_TASK, "data": data, **more}), encoding="utf-8")
    return load_task(path)


def complaints(error: ProblemsError) -> dict[str, str]:
    """Return where -> the whole message."""
    return {problem.where: str(problem) for problem in error.problems}
