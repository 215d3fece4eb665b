"""Projects of promptfoo: `promptfooconfig.yaml` with its prompts, tests and assertions.

https://www.promptfoo.dev/docs/configuration/reference. Tests stand in the file, or in CSV, JSON,
JSON lines or YAML beside it. JavaScript and Python are never run, addresses never fetched.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import islice, product
from pathlib import Path
from typing import Any

from ladder.errors import DataError, Problem
from ladder.files import read_text
from ladder.importers.base import (
    Collected,
    Imported,
    Row,
    Stated,
    no_rows,
)
from ladder.importers.promptfoo_asserts import Assertion, assertion_of, in_a_cell, stated
from ladder.importers.source import Source
from ladder.importers.templates import (
    Turn,
    as_text,
    chat_in,
    fill,
    is_plain,
    parted,
    parted_turns,
    turns_of,
)
from ladder.samples.values import text_of
from ladder.task import kind_of_data

KEYS = {"prompts", "providers", "tests", "defaultTest", "targets"}
FILE = "file://"
REMOTE = ("http://", "https://", "huggingface://", "s3://", "gs://", "az://")
PROGRAMS = (".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".py", ".rb", ".go", ".sh")
CELL = re.compile(r"__expected\d*")
MOST_COMBINATIONS = 10_000
"""Of the values of one test's lists."""
MOST_TEXT = 2_000_000
READ = {"prompts", "providers", "targets", "tests", "defaultTest", "description", "$schema"}
TEST_READ = {"vars", "assert", "description", "threshold", "metadata"}

Placed = tuple[str, dict[str, Any]]


@dataclass
class Project:
    """A configuration, and where it stands."""

    source: Source
    path: Path
    config: Mapping[str, Any]
    found: Collected = field(default_factory=Collected)

    @property
    def name(self) -> str:
        """The file, as messages call it."""
        return self.source.short(self.path)

    def file(self, value: Any) -> Path:
        """Return a file that the project names; it must lie inside it."""
        return self.source.inside(text_of(value).removeprefix(FILE), self.path)


def recognises(source: Source) -> bool:
    """Tell whether a source holds a project of promptfoo."""
    return bool(_configs(source))


def _configs(source: Source) -> list[Path]:
    return [path for path in source.files if _config_of(source, path)]


def _config_of(source: Source, path: Path) -> Mapping[str, Any]:
    """Return the configuration in a file; empty where it is none."""
    suffix = path.suffix.lower()
    try:
        if suffix in (".yaml", ".yml"):
            config = source.yaml(path)
        else:
            config = source.first(path) if suffix == ".json" else {}
    except DataError:
        if path.stem == "promptfooconfig":
            raise
        return {}
    is_one = isinstance(config, dict) and "prompts" in config and len(KEYS & config.keys()) > 1
    return config if is_one else {}


def read(source: Source) -> Imported:
    """Read a project.

    Raises:
        DataError: it cannot be read, names a file outside of it, or says of no test what is right.
    """
    paths = _configs(source)
    if not paths:
        got = "no `prompts` beside `tests` or `providers`"
        fix = "A configuration in JavaScript or Python is not run: write it as YAML first."
        wanted = "a promptfooconfig.yaml"
        raise DataError([Problem(str(source.path), got, wanted, fix)])
    if len(paths) > 1:
        top = [path for path in paths if path.parent == source.root] or paths
        if len(top) > 1:
            named = ", ".join(map(source.short, top[:5]))
            got, fix = f"{len(top)} configurations ({named})", "Name one of them."
            raise DataError([Problem(str(source.path), got, "one", fix)])
        paths = top
    project = Project(source, paths[0], _config_of(source, paths[0]))
    return _imported(project)


def _imported(project: Project) -> Imported:
    found, config = project.found, project.config
    default = _default(project)
    tests = list(_tests(project, config.get("tests"), f"{project.name}: tests"))
    if not tests:
        raise DataError([no_rows(str(project.path), "a project of promptfoo")])
    prompt, where = _prompt(project)
    goal, asked = parted_turns(prompt) if isinstance(prompt, list) else parted(prompt)
    texts = [turn["content"] for turn in prompt] if isinstance(prompt, list) else [prompt]
    if prompt and not all(map(is_plain, texts)):
        what = "a prompt with loops, conditions or filters"
        found.leave(where, what, "its text is kept in import.md; the input is what the tests vary")
        goal, asked = "", ""
    elif prompt:
        found.notes.append("the prompt's fixed part is the goal, what differs is the input")
    kinds: list[Assertion] = []
    for place, test in tests:
        for values in _combinations(place, {**_vars(default), **_vars(test)}, found):
            row, chosen = _row(project, place, test, default, values, asked)
            kinds += [chosen] if chosen else []
            found.add(place, row)
    _rest(project)
    score, why, least = stated(kinds, found)
    rate = _pass_rate(config)
    gate = "the mean of what an assertion's threshold asks of each answer" if least else ""
    if rate is not None:
        least, gate = rate, "PROMPTFOO_PASS_RATE_THRESHOLD of the project"
    said = Stated(goal, score, why, least, gate)
    return found.imported("promptfoo", text_of(config.get("description"))[:60], said)


