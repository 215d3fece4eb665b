"""Read a task file: every mistake found at once, each with its line."""

from __future__ import annotations

import contextlib
import difflib
import errno
import hashlib
import math
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ladder.errors import Problem, TaskError
from ladder.files import fault_of_name, problem_of, read_text
from ladder.json_values import HALF, UNWRITABLE, odd_values
from ladder.redaction import keep_secrets_in
from ladder.task.files import check_data
from ladder.task.places import Location, dotted, duplicate_keys, line_of, lines_of, short, written
from ladder.task.schema import DataFiles, Prices, Task
from ladder.trust.code import Granted

TASK_FILE_LIMIT_BYTES = 1_000_000


MOST_VALUES = 100_000
"""A task file may hold this many values once its aliases are written out."""


TRUTHS = {"yes", "no", "on", "off", "true", "false", "y", "n"}
"""What YAML 1.1 reads as true or false."""


NO_SHARE = ("less_than_equal", "float_parsing", "float_type", "value_error")
LEAST_PERCENT = 10
"""A min_score from here on is meant in percent."""


SIGNS_OF_TEXT = (
    *("mapping values are not allowed", "cannot start any token", "found undefined alias"),
    *("alphabetic or numeric character", "expected <block end>", "constructor for the tag"),
    "expected ',' or ']'",
)
"""What PyYAML says of a text that holds a colon or begins with one of @ ` % * & ! " { [."""
SCHEMA: Location = ("answer", "schema")
"""What JSON has no words for is told of it by those who read it."""


def load_task(path: Path, data_root: Path | None = None, granted: Granted = "trusted") -> Task:
    """Read a task file.

    Args:
        path: the YAML file.
        data_root: a further folder in which data files may lie. Files outside the task's own
            folder and this one are refused, so that a task file from elsewhere cannot make
            `ladder` read what its user did not mean to show.
        granted: what of the code that the task names may run (`ladder.trust.code`).

    Raises:
        TaskError: with every mistake found.
    """
    text = _read(path)
    root, values = _parse(path, text)
    named = values if isinstance(values, dict) else {}
    _dates_as_text(named)
    keep_secrets_in([named.get(name) for name in ("models", "data", "score", "rules")])
    lines = lines_of(root)
    problems = [*_unnameable(path, data_root), *duplicate_keys(path, root)]
    odd = {at: got for at, got in odd_values(values) if UNWRITABLE not in got or at[:2] != SCHEMA}
    halves = {at: found for at, found in odd.items() if HALF in found}
    if halves:  # nothing else could be told of it
        raise TaskError([*problems, *_odd_problems(path, lines, halves, ())])
    task: Task | None
    told: list[Location] = []
    as_written = written(root)
    _whole_numbers_as_labels(named, as_written)
    try:
        task = Task.model_validate(values)
    except ValidationError as error:
        details: list[dict[str, Any]] = [dict(detail) for detail in error.errors()]
        told += [tuple(map(str, detail["loc"])) for detail in details]
        unquoted, others = _unquoted(path, lines, as_written, details)
        problems += [*unquoted, *(_explain(path, lines, detail) for detail in others)]
        task = _data_alone(values)
    problems += _odd_problems(path, lines, odd, told)
    if task is not None:
        task._source = path
        task._data_root = data_root
        task._granted = granted
        task._digest = hashlib.sha256(text.encode()).hexdigest()
        problems += check_data(task, lines)
    if task is None or problems:
        raise TaskError(problems)
    return task


def _unnameable(path: Path, data_root: Path | None) -> Iterator[Problem]:
    for place in (path, data_root):
        try:
            problem = fault_of_name(place.resolve()) if place else None
        except (OSError, RuntimeError):  # told where it is opened
            continue
        if problem:
            yield problem


def _odd_problems(
    path: Path,
    lines: Mapping[Location, int],
    odd: Mapping[Location, str],
    told: Sequence[Location],
) -> Iterator[Problem]:
    """Yield the values that can stand in no record, apart from those that something is told of."""
    for at, got in odd.items():
        if not any(at[: len(place)] == place for place in told):
            where = f"{path}:{line_of(lines, at)}: {dotted(at)}"
            wanted = "text, finite numbers, true or false, and lists and mappings of them"
            yield Problem(where, got, wanted, "Put a text between quotes.")


