"""What `ladder init` writes for rows: a task.yaml with comments, the rows beside it as they are."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ladder.errors import Problem, TaskError
from ladder.files import clear_disk_errors, file_digest, open_file, write_whole
from ladder.task import DATASETS_PREFIX, ScorerChoice, Task

HEAD = """\
# Proposed by `ladder init` from the rows: change what does not fit. Every key: docs/task.md
# ladder check task.yaml      reads the rows, reports every mistake
# ladder assess task.yaml     climbs until a rung passes
"""
TAIL = "# models: {base: bundled:smollm2-135m}   # or hf:FOLDER, or openai:MODEL@https://HOST/v1\n"
LIMITS = "  # max_p95_ms: 500\n  # max_cost_usd_per_1k: 0.10\n"
ANOTHER = "Choose another folder: name one behind the data."
COMMENT_AT = 30
"""The column at which comments begin."""
PARTS_OF_A_SET = ("train", "test", "dev", "val", "valid", "validation", "eval", "data", "rows")
"""Names of files that do not name the task."""


@dataclass(frozen=True)
class Reasons:
    """Why a task is as it is: comments of its file."""

    rows: Mapping[str, str]
    """By the role of a file."""
    answer: str
    score: str
    gate: str
    head: str = HEAD


def default_folder(first: Path) -> Path:
    """Return the folder of a new task: named after the file of its rows, or after its folder."""
    stem = _stem(first)
    if stem.lower() in PARTS_OF_A_SET:
        stem = first.absolute().parent.name or "my-task"
    return Path(stem)


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def is_elsewhere(path: Path) -> bool:
    """Tell whether rows are a data set's that a task names, and no file that is copied."""
    return str(path).startswith(DATASETS_PREFIX)


def task_name(folder: Path) -> str:
    """Return a name for a task that its file may have, after its folder."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("._-")
    return plain[:64] or "my-task"


def names_beside(sources: Mapping[str, Path]) -> dict[str, str]:
    """Return role -> the name of its file beside the task; one of its own for every role."""
    names: dict[str, str] = {}
    for role, path in sources.items():
        if is_elsewhere(path):
            names[role] = str(path)
            continue
        taken = path.name.lower() in map(str.lower, names.values())
        names[role] = f"{role}-{path.name}" if taken else path.name
    return names


def refuse_taken(
    folder: Path,
    names: Mapping[str, str],
    sources: Mapping[str, Path],
    beside: Sequence[Path] = (),
) -> None:
    """Refuse a folder in which something would be overwritten.

    Raises:
        TaskError: it holds a task, or another file with the name of one of the rows'.
    """
    if os.path.lexists(folder / "task.yaml"):
        raise TaskError(
            [Problem(str(folder), "a folder with a task.yaml", "a new folder", ANOTHER)]
        )
    for path, there in _copies(folder, names, sources, beside):
        if os.path.lexists(there) and not _is_same(there, path):
            raise TaskError([Problem(str(there), "another file", "a name that is free", ANOTHER)])


def _copies(
    folder: Path, names: Mapping[str, str], sources: Mapping[str, Path], beside: Sequence[Path]
) -> list[tuple[Path, Path]]:
    """Return (from, to) of the files that go beside a task."""
    kept = {role: name for role, name in names.items() if not is_elsewhere(sources[role])}
    named = [(sources[role], folder / name) for role, name in kept.items()]
    return [*named, *((path, folder / path.name) for path in beside)]


def _is_same(one: Path, other: Path) -> bool:
    if not (one.is_file() and other.is_file()) or one.stat().st_size != other.stat().st_size:
        return False
    return file_digest(one) == file_digest(other)


def write_task(
    folder: Path,
    task: Task,
    names: Mapping[str, str],
    sources: Mapping[str, Path],
    why: Reasons,
    beside: Sequence[Path] = (),
) -> list[Path]:
    """Write a task and copy its files beside it; nothing is overwritten.

    Args:
        folder: the task's.
        task: as it was tried on the rows.
        names: role -> the name of its file beside the task.
        sources: role -> its file.
        why: the comments.
        beside: further files that are no part of the task.

    Returns:
        What was written.

    Raises:
        TaskError: a file is there by now.
        StateError: the folder cannot be written.
    """
    refuse_taken(folder, names, sources, beside)
    with clear_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    copies = _copies(folder, names, sources, beside)
    made = [to for path, to in copies if not to.exists()]
    for path, to in copies:
        if to in made:
            _copy(path, to)
    write_whole(folder / "task.yaml", task_text(task, names, why))
    return [folder / "task.yaml", *made]


def _copy(path: Path, to: Path) -> None:
    with clear_disk_errors(to), open_file(path) as source, to.open("xb") as copy:
        try:
            shutil.copyfileobj(source, copy)
        except BaseException:
            to.unlink()
            raise


def task_text(task: Task, names: Mapping[str, str], why: Reasons) -> str:
    """Return a task as the text of its file, with a comment on every choice.

    Args:
        task: as it was tried on the rows.
        names: role -> the name of its file beside the task.
        why: the comments.
    """
    lines = [_block({"name": task.name}), _block({"goal": task.goal}), "data:"]
    for role, name in names.items():
        lines.append(_commented(f"  {_block({role: name})}", why.rows.get(role, "")))
    if task.data.columns:
        mapped = _flow({str(ours): theirs for ours, theirs in task.data.columns.items()})
        lines.append(_commented(f"  columns: {mapped}", "our name: yours"))
    form: dict[str, Any] = {"type": task.answer.type}
    form |= {"labels": list(task.answer.labels)} if task.answer.labels else {}
    lines += [f"# {why.answer}", _commented(f"answer: {_flow(form)}", "label, text, number, json")]
    scores = [_named(choice) for choice in task.score]
    score = scores[0] if len(scores) == 1 else f"[{', '.join(scores)}]"
    first = "" if len(scores) == 1 else "the first is gated: "
    lines += [_commented(f"score: {score}", f"{first}{why.score}"), "gate:"]
    lines += [f"  # {why.gate}", f"  min_score: {task.gate.min_score:g}"]
    if "when_undecided" in task.gate.model_fields_set:
        said = "go by the estimate, and say so"
        lines.append(_commented(f"  when_undecided: {task.gate.when_undecided}", said))
    return why.head + "\n".join(lines) + "\n" + LIMITS + TAIL


def _named(choice: ScorerChoice) -> str:
    """Return a scorer as a task file names it, with its parameters."""
    return _flow({choice.name: choice.parameters}) if choice.parameters else choice.name


def _commented(line: str, comment: str) -> str:
    return f"{line:{COMMENT_AT}}# {comment}" if len(line) < COMMENT_AT else f"{line}  # {comment}"


def _block(values: Mapping[str, str]) -> str:
    return _yaml(values, flow=False)


def _flow(values: Mapping[str, Any]) -> str:
    return _yaml(values, flow=True)


def _yaml(values: Mapping[str, Any], flow: bool) -> str:
    """Return values on one line of YAML, quoted where they need it."""
    dumped = yaml.safe_dump(
        dict(values), default_flow_style=flow, width=10**9, allow_unicode=True, sort_keys=False
    )
    return str(dumped).rstrip("\n")


def in_a_list(paths: Iterable[Path]) -> str:
    """Return paths as words."""
    names: Sequence[str] = [str(path) for path in paths]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