def _default(project: Project) -> Mapping[str, Any]:
    """Return what holds for every test."""
    default = project.config.get("defaultTest")
    if isinstance(default, str) and default.startswith(FILE):
        if _is_program(default):
            _leave_program(project, f"{project.name}: defaultTest", default)
            return {}
        default = project.source.yaml(project.file(default))
    if not isinstance(default, Mapping):
        return {}
    for key in default:
        if key not in TEST_READ and default[key] not in (None, {}, []):
            where = f"{project.name}: defaultTest.{key}"
            project.found.leave(where, f"`{key}` of every test", "not carried over")
            project.found.texts.append((where, text_of(default[key])))
    return default


def _vars(test: Mapping[str, Any]) -> Mapping[str, Any]:
    given = test.get("vars")
    return given if isinstance(given, Mapping) else {}


# Tests.


def _tests(project: Project, given: Any, where: str) -> Iterator[Placed]:
    """Yield the tests of a project with their places."""
    if isinstance(given, Mapping) and ("vars" in given or "assert" in given):
        yield where, dict(given)
    elif isinstance(given, Mapping) and "path" in given:
        yield from _tests_of(project, text_of(given["path"]), where)
    elif isinstance(given, list):
        for number, one in enumerate(given, start=1):
            yield from _tests(project, one, f"{where}[{number}]")
    elif isinstance(given, str):
        yield from _tests_of(project, given, where)
    elif given not in (None, {}):
        project.found.leave(where, f"tests as {type(given).__name__}", "not read")


def _tests_of(project: Project, given: str, where: str) -> Iterator[Placed]:
    found = project.found
    if given.startswith(REMOTE):
        found.leave(where, f"tests at {given[:80]}", "not fetched: save them beside the project")
        return
    if _is_program(given):
        _leave_program(project, where, given)
        return
    name = given.removeprefix(FILE)
    if any(sign in name for sign in "*?["):
        base = project.path.parent
        below = [path for path in project.source.files if path.is_relative_to(base)]
        fitting = [
            path for path in below if fnmatch(str(path.relative_to(base)), name.lstrip("./"))
        ]
        if not fitting:
            found.leave(where, f"tests at {given[:80]}", "no such file")
        paths = fitting
    else:
        paths = [project.file(given.partition("#")[0])]
    for path in paths:
        yield from _tests_in(project, path)