def _data_alone(values: Mapping[str, Any]) -> Task | None:
    """Return a task with its data section only, so that its files are checked in the same go."""
    try:
        alone: dict[str, Any] = {"data": DataFiles.model_validate(values.get("data"))}
    except ValidationError:
        return None
    return Task.model_construct(**alone)


def _read(path: Path) -> str:
    wanted = "a task file in YAML"
    try:
        found = path.stat()
    except OSError as error:
        problem = problem_of(path, error, wanted)
        missing = error.errno == errno.ENOENT
        fix = "Start with: ladder init" if missing else problem.fix
        raise TaskError([replace(problem, fix=fix)]) from None
    if stat.S_ISDIR(found.st_mode):
        fix = f"Name the file: {path / 'task.yaml'}"
        raise TaskError([Problem(str(path), "a folder", wanted, fix)])
    if found.st_size > TASK_FILE_LIMIT_BYTES:
        got = f"{found.st_size:,} bytes"
        fix = "Data belongs in files of its own, named under `data:`."
        raise TaskError([Problem(str(path), got, "at most 1 MB", fix)])
    return read_text(path, wanted, TaskError, TASK_FILE_LIMIT_BYTES)


class _Loader(yaml.SafeLoader):
    """Names the line of a number or a date that Python cannot hold."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:  # `!!bool x`, `!!float ""`, …
            got = f"`{str(node.value)[:20]}…` ({str(error).split(':')[0]})"
            mark = node.start_mark
            raise yaml.constructor.ConstructorError(None, None, got, mark) from None


class TooManyValuesError(ValueError):
    """Aliases stand for more values than a file may hold."""


def read_yaml(text: str) -> tuple[yaml.Node | None, Any]:
    """Return a YAML text as nodes with their lines, and as values.

    Raises:
        yaml.YAMLError: it is none.
        RecursionError: it is nested too deep.
        TooManyValuesError: its aliases stand for too many values.
    """
    root = yaml.compose(text, Loader=_Loader)
    if root is not None and _expanded(root, {}) > MOST_VALUES:
        raise TooManyValuesError("aliases that stand for too many values")
    return root, yaml.load(text, Loader=_Loader)


def _parse(path: Path, text: str) -> tuple[yaml.MappingNode, Any]:
    """Return the file as nodes with their lines, and as values."""
    fix = "Start from the example that `ladder init` writes."
    try:
        root, values = read_yaml(text)
    except TooManyValuesError as error:
        got, wanted = str(error), f"at most {MOST_VALUES:,}"
        raise TaskError([Problem(str(path), got, wanted, "Write the values out.")]) from None
    except yaml.YAMLError as error:
        raise TaskError([_yaml_problem(path, text, error)]) from None
    except RecursionError:
        raise TaskError([Problem(str(path), "values nested too deep", "plain keys", fix)]) from None
    if root is None:
        raise TaskError([Problem(str(path), "an empty file", "keys like `name:`", fix)])
    if not isinstance(root, yaml.MappingNode):
        got = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        raise TaskError([Problem(f"{path}:1", got, "a mapping with keys like `name:`", fix)])
    return root, values


def _yaml_problem(path: Path, text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
    got = str(getattr(error, "problem", None) or error).replace("\n", " ")
    written_line = "".join(text.split("\n")[line : line + 1])
    fix = "Fix the YAML at this line."
    if any(sign in got for sign in SIGNS_OF_TEXT):
        fix = (
            "A text with signs that mean something in YAML stands in quotes: goal: 'Say: yes or no'"
        )
    fix = "Indent with spaces, not tabs." if "\t" in written_line else fix
    return Problem(f"{path}:{line + 1}", got, "valid YAML", fix)


def _expanded(node: yaml.Node, sizes: dict[int, float]) -> float:
    """Return how many values a node stands for once its aliases are written out."""
    if id(node) not in sizes:
        sizes[id(node)] = math.inf  # what holds itself never ends
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        sizes[id(node)] = 1 + sum(_expanded(part, sizes) for part in inner)
    return sizes[id(node)]


def _dates_as_text(values: dict[str, Any]) -> None:
    """Take the day of a price as it is written: YAML makes 2026-11-01 a date, not a text."""
    for section in (values.get("prices"), values.get("hardware")):
        if isinstance(section, dict) and isinstance(day := section.get("priced"), date):
            section["priced"] = day.isoformat()


def _whole_numbers_as_labels(values: dict[str, Any], as_written: Mapping[Location, str]) -> None:
    """Take whole numbers among the labels as the text that they are written as: 0, 1, 2.

    Other numbers stay, and are refused: 010 is 8 to YAML, and 1.10 is 1.1.
    """
    answer = values.get("answer")
    labels = answer.get("labels") if isinstance(answer, dict) else None
    if isinstance(labels, list):
        texts = [as_written.get(("answer", "labels", str(at))) for at in range(len(labels))]
        pairs = zip(labels, texts, strict=True)
        labels[:] = [text if type(one) is int and text == str(one) else one for one, text in pairs]


def _unquoted(
    path: Path,
    lines: Mapping[Location, int],
    as_written: Mapping[Location, str],
    details: Sequence[dict[str, Any]],
) -> tuple[list[Problem], list[dict[str, Any]]]:
    """Return the mistakes of values that YAML reads as no text, and the details of the others.

    The values of one list are one mistake.
    """
    found: dict[Location, list[str]] = {}
    others = []
    for detail in details:
        at: Location = tuple(map(str, detail["loc"]))
        plain = not isinstance(detail.get("input"), list | dict | str)
        if detail["type"] == "string_type" and plain and at in as_written:
            place = at[:-1] if at[-1].isdecimal() else at
            found.setdefault(place, []).append(as_written[at])
        else:
            others.append(detail)
    problems = []
    for place, texts in found.items():
        got = ", ".join(f"`{text}`" if text else "nothing" for text in texts[:5])
        read = "which YAML does not read as text"
        if {text.lower() for text in texts} <= TRUTHS:
            read = "which YAML reads as true or false"
        whole = [text for at, text in as_written.items() if at[:-1] == place] or texts
        quoted = ", ".join(f'"{text}"' for text in whole[:12])
        fix = f"Write each in quotes: [{quoted}]" if place not in as_written else f"Write {quoted}."
        where = f"{path}:{line_of(lines, place)}: {dotted(place)}"
        problems.append(Problem(where, f"{got}, {read}", "text", fix))
    return problems, others


def _explain(path: Path, lines: Mapping[Location, int], detail: dict[str, Any]) -> Problem:
    """Turn one pydantic error into a Problem."""
    at: Location = tuple(part for part in map(str, detail["loc"]) if part != "[key]")
    where = f"{path}:{line_of(lines, at)}: {dotted(at)}"
    if detail["type"] == "extra_forbidden":
        known = _known_keys(at[:-1])
        nearest = difflib.get_close_matches(at[-1], known, n=1, cutoff=0.5)
        fix = f"Did you mean `{nearest[0]}`?" if nearest else ""
        return Problem(where, f"the unknown key `{at[-1]}`", f"one of {', '.join(known)}", fix)
    if detail["type"] == "missing":
        return Problem(where, "nothing", f"the key `{at[-1]}`", "It is required.")
    if at == ("gate", "min_score") and detail["type"] in NO_SHARE:
        return _share_wanted(where, detail["input"])
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["loc"][-1:] == ("[key]",) and not isinstance(detail["input"], str):
        where = f"{path}:{line_of(lines, at[:-1])}: {dotted(at[:-1])}"
        got = f"a key that YAML reads as {short(detail['input'])}"
        return Problem(where, got, "text", "Write the keys in quotes.")
    message = message.replace("a valid tuple", "a list").replace("a valid string", "text")
    message = message.replace("String should have", "text of").replace("Keys should be", "keys of")
    if detail["type"] == "string_pattern_mismatch":
        message = "letters, digits, '.', '_' or '-', starting with a letter or digit, at most 64"
    return Problem(where, short(detail.get("input")), message)


def _share_wanted(where: str, value: object) -> Problem:
    wanted = "a share from 0 to 1"
    if isinstance(value, str):  # 80% and 0,8
        with contextlib.suppress(ValueError):
            number = float(value.strip().removesuffix("%").replace(",", "."))
            share = number / 100 if "%" in value or number >= LEAST_PERCENT else number
            return Problem(where, short(value), wanted, f"Did you mean {share:g}?")
    if isinstance(value, int | float) and LEAST_PERCENT <= value <= 100:
        return Problem(where, short(value), wanted, f"Did you mean {value / 100:g}?")
    return Problem(where, short(value), wanted)


def _known_keys(at: Location) -> list[str]:
    section: type[BaseModel] = Task
    for part in at:
        field: FieldInfo | None = section.model_fields.get(part)
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            section = field.annotation
        elif field and "Prices" in str(field.annotation):
            section = Prices
    return [field.alias or name for name, field in section.model_fields.items()]
