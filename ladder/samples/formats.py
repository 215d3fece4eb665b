"""Read rows from JSON lines and arrays, CSV, Parquet and `datasets`."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from sys import intern
from typing import Any

from ladder.errors import DataError, MissingExtraError, Problem
from ladder.files import file_digest, problem_of
from ladder.json_values import JsonDecoder, from_json
from ladder.samples.articles import is_articles, questions
from ladder.samples.lines import LONGEST_LINE_BYTES, text_lines
from ladder.samples.saved import is_hub_id, outside, revision_of, texts_alone
from ladder.samples.values import class_names, with_names
from ladder.task import DATASETS_PREFIX, Task, kind_of_data
from ladder.trust.egress import fetching
from ladder.wording import harmless

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MANY_LINES = 20
"""A row of more lines that lacks cells is one whose quote was not closed."""
LEAST_OF_TABLE = 10
"""Rows from which on one object may hold a whole table."""
LINES_TRIED = 30
"""Lines of a CSV file that tell what stands between its cells."""


@dataclass
class Findings:
    """What was met while files were read, beside their rows."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """How this file was read, where that is not plain from its name."""
    warnings: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    """Column of this file -> what kind of values it holds, where they were translated."""


def content_digest(path: Path, problems: list[Problem]) -> str:
    """Return the digest of a file; a file that cannot be read is added to the problems."""
    try:
        return file_digest(path)
    except OSError as error:
        problem = problem_of(path, error, "a file that can be read")
        problems += [problem] if problem not in problems else []
        return ""


def raw_rows(
    task: Task, role: str, value: str, findings: Findings
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (file:line, row)."""
    if value.startswith(DATASETS_PREFIX):
        return _from_datasets(task, role, value.removeprefix(DATASETS_PREFIX), findings)
    return file_rows(task.find_data(value), findings)


