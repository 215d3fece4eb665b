"""Which models may run code of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ladder.engines import hf_folder
from ladder.errors import EngineError, Problem, TaskError
from ladder.json_values import from_json
from ladder.task import ModelRef, Task
from ladder.trust.code import Code, read_code
from ladder.trust.settings import read_settings


def may_run(task: Task, reference: ModelRef) -> bool:
    """Tell whether the code in a model's folder may run: the task names it, and a person agrees."""
    if reference not in task.rules.remote_code or task.consent.granted == "nothing":
        return False
    where, fetch = f"{task.source}: rules.remote_code", digests_count(task)
    return task.consent.holds_for(model_code(task, reference, where, fetch=fetch))


def digests_count(task: Task) -> bool:
    """Tell whether a digest can give consent: else nothing is fetched to see one."""
    return task.consent.granted == "trusted" and bool(read_settings().trusted_code)


def model_code(task: Task, reference: ModelRef, where: str, *, fetch: bool) -> Code | None:
    """Return the code in a model's folder; None where it would be taken from elsewhere."""
    there = any(folder.is_dir() for folder in (Path(reference.name), task.folder / reference.name))
    if reference.kind != "hf" or not (there or fetch):
        return None
    try:
        folder = hf_folder(reference.name, reference.place, task.folder, own_code=True)
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
                values = from_json(path.read_text(encoding="utf-8"))
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
