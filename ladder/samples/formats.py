"""Read rows from JSON lines, CSV, Parquet, text files and `datasets`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ladder.errors import DataError, MissingExtraError, Problem
from ladder.files import file_digest, open_file, problem_of
from ladder.samples.saved import is_hub_id, outside, texts_alone
from ladder.task import DATASETS_PREFIX, Task
from ladder.wording import harmless

LONGEST_LINE_BYTES = 100_000_000


def content_digest(path: Path, problems: list[Problem]) -> str:
    """Return the digest of a file; a file that cannot be read is added to the problems."""
    try:
        return file_digest(path)
    except OSError as error:
        problem = problem_of(path, error, "a file that can be read")
        problems += [problem] if problem not in problems else []
        return ""


def raw_rows(
    task: Task, role: str, value: str, problems: list[Problem]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (file:line, row)."""
    if value.startswith(DATASETS_PREFIX):
        return _from_datasets(task, role, value.removeprefix(DATASETS_PREFIX))
    path = task.find_data(value)
    readers = {".jsonl": _from_jsonl, ".csv": _from_csv, ".parquet": _from_parquet}
    return readers[path.suffix](path, problems)


def whole_text(
    numbered: list[tuple[str, Mapping[str, Any]]], problems: list[Problem]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Leave out rows with half a character (a lone surrogate): it could not be written again."""
    for where, row in numbered:
        try:
            json.dumps(row, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as error:
            got = f"half a character ({error.object[error.start]!r})"
            problems.append(Problem(where, got, "whole characters", "Export the row again."))
        else:
            yield where, row


def _raw_lines(path: Path, problems: list[Problem]) -> Iterator[bytes]:
    """Yield the lines of a file; what keeps the rest from being read is a problem."""
    number = 0
    try:
        with open_file(path) as file:
            while raw := file.readline(LONGEST_LINE_BYTES):
                number += 1
                if len(raw) == LONGEST_LINE_BYTES:
                    got, wanted = "a line without an end", f"less than {LONGEST_LINE_BYTES:,} bytes"
                    problems.append(Problem(f"{path}:{number}", got, wanted, "Cut the text."))
                    return
                yield raw
    except OSError as error:
        problems.append(problem_of(path, error, "a file that can be read"))


def _text_lines(path: Path, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(_raw_lines(path, problems), start=1):
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            got = f"a byte that is not UTF-8 ({raw[error.start : error.start + 1]!r})"
            fix = "Save the file with UTF-8 encoding."
            problems.append(Problem(f"{path}:{number}", got, "UTF-8 text", fix))
            yield number, "\n"  # keeps the count of lines right for what comes after


def _from_jsonl(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in _text_lines(path, problems):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            got, fix = f"`{line.strip()[:40]}` ({error})", "Write one JSON object on each line."
            problems.append(Problem(where, got, "a JSON object", fix))
            continue
        if isinstance(row, dict):
            yield where, row
        else:
            fix = 'Write each row as {"input": …, "target": …}.'
            problems.append(Problem(where, f"a JSON {type(row).__name__}", "a JSON object", fix))


def _from_csv(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(line for _, line in _text_lines(path, problems))
    try:
        names = list(reader.fieldnames or ())
        twice = sorted({name for name in names if names.count(name) > 1})
        if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
            got = f"one column named `{names[0][:60]}`"
            fix = "Save the file with commas between the cells."
            problems.append(Problem(f"{path}:1", got, "columns parted by commas", fix))
            return
        if twice:
            got = f"two columns named {', '.join(twice)}"
            wanted, fix = "a name of its own for every column", "Rename one of them."
            problems.append(Problem(f"{path}:1", got, wanted, fix))
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                got = "more cells than columns" if None in row else "fewer cells than columns"
                wanted = f"{len(reader.fieldnames or ())} cells"
                problems.append(Problem(where, got, wanted, "Quote cells that hold commas."))
            else:
                yield where, row
    except csv.Error as error:
        fix = "Fix the quotes, or give rows with very long texts as .jsonl."
        where = f"{path}:{reader.line_num + 1}"  # the line at which reading stopped
        problems.append(Problem(where, str(error), "valid CSV", fix))


def _from_parquet(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("pyarrow", 'pip install "escalation-ladder[data]"') from None
    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        fix = "Write it again, or give the rows as jsonl."
        problems.append(Problem(str(path), str(error)[:100], "a parquet file", fix))
        return
    for number, row in enumerate(rows, start=1):
        yield f"{path}:row {number}", row


def _from_datasets(task: Task, role: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Read `<id-or-saved-folder>[@revision][#split]` with the datasets library."""
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("datasets", 'pip install "escalation-ladder[data]"') from None
    name, _, split = name.partition("#")
    name, _, revision = name.partition("@")
    split = split or ("train" if role in ("train", "examples") else "test")
    folder = task.find_data(name)
    led_out = outside(folder) if folder.is_dir() else ""
    if led_out or not (folder.is_dir() or is_hub_id(name)):
        got = led_out or "neither a folder beside the task nor a hub's id"
        fix = "Name a folder written by save_to_disk, or an id that the hub serves."
        raise DataError([Problem(f"data.{role}: {harmless(name, 80)}", got, "a data set", fix)])
    try:
        if folder.is_dir():
            loaded = datasets.load_from_disk(str(folder))
            table = loaded[split] if isinstance(loaded, datasets.DatasetDict) else loaded
        else:
            table = datasets.load_dataset(name, revision=revision or None, split=split)
    except Exception as error:  # the library raises many kinds; all mean: no rows from there
        got = f"{type(error).__name__}: {str(error)[:160]}"
        fix = "Name a folder written by save_to_disk, or an id that the hub serves."
        raise DataError([Problem(f"data.{role}: {name}", got, "a data set", fix)]) from None
    for number, row in enumerate(texts_alone(table), start=1):
        yield f"{name}#{split}:row {number}", row