def file_rows(path: Path, findings: Findings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (file:line, row) of a file whose name says how it is read."""
    readers = {"json": _from_json, "csv": _from_csv, "parquet": _from_parquet}
    return readers[kind_of_data(path.name)](path, findings)


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


class _Decoder(JsonDecoder):
    """Notes the keys that stand twice in one object: of their values the last is read."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=self._object)
        self.twice: list[str] = []
        self.rows, self.first = 0, ""

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = {intern(name): value for name, value in pairs}  # a name stands in every row
        if len(row) < len(pairs):
            names = [name for name, _ in pairs]
            self.twice.append(next(name for name in names if names.count(name) > 1))
        return row

    def note(self, where: str) -> None:
        """Note a row that was read, and go on with the next."""
        if self.twice:
            self.rows += 1
            self.first = self.first or f"{where}: the key `{self.twice[0][:40]}` stands twice"
            self.twice.clear()

    def warnings(self) -> list[str]:
        """Return what is to be said of such rows."""
        if not self.rows:
            return []
        many = f" ({self.rows:,} such rows)" if self.rows > 1 else ""
        return [f"{self.first}, and the last of its values is read{many}"]


def _from_json(path: Path, findings: Findings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Read JSON lines; or one array of objects, which is held whole."""
    lines = ((number, line) for number, line in text_lines(path, findings.problems))
    lines = ((number, line.lstrip("\ufeff")) for number, line in lines)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        return
    if first[1].lstrip().startswith("["):
        findings.notes.append("one JSON array")
        yield from _from_array(path, first[0], chain([first], lines), findings)
        return
    decoder, rows, row = _Decoder(), 0, None
    for number, line in chain([first], lines):
        if not line.strip():
            continue
        rows += 1
        where = f"{path}:{number}"
        try:
            row = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            findings.problems.append(_no_json(where, line.strip(), error))
            if number == first[0] and _goes_on(line, error):
                return
            continue
        decoder.note(f"{path.name}:{number}")
        if isinstance(row, dict) and is_articles(row):
            findings.notes.append("SQuAD's articles, a row for each question")
            yield from ((f"{where}: question {one['id']}", one) for one in questions(row))
            row = None
        elif isinstance(row, dict):
            yield where, row
        else:
            findings.problems.append(_no_object(where, row))
    if rows == 1 and isinstance(row, dict):
        findings.problems += _whole_table(path, row)
    findings.warnings += decoder.warnings()


def _whole_table(path: Path, row: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the mistake where one object holds all rows: in a list, or column by column."""
    wanted = "one JSON object for each row"
    for key, value in row.items():
        if isinstance(value, list) and len(value) >= LEAST_OF_TABLE and _are_rows(value):
            got = f"one object, whose `{key}` holds {len(value)} objects"
            fix = f"Write the list alone: jq '.{key}' {path.name} > NEW.json"
            yield Problem(str(path), got, wanted, fix)
            return
    sizes = {len(value) if isinstance(value, dict | list) else 0 for value in row.values()}
    if len(row) > 1 and len(sizes) == 1 and sizes.pop() >= LEAST_OF_TABLE:
        got = f"one object of {len(row)} columns"
        fix = 'Write it by rows; in pandas: to_json(path, orient="records", lines=True)'
        yield Problem(str(path), got, wanted, fix)


def _are_rows(values: list[Any]) -> bool:
    """Tell whether values are rows; a chat's turns are not."""
    objects = [value for value in values if isinstance(value, dict)]
    return len(objects) == len(values) and not any("role" in o or "from" in o for o in objects)


def _goes_on(line: str, error: Exception) -> bool:
    """Tell whether an object that begins on a line ends on a later one."""
    return isinstance(error, json.JSONDecodeError) and error.pos >= len(line.rstrip())


def _no_json(where: str, text: str, error: Exception) -> Problem:
    fix = "Write one JSON object on each line."
    if text.endswith("},"):
        fix += " Without commas between them, or all of them as one array: [{…}, {…}]"
    if _goes_on(text, error):
        fix = "Write each row on one line, or all of them as one array: [{…}, {…}]"
    return Problem(where, f"`{text[:40]}` ({error})", "a JSON object", fix)


def _no_object(where: str, row: Any) -> Problem:
    fix = 'Write each row as {"input": …, "target": …}.'
    return Problem(where, f"a JSON {type(row).__name__}", "a JSON object", fix)


def _from_array(
    path: Path, line: int, lines: Iterator[tuple[int, str]], findings: Findings
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects of an array, each with the line on which it begins."""
    problems, text = findings.problems, _joined(lines)
    if text is None:
        got, wanted = "an array of more", f"at most {LONGEST_LINE_BYTES:,} characters"
        fix = "Write one JSON object on each line: such a file may be of any size."
        problems.append(Problem(str(path), got, wanted, fix))
        return
    decoder = _Decoder()
    at, counted = _after_space(text, text.index("[") + 1), 0
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        where = f"{path}:{line}"
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            problems.append(_no_json(where, text[at : at + 40].strip(), error))
            return
        decoder.note(f"{path.name}:{line}")
        if isinstance(row, dict):
            yield where, row
        else:
            problems.append(_no_object(where, row))
        at = _after_space(text, at)
        if text[at : at + 1] not in (",", "]"):
            got = f"`{text[at : at + 40].strip()}`" if text[at:] else "the end of the file"
            problems.append(Problem(where, f"{got} behind this row", "a comma, or the array's end"))
            return
        at = _after_space(text, at + (text[at] == ","))
    if text[at + 1 :].strip():
        got = f"`{text[at + 1 :].strip()[:40]}` behind the array"
        problems.append(Problem(str(path), got, "one array alone"))
    findings.warnings += decoder.warnings()


def _joined(lines: Iterator[tuple[int, str]]) -> str | None:
    """Return lines as one text; None where it is too long to be held."""
    parts, size = [], 0
    for _, part in lines:
        parts.append(part)
        size += len(part)
        if size > LONGEST_LINE_BYTES:
            return None
    return "".join(parts)


def _after_space(text: str, at: int) -> int:
    found = re.compile(r"\s*").match(text, at)
    return found.end() if found else at


def _from_csv(path: Path, findings: Findings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    problems = findings.problems
    lines = (line for _, line in text_lines(path, problems))
    head = list(islice(lines, LINES_TRIED))
    said = re.fullmatch(r'"?sep=(.)"?\s*', head[0]) if head else None  # Excel's own first line
    mark = said[1] if said else _delimiter(head, path)
    if mark != ",":
        findings.notes.append(f"{DELIMITERS.get(mark, f'`{mark}`')} between the cells")
    skipped = 1 if said else 0
    reader = csv.DictReader(chain(head[skipped:], lines), delimiter=mark)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            got = f"two columns named {', '.join(twice)}"
            wanted, fix = "a name of its own for every column", "Rename one of them."
            problems.append(Problem(f"{path}:{1 + skipped}", got, wanted, fix))
        begins = reader.line_num + 1
        for row in reader:
            where, begins_at = f"{path}:{reader.line_num + skipped}", begins + skipped
            begins = reader.line_num + 1
            if not any(row.get(None, ())):  # spreadsheets write empty cells behind the last one
                row.pop(None, None)
            if None in row or None in row.values():
                got = "more cells than columns" if None in row else "fewer cells than columns"
                fix = f"Quote cells that hold {DELIMITERS.get(mark, mark)}."
                if None not in row and begins_at + MANY_LINES < begins + skipped:
                    got = f"a quote that opens in line {begins_at} and is not closed"
                    fix = "Close it, or double every quote that is a part of the text."
                problems.append(Problem(where, got, f"{len(names)} cells", fix))
            elif any(row.values()):  # spreadsheets write rows of empty cells behind the last one
                yield where, row
    except csv.Error as error:
        fix = "Fix the quotes, or give rows with very long texts as .jsonl."
        where = f"{path}:{reader.line_num + 1 + skipped}"  # the line at which reading stopped
        problems.append(Problem(where, str(error), "valid CSV", fix))


def _delimiter(head: Sequence[str], path: Path) -> str:
    """Return what stands between the cells: what gives the first rows as many cells as the header.

    Of marks that do so equally well the comma is taken (in a .tsv file the tab).
    """
    first = "\t" if ".tsv" in (suffix.lower() for suffix in path.suffixes) else ","
    best, most = first, 0.0
    for mark in sorted(DELIMITERS, key=lambda mark: mark != first):
        try:
            widths = [len(row) for row in csv.reader(head, delimiter=mark) if row]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        fits = sum(width == widths[0] for width in widths) / len(widths)
        if fits > most:
            best, most = mark, fits
    return best


def _from_parquet(path: Path, findings: Findings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("pyarrow", 'pip install "escalation-ladder[data]"') from None
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            features = {field.name: _feature_of(field.type) for field in schema}
            features |= _features(schema.metadata or {})
            _say_kinds(features, findings)
            for batch in file.iter_batches():
                for row in batch.to_pylist(maps_as_pydicts="lossy"):
                    number += 1
                    yield f"{path}:row {number}", _named(row, features)
    except (OSError, ValueError) as error:
        fix = "Write it again, or give the rows as jsonl."
        findings.problems.append(Problem(str(path), str(error)[:100], "a parquet file", fix))


def _feature_of(kind: Any) -> Any:
    """Return what of an Arrow type the datasets library's features would say: floats' sizes."""
    from pyarrow import types

    if types.is_float32(kind) or types.is_float16(kind):
        return {"_type": "Value", "dtype": f"float{kind.bit_width}"}
    if types.is_struct(kind):
        return {field.name: _feature_of(field.type) for field in kind}
    if any(test(kind) for test in (types.is_list, types.is_large_list, types.is_fixed_size_list)):
        return {"_type": "List", "feature": _feature_of(kind.value_type)}
    return None


def _features(metadata: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    """Return the features that the datasets library wrote into a parquet file, if it did."""
    try:
        features = from_json(metadata[b"huggingface"])["info"]["features"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _named(row: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, Any]:
    return {name: with_names(value, features.get(name)) for name, value in row.items()}


def _say_kinds(features: Mapping[str, Any], findings: Findings) -> None:
    for column, feature in features.items():
        if names := class_names(feature):
            findings.kinds[column] = f"ClassLabel of {len(names)} names"


def _from_datasets(
    task: Task, role: str, name: str, findings: Findings
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Read `<id-or-saved-folder>[@revision][#split]` with the datasets library."""
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("datasets", 'pip install "escalation-ladder[data]"') from None
    name, _, split = name.partition("#")
    name, _, revision = name.partition("@")
    split = split or {"train": "train", "examples": "train", "dev": "validation"}.get(role, "test")
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
            with fetching():
                table = datasets.load_dataset(name, revision=revision or None, split=split)
            _refuse_other_revision(role, name, revision, revision_of(table))
    except DataError:
        raise
    except Exception as error:  # the library raises many kinds; all mean: no rows from there
        got = f"{type(error).__name__}: {str(error)[:160]}"
        fix = "Name a folder written by save_to_disk, or an id that the hub serves."
        raise DataError([Problem(f"data.{role}: {name}", got, "a data set", fix)]) from None
    readable = texts_alone(table)
    features = readable.features.to_dict()
    _say_kinds(features, findings)
    for number, row in enumerate(readable, start=1):
        yield f"{name}#{split}:row {number}", _named(row, features)


def _refuse_other_revision(role: str, name: str, wanted: str, found: str) -> None:
    """Refuse another commit than the task pins: without a network the library takes any it has."""
    if re.fullmatch("[0-9a-f]{40}", wanted) and found and found != wanted:
        fix = f"Load that one with a network, or pin the one that is here: {name}@{found}"
        raise DataError([Problem(f"data.{role}: {name}", f"the revision {found}", wanted, fix)])
