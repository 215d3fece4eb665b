"""Which code a task names, and whether it may run: asked before anything is spent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ladder.engines import hf_folder
from ladder.errors import EngineError, Problem, TaskError
from ladder.scorers import code_behind, runs_code
from ladder.task import Task, model_parts
from ladder.trust.code import Code, read_code
from ladder.trust.settings import read_settings


@dataclass(frozen=True)
class Named:
    """Code that a task names."""

    where: str
    name: str
    """As the task writes it."""
    code: Code | None
    """None: it is fetched by name, or a trusted package holds it."""
    fetched: bool = False
    """Whether it is fetched, so that no digest stands for it."""


def named_code(task: Task, *, fetch: bool = False) -> list[Named]:
    """Return the code that a task names, without running any of it.

    Args:
        task: the user's job.
        fetch: have the code of a model on the hub fetched, to see its digest.

    Raises:
        TaskError: it is not there, or may not be named.
    """
    found = []
    for choice in task.score:
        if runs_code(choice):
            where = f"{task.source}: score"
            code = code_behind(choice, task.consent, where)
            fetched = code is None and choice.name.startswith("evaluate:")
            found.append(Named(where, choice.name, code, fetched))
    for reference in task.rules.remote_code:
        where = f"{task.source}: rules.remote_code"
        code = _model_code(task, reference, where, fetch=fetch)
        found.append(Named(where, reference, code, fetched=code is None))
    return found


def refuse_untrusted(task: Task) -> None:
    """Refuse a task that names code without a person's consent to it.

    Where nothing may run (a rehearsal), nothing is refused: nothing is run.

    Raises:
        TaskError: with each such name, and the commands that give consent.
    """
    if task.consent.granted == "nothing":
        return
    problems = list(_refused(task))
    if problems:
        raise TaskError(problems)


def _refused(task: Task) -> Iterator[Problem]:
    for named in named_code(task, fetch=_digests_count(task)):
        harmless = not named.fetched and (named.code is None or not named.code.files)
        if not harmless and not task.consent.holds_for(named.code):
            yield task.consent.missing(named.where, named.name, named.code)


def may_run(task: Task, reference: str) -> bool:
    """Tell whether the code in a model's folder may run: the task names it, and a person agrees."""
    if reference not in task.rules.remote_code or task.consent.granted == "nothing":
        return False
    where, fetch = f"{task.source}: rules.remote_code", _digests_count(task)
    return task.consent.holds_for(_model_code(task, reference, where, fetch=fetch))


def _digests_count(task: Task) -> bool:
    """Tell whether a digest can give consent: else nothing is fetched to see one."""
    return task.consent.granted == "trusted" and bool(read_settings().trusted_code)


def _model_code(task: Task, reference: str, where: str, *, fetch: bool) -> Code | None:
    """Return the code in a model's folder; None where it would be taken from elsewhere."""
    try:
        kind, name, revision = model_parts(reference)
    except ValueError as error:
        raise TaskError([Problem(where, f"`{reference}`", str(error))]) from None
    there = any(folder.is_dir() for folder in (Path(name), task.folder / name))
    if kind != "hf" or not (there or fetch):
        return None
    try:
        folder = hf_folder(name, revision, task.folder, own_code=True)
    except EngineError as error:
        raise TaskError([Problem(where, f"`{reference}` ({error})", "a model to be had")]) from None
    # The hub's cache links its files: what they lead to is digested as it is.
    code = read_code(folder, where, within=None if there else Path("/"))
    return None if _names_others(folder) else code


def _names_others(folder: Path) -> bool:
    """Tell whether a model has its code fetched from another repository: `owner/name--file.Class`.

    A config that cannot be read is no reason to trust it.
    """
    for path in sorted(folder.glob("*.json")):
        if path.is_file():
            try:
                values = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                return True
            if any("--" in text for text in _auto_maps(values)):
                return True
    return False


def _auto_maps(value: Any, inside: bool = False) -> Iterator[str]:
    """Yield every text beneath a key `auto_map`, however deep."""
    if isinstance(value, str) and inside:
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _auto_maps(inner, inside or key == "auto_map")
    elif isinstance(value, list):
        for inner in value:
            yield from _auto_maps(inner, inside)
