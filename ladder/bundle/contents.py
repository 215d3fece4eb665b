"""The files of a task that go into a bundle: those that it names, and nothing else beside it.

Keys, trust settings and other files of the folder are never looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ladder.bundle.pins import models_of
from ladder.climb.own_code import named_code
from ladder.engines import is_served
from ladder.errors import LadderError, Problem, TaskError
from ladder.files import read_text
from ladder.redaction import redact
from ladder.rungs.r3_lora import named_recipe
from ladder.samples.synthetic import record_path
from ladder.task import DATASETS_PREFIX, TASK_FILE_LIMIT_BYTES, ModelRef, Task

PROJECT = "project"
"""The folder of the task in a bundle."""
FILES_OF_ENGINES = ("replay", "head", "encoder", "hf")
"""Kinds of models that may lie beside the task."""


@dataclass(frozen=True)
class Contents:
    """What of a task is carried."""

    files: dict[str, Path]
    """Place in the bundle -> the file here."""
    data: dict[str, str]
    """Role -> place in the bundle."""
    missing: tuple[str, ...]
    """What cannot be carried, a sentence each."""


def contents_of(task: Task) -> Contents:
    """Return the files that a task needs.

    Raises:
        TaskError: a name leads out of the task's folder, or the task file holds a secret.
    """
    _refuse_secrets(task)
    files = {f"{PROJECT}/{task.source.name}": task.source}
    data, missing = {}, []
    for role, value in task.data.files().items():
        name = value.removeprefix(DATASETS_PREFIX)
        if name != value and not task.find_data(name).is_dir():
            missing.append(f"the data set {name} of the hub (data.{role}): save it to a folder")
            continue
        place = _place(task, f"data.{role}", name)
        data[role] = place
        files |= _beneath(task.find_data(name), place)
        if role == "synthetic" and record_path(task.find_data(name)).is_file():
            record = record_path(task.find_data(name))
            files[str(Path(place).parent / record.name)] = record
    for ref in models_of(task):
        found, lack = _model(task, ref)
        files |= found
        missing += [lack] if lack else []
    files |= dict((*_code(task), *_recipe(task)))
    return Contents(files, data, tuple(missing))


def _refuse_secrets(task: Task) -> None:
    text = read_text(task.source, "a task file", TaskError, TASK_FILE_LIMIT_BYTES)
    if redact(text) != text:
        got, wanted = "a password or a key", "none: a bundle is passed on"
        fix = "Take it out of the address, and put it into the environment on the other side."
        raise TaskError([Problem(str(task.source), got, wanted, fix)])


def _place(task: Task, where: str, name: str) -> str:
    """Return where a named file lies in a bundle.

    Raises:
        TaskError: the name is absolute, or leads out of the folder.
    """
    inner = Path(os.path.normpath(name))
    if inner.is_absolute() or inner.parts[0] == os.pardir:
        fix = "Name it relative to the task file; a further folder of data: --data FOLDER"
        wanted = "a name that holds on another machine"
        raise TaskError([Problem(f"{task.source}: {where}", f"`{name}`", wanted, fix)])
    return f"{PROJECT}/{inner.as_posix()}"


def _beneath(path: Path, place: str) -> dict[str, Path]:
    """Return a file, or the files of a folder; links among them are left out."""
    if not path.is_dir():
        return {place: path}
    return {
        f"{place}/{each.relative_to(path).as_posix()}": each
        for each in sorted(path.rglob("*"))
        if each.is_file() and not each.is_symlink()
    }


def _model(task: Task, ref: ModelRef) -> tuple[dict[str, Path], str]:
    """Return the files of a model that lies beside the task, or what has to be brought."""
    if is_served(ref):
        return {}, f"the server of {ref.label}: it must answer on the other side"
    if ref.kind not in FILES_OF_ENGINES:
        return {}, ""
    name = ref.name if ref.place is None or ref.kind == "hf" else f"{ref.name}@{ref.place}"
    path = task.folder / name
    if not path.exists() or Path(name).is_absolute():
        return {}, f"the weights of {ref.label}: put them beside the task, and name the folder"
    place = _place(task, f"models ({ref.kind})", name)
    return _beneath(path, place), ""


def _code(task: Task) -> Iterator[tuple[str, Path]]:
    """Yield the Python files that a task names; they run there after consent, as here."""
    for each in named_code(task):
        inside = each.code is not None and each.code.place.is_relative_to(task.folder)
        if each.code is None or not inside:
            continue
        for name in each.code.files:
            path = each.code.place.parent / name
            yield f"{PROJECT}/{path.relative_to(task.folder).as_posix()}", path


def _recipe(task: Task) -> Iterator[tuple[str, Path]]:
    """Yield a recipe of the task's own."""
    try:
        recipe = named_recipe(task)
    except LadderError:
        return
    for path in recipe.files:
        if path.resolve().is_relative_to(task.folder.resolve()):
            inner = path.resolve().relative_to(task.folder.resolve())
            yield f"{PROJECT}/{inner.as_posix()}", path