def _tests_in(project: Project, path: Path) -> Iterator[Placed]:
    """Yield the tests of a file: CSV by its columns, else as in the configuration."""
    if kind_of_data(path.name) == "csv":
        for where, cells in project.source.records(path):
            yield where, _test_of(where, cells, project.found)
        return
    name = project.source.short(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        listed = project.source.yaml(path)
        yield from _tests(project, listed, name)
    elif kind_of_data(path.name) == "json":
        yield from ((where, record) for where, record in project.source.records(path))
    else:
        project.found.leave(name, f"tests in a {path.suffix} file", "save them as CSV or YAML")


def _test_of(where: str, cells: Mapping[str, Any], found: Collected) -> dict[str, Any]:
    """Return the test of a line of CSV: columns are variables, those with `__` mean something."""
    values: dict[str, Any] = {}
    asserted: list[Any] = []
    metadata: dict[str, Any] = {}
    test: dict[str, Any] = {}
    for column, cell in cells.items():
        name, text = column.strip(), text_of(cell)
        if not name.startswith("__"):
            values[name] = cell
        elif CELL.fullmatch(name):
            asserted += [in_a_cell(text)] if text else []
        elif name == "__description" and text:
            test["description"] = text
        elif name.startswith("__metadata:"):
            metadata[name.removeprefix("__metadata:")] = text
        elif text:
            found.leave(where, f"the column `{name}`", "not carried over")
    return {**test, "vars": values, "assert": asserted, "metadata": metadata}


def _combinations(
    where: str, values: Mapping[str, Any], found: Collected
) -> Iterator[dict[str, Any]]:
    """Yield the values of a test; a list stands for one test with each of its values."""
    lists = {name: value for name, value in values.items() if isinstance(value, list) and value}
    if not lists:
        yield dict(values)
        return
    every = product(*lists.values())
    for chosen in islice(every, MOST_COMBINATIONS):
        yield {**values, **dict(zip(lists, chosen, strict=True))}
    if next(every, None) is not None:
        what = f"more than {MOST_COMBINATIONS:,} combinations of values"
        found.leave(where, what, f"the first {MOST_COMBINATIONS:,} are read")


# One test.


def _row(
    project: Project,
    where: str,
    test: Mapping[str, Any],
    default: Mapping[str, Any],
    values: dict[str, Any],
    asked: str | list[Turn],
) -> tuple[Row, Assertion | None]:
    found = project.found
    filled = {name: _value(project, where, name, value) for name, value in values.items()}
    filled = {name: _nested(value, filled) for name, value in filled.items()}
    for key in test:
        if key not in TEST_READ and test[key] not in (None, {}, [], ""):
            found.leave(where, f"`{key}` of a test", "not carried over")
    for each in (test, default):
        if each.get("threshold") is not None:
            what = f"a test's `threshold: {text_of(each['threshold'])}` over its assertions"
            found.leave(where, what, "the scorer's own mean is gated")
    chosen: Assertion | None = None
    for given in (*_asserts(test), *_asserts(default)):
        made = assertion_of(project.name, where, given, filled, found)
        if made and chosen is None:
            chosen = made
        elif made:
            what = f"a further assertion, `{made.kind}`"
            found.leave(where, what, "one scorer is gated; the first has the target")
    row: Row = {"input": _asked(asked, filled), "meta": {"vars": filled}}
    row["meta"] |= {
        key: test[key] for key in ("description", "metadata") if test.get(key) not in (None, {}, "")
    }
    if chosen:
        key = "target" if len(chosen.targets) == 1 else "targets"
        row[key] = chosen.targets[0] if len(chosen.targets) == 1 else list(chosen.targets)
    return row, chosen


def _asserts(test: Mapping[str, Any]) -> Iterator[Any]:
    given = test.get("assert")
    for one in given if isinstance(given, list) else []:
        if isinstance(one, Mapping) and one.get("type") == "assert-set":
            yield from _asserts(one)
        else:
            yield one


def _value(project: Project, where: str, name: str, value: Any) -> Any:
    """Return a variable's value; of a file inside the project its text."""
    if not isinstance(value, str) or not value.startswith(FILE):
        return value
    if _is_program(value):
        _leave_program(project, f"{where}: vars.{name}", value)
        return value
    path = project.file(value)
    try:
        return read_text(path, "a text file", DataError, MOST_TEXT)
    except DataError:
        what = f"the variable `{name}` in a file that is no text, {path.suffix}"
        project.found.leave(where, what, "its name stays in its place")
        return value


def _nested(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a value with the names of others filled in, once."""
    return (fill(value, values) or value) if isinstance(value, str) and "{{" in value else value


def _asked(asked: str | list[Turn], values: Mapping[str, Any]) -> Any:
    if isinstance(asked, str):
        filled = fill(asked, values) if asked else None
        if filled:
            return filled
    else:
        texts = [fill(turn["content"], values) for turn in asked]
        if texts and None not in texts:
            return [{**turn, "content": text} for turn, text in zip(asked, texts, strict=True)]
    shown = {name: as_text(value) for name, value in values.items() if value not in (None, "")}
    if len(shown) == 1:
        return next(iter(shown.values()))
    return "\n".join(f"{name}: {text}" for name, text in shown.items())


# Prompts, and what else there is.


def _prompt(project: Project) -> tuple[str | list[Turn], str]:
    """Return the first prompt that can be read, and its place; the others are listed and kept."""
    found = project.found
    prompts = list(_prompts(project))
    readable = [(where, text) for where, text in prompts if text]
    for where, text in readable:
        found.texts.append((f"Prompt ({where})", text))
    for where, _ in readable[1:]:
        found.leave(where, "a further prompt", "kept in import.md: ladder tries its own wordings")
    if not readable:
        return "", project.name
    where, text = readable[0]
    listed = text.lstrip()
    chat = chat_in(listed) or (_yaml_chat(listed) if listed.startswith("- ") else None)
    return chat or text, where


def _yaml_chat(text: str) -> list[Turn] | None:
    from ladder.task.loading import read_yaml

    try:
        turns = read_yaml(text)[1]
    except Exception:  # a text that only looks like YAML is a prompt
        return None
    return turns_of(turns) if isinstance(turns, list) else None


def _prompts(project: Project) -> Iterator[tuple[str, str]]:
    given = project.config.get("prompts")
    listed = given if isinstance(given, list) else [given]
    for number, one in enumerate(listed, start=1):
        where = f"{project.name}: prompts[{number}]"
        if isinstance(one, Mapping):
            inner = one.get("raw", one.get("content", one.get("id", one.get("label"))))
            one = json.dumps(inner, ensure_ascii=False) if isinstance(inner, list) else inner
        if isinstance(one, str) and one:
            yield from _prompt_texts(project, where, one)


def _prompt_texts(project: Project, where: str, text: str) -> Iterator[tuple[str, str]]:
    named = text.startswith(FILE) or (
        "\n" not in text
        and "{{" not in text
        and Path(text.partition(":")[0]).suffix != ""
        and " " not in text
    )
    if not named:
        yield where, text
        return
    if _is_program(text):
        _leave_program(project, where, text)
        return
    if any(sign in text for sign in "*?["):
        project.found.leave(where, f"prompts at {text[:80]}", "name the files one by one")
        return
    path = project.file(text)
    content = read_text(path, "a prompt", DataError, MOST_TEXT)
    if path.suffix.lower() == ".csv":
        rows = list(csv.reader(io.StringIO(content)))
        parts = [row[0] for row in rows if row]
    elif path.suffix.lower() == ".jsonl":
        parts = [line for line in content.splitlines() if line.strip()]
    else:
        parts = re.split(r"(?m)^---\s*$", content) if path.suffix.lower() == ".txt" else [content]
    for number, part in enumerate(parts, start=1):
        place = project.source.short(path)
        yield (f"{place}, part {number}" if len(parts) > 1 else place), part.strip()


def _is_program(name: str) -> bool:
    plain = re.sub(r":[\w.]+$", "", name.removeprefix(FILE))
    return plain.lower().endswith(PROGRAMS) or name.startswith(("exec:", "python:"))


def _leave_program(project: Project, where: str, name: str) -> None:
    project.found.leave(where, f"a program, {name[:80]}", "never run: write out what it makes")


def _rest(project: Project) -> None:
    """List the providers, and every other key of the configuration."""
    found, config = project.found, project.config
    for key in ("providers", "targets"):
        given = config.get(key)
        for number, one in enumerate(given if isinstance(given, list) else [given], start=1):
            if one in (None, "", {}, []):
                continue
            name, options = _provider(one)
            where = f"{project.name}: {key}[{number}]"
            found.leave(where, f"the provider `{name}`", "name a model under `models.base`")
            for option in options:
                found.leave(
                    f"{where}.{option}", f"the provider option `{option}`", "not carried over"
                )
    for key, value in config.items():
        if key not in READ and value not in (None, {}, [], ""):
            found.leave(f"{project.name}: {key}", f"`{key}`", "not carried over; kept in import.md")
            if key != "env":  # it may hold keys
                found.texts.append((f"{project.name}: {key}", text_of(value)))


def _provider(given: Any) -> tuple[str, Sequence[str]]:
    if not isinstance(given, Mapping):
        return text_of(given), ()
    if "id" not in given and len(given) == 1:
        name, inner = next(iter(given.items()))
        return name, _options(inner)
    return text_of(given.get("id")), _options(given)


def _options(given: Any) -> list[str]:
    if not isinstance(given, Mapping):
        return []
    config = given.get("config")
    inner = [f"config.{name}" for name in config] if isinstance(config, Mapping) else []
    return [*inner, *(text_of(name) for name in given if name not in ("id", "config", "label"))]


def _pass_rate(config: Mapping[str, Any]) -> float | None:
    """Return the share of tests that must pass, where the project states it."""
    env = config.get("env")
    given = env.get("PROMPTFOO_PASS_RATE_THRESHOLD") if isinstance(env, Mapping) else None
    try:
        share = float(text_of(given)) / 100 if given is not None else 0.0
    except ValueError:
        return None
    return share if 0 < share <= 1 else None
