"""Small tasks of made-up rows, written into a folder as a user would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Row = Callable[[str, int], dict[str, Any]]
"""(`train` or `test`, number) -> a row."""


def write_task(folder: Path, row: Row, train: int, test: int, **fields: Any) -> Path:
    """Write train.jsonl, test.jsonl and task.yaml; return the task file.

    `fields` go into the task; a gate of 0.5 and a goal stand there where they say nothing.
    """
    for name, count in (("train", train), ("test", test)):
        lines = (json.dumps(row(name, number)) for number in range(count))
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    usual = {
        "name": "small",
        "goal": "Answer the question.",
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "gate": {"min_score": 0.5},
    }
    path = folder / "task.yaml"
    path.write_text(yaml.safe_dump({**usual, **fields}))
    return path
