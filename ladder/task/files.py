"""Check the files that a task names, before they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ladder.errors import Problem
from ladder.files import open_file, problem_of
from ladder.task.places import Location, line_of, short
from ladder.task.references import DATASETS_PREFIX, is_url, store_parts
from ladder.task.schema import Task

DATA_SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet")
KINDS_OF_DATA = {
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
PACKED = ".gz"
SHEETS = (".xlsx", ".xls", ".xlsm", ".ods")


def kind_of_data(name: str) -> str:
    """Return how a file of rows is read: json, csv or parquet; empty where its name says neither.

    Capitals do not matter, and a text file may be packed: `ROWS.CSV`, `rows.jsonl.gz`.
    """
    path = Path(name.lower())
    packed = path.suffix == PACKED
    kind = KINDS_OF_DATA.get(Path(path.stem).suffix if packed else path.suffix, "")
    return "" if packed and kind == "parquet" else kind


LEARNT_OR_JUDGED = ("train", "unlabeled", "out_of_scope", "preferences", "synthetic", "dev", "test")


def check_data(task: Task, lines: Mapping[Location, int]) -> Iterator[Problem]:
    """Yield what is wrong with the files that a task names."""
    given = task.data.files()

    def at(role: str) -> str:
        return f"{task.source}:{line_of(lines, ('data', role))}: data.{role}"

    beside = [role for role in ("train", "dev", "test") if role in given]
    if "examples" in given and beside:
        fix = "Keep `examples` alone (it is split for you), or name `train` and `test`."
        yield Problem(at("examples"), f"`examples` beside `{beside[0]}`", "one way", fix)
    if "out_of_scope" in given and task.answer.type != "label":
        got = f"`out_of_scope` beside answers of type {task.answer.type}"
        fix = "Take it out: only labels have a probability from which on they are given."
        yield Problem(at("out_of_scope"), got, "answer.type: label", fix)
    if "split" in task.data.columns and "examples" not in given:
        fix = "Take it out: `train`, `dev` and `test` are files of their own here."
        yield Problem(at("columns"), "`split` without `examples`", "`examples`", fix)
    if "examples" not in given and "test" not in given:
        fix = "Without held-out examples nothing can be measured."
        yield Problem(at("test"), "neither `test` nor `examples`", "one of them", fix)
    roles_of: dict[str, str] = {}
    for role, value in given.items():
        saved = value.startswith(DATASETS_PREFIX)  # each role reads its own split
        learnt_or_judged = role in LEARNT_OR_JUDGED and not saved
        first = roles_of.setdefault(os.path.normpath(value), role) if learnt_or_judged else role
        if first != role:
            fix = "What a model learns from cannot measure it: name another file."
            yield Problem(at(role), f"the file of `{first}` again", "a file of its own", fix)
        problem = _check_file(task, at(role), value)
        if problem:
            yield problem
    if task.data.store is not None:
        yield from _check_store(task, at("store"), task.data.store)


def _check_store(task: Task, where: str, value: str) -> Iterator[Problem]:
    if "documents" not in task.data.files():
        fix = "Name them under `documents`, or take `store` out."
        yield Problem(where, "a store without documents", "documents to keep in it", fix)
    address = store_parts(value)[1]
    if is_url(address):
        if "@" in address:  # not shown: it may hold a password
            fix = "A key stands in the environment, e.g. QDRANT_API_KEY, never in an address."
            yield Problem(where, "an address with `@`", "qdrant:http://HOST:PORT", fix)
        return
    try:
        inside = (task.folder / address).resolve().is_relative_to(task.folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        yield Problem(where, f"{short(value)} ({str(error)[:40]})", "the name of a folder")
        return
    if not inside:
        fix = "A task may write beside itself only."
        yield Problem(where, f"`{value}`, outside the task's folder", "a folder inside it", fix)


def _check_file(task: Task, where: str, value: str) -> Problem | None:
    name = value.removeprefix(DATASETS_PREFIX)
    saved = name != value
    if saved:
        name = re.split("[@#]", name)[0]  # without the revision and the split
    elif not kind_of_data(name):
        wanted = f"a file ending in {', '.join(DATA_SUFFIXES)}, or {DATASETS_PREFIX}<id-or-folder>"
        return Problem(where, f"`{value}`", wanted, conversion(name))
    try:
        roots = [root.resolve() for root in (task.folder, task.data_root) if root is not None]
        path = task.find_data(name)
        inside = any(path.resolve().is_relative_to(root) for root in roots)
        there = saved or path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a NUL, a link to itself
        return Problem(where, f"{short(value)} ({str(error)[:40]})", "the name of a file")
    if not inside:
        fix = "Put the file beside the task, or name its folder on the command line: --data FOLDER"
        return Problem(where, f"`{value}`, outside the task's folder", "a file inside it", fix)
    if not there:
        looked = " and ".join(str(root) for root in (task.folder, task.data_root) if root)
        fix = "Fix the name, put the file back, or assess with its folder: --data FOLDER"
        if where.endswith("data.synthetic"):
            fix = "Take the key out, run `ladder synth`, and name the file that it accepts."
        return Problem(where, f"no file `{value}` (looked in {looked})", "a file that exists", fix)
    return None if saved else _unreadable(where, value, path)


def conversion(name: str) -> str:
    """Say how a file of another kind becomes one that can be read."""
    suffix = Path(name).suffix.lower()
    if suffix in SHEETS:
        return "Save the sheet as CSV (UTF-8), and name that file."
    if suffix == ".arrow":
        return f"Name the folder that save_to_disk wrote: {DATASETS_PREFIX}FOLDER"
    if suffix in (".zip", ".bz2", ".xz", ".zst"):
        return "Unpack it, or pack it with gzip: rows.jsonl.gz"
    return "Convert the file, or name another one."


def _unreadable(where: str, value: str, path: Path) -> Problem | None:
    try:
        open_file(path).close()
    except OSError as error:
        found = problem_of(path, error, "a file that can be read")
        return replace(found, where=where, got=f"`{value}`, {found.got}")
    return None
