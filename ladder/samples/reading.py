"""Read a task's files into samples, documents, grades and preferences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ladder.errors import DataError, Problem
from ladder.files import digest_of
from ladder.samples.formats import content_digest, raw_rows, whole_text
from ladder.samples.preferences import Preference, mistake_of, told_before
from ladder.samples.rows import Document, Graded, Rows, Sample
from ladder.task import DATASETS_PREFIX, ColumnName, Task

MOST_PROBLEMS_SHOWN = 20


PAIR: tuple[ColumnName, ColumnName] = ("chosen", "rejected")


MARKS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


_Reader = Callable[..., Iterator[tuple[str, Any]]]
"""(task, role, numbered rows, problems) -> (where, row)."""


def read_rows(task: Task) -> Rows:
    """Read every data file of a task.

    Raises:
        DataError: with each wrong row, by file and line.
        MissingExtraError: a parquet file or a saved data set needs the `data` extra.
    """
    problems: list[Problem] = []
    found: dict[str, tuple[Any, ...]] = {}
    places: dict[str, list[str]] = {}
    digests = []
    readers: dict[str, _Reader] = {
        "documents": _read_documents,
        "graded": _read_graded,
        "preferences": _read_preferences,
    }
    for role, value in task.data.files().items():
        known = len(problems)
        numbered = list(raw_rows(task, role, value, problems))
        numbered = list(whole_text(numbered, problems))
        read: _Reader = readers.get(role, _read_samples)
        placed = list(read(task, role, numbered, problems))
        measured = role in ("test", "examples")  # the split says how many it needs
        if not (numbered or measured) and len(problems) == known:
            fix = "Fill the file, or take it out of the task."
            problems.append(
                Problem(f"{task.source}: data.{role}", f"no rows in {value}", "rows", fix)
            )
        problems[known:] = _said_once(problems[known:], len(numbered))
        found[role] = tuple(row for _, row in placed)
        places[role] = [where for where, _ in placed]
        if value.startswith(DATASETS_PREFIX):
            digests.append((role, digest_of([asdict(row) for row in found[role]])))
        else:
            digests.append((role, content_digest(task.find_data(value), problems)))
    problems += _clashing_ids(found, places)
    if problems:
        shown = problems[:MOST_PROBLEMS_SHOWN]
        rest = len(problems) - len(shown)
        if rest:
            shown.append(Problem("…", f"{rest} more such rows", "none"))
        raise DataError(shown)
    return Rows(**found, digests=tuple(digests))


def _said_once(problems: list[Problem], rows: int) -> list[Problem]:
    """Say once that a column is missing, where no row of the file has it."""
    missing = [problem.wanted for problem in problems if problem.wanted.startswith("the column ")]
    everywhere = {wanted for wanted in missing if missing.count(wanted) == rows}
    kept = []
    for problem in problems:
        if problem.wanted not in everywhere or problem.wanted in missing:
            kept.append(problem)
        if problem.wanted in everywhere:
            missing = [wanted for wanted in missing if wanted != problem.wanted]
    return kept


def _field(row: Mapping[str, Any], task: Task, name: ColumnName) -> Any:
    return _at(row, task.data.columns.get(name, name))


def _at(row: Mapping[str, Any], column: str) -> Any:
    """Return a column's value; `meta.source` is the `source` inside the column `meta`."""
    if column in row:
        return row[column]
    outer, dot, inner = column.partition(".")
    found = row.get(outer) if dot else None
    return _at(found, inner) if isinstance(found, Mapping) else None


def _read_samples(
    task: Task,
    role: str,
    numbered: list[tuple[str, Mapping[str, Any]]],
    problems: list[Problem],
) -> Iterator[tuple[str, Sample]]:
    needed: tuple[ColumnName, ...] = ("input",) if role == "unlabeled" else ("input", "target")
    for position, (where, row) in enumerate(numbered, start=1):
        texts = {name: _text(_field(row, task, name)) for name in needed}
        missing = [name for name, text in texts.items() if not text]
        for name in missing:
            problems.append(_missing(where, task, name, row))
        if missing:
            continue
        doc_ids = _field(row, task, "doc_ids") or ()
        sample = Sample(
            id=_text(_field(row, task, "id")) or f"{role}-{position}",
            input=texts["input"],
            target=texts.get("target", ""),
            doc_ids=tuple(map(str, doc_ids if isinstance(doc_ids, list | tuple) else [doc_ids])),
            group=_text(_field(row, task, "group")),
            stratum=_text(_field(row, task, "stratum")),
            time=_text(_field(row, task, "time")),
        )
        yield where, sample


def _read_documents(
    task: Task,
    role: str,
    numbered: list[tuple[str, Mapping[str, Any]]],
    problems: list[Problem],
) -> Iterator[tuple[str, Document]]:
    for position, (where, row) in enumerate(numbered, start=1):
        text = _text(_field(row, task, "text"))
        if not text:
            problems.append(_missing(where, task, "text", row))
            continue
        document = Document(
            id=_text(_field(row, task, "id") or row.get("id")) or f"{role}-{position}",
            title=_text(_field(row, task, "title")),
            text=text,
        )
        yield where, document


def _read_graded(
    task: Task,
    role: str,
    numbered: list[tuple[str, Mapping[str, Any]]],
    problems: list[Problem],
) -> Iterator[tuple[str, Graded]]:
    first: dict[tuple[str, str], str] = {}
    for where, row in numbered:
        asked, answer = _text(_field(row, task, "input")), _text(_field(row, task, "answer"))
        human = _grade(_field(row, task, "human"))
        wrong = list(_graded_problems(task, where, row, human))
        if not wrong and (asked, answer) in first:
            got = f"the same input and answer again (first in {first[asked, answer]})"
            fix = "Keep one grade for each answer, e.g. the graders' mean."
            wrong.append(Problem(where, got, "one row for every input and answer", fix))
        problems += wrong
        if wrong or human is None:
            continue
        first[asked, answer] = where
        yield where, Graded(asked, answer, human, _text(_field(row, task, "target")))


def _graded_problems(
    task: Task, where: str, row: Mapping[str, Any], human: float | None
) -> Iterator[Problem]:
    if not _text(_field(row, task, "input")):
        yield _missing(where, task, "input", row)
    # An empty answer can be graded; one that is not there cannot.
    if _field(row, task, "answer") is None:
        yield _missing(where, task, "answer", row)
    given = _field(row, task, "human")
    if given is None:
        yield _missing(where, task, "human", row)
    elif human is None:
        column = task.data.columns.get("human", "human")
        fix = "1 is right, 0 is wrong; divide other scales by their highest grade."
        yield Problem(f"{where}: {column}", f"`{str(given)[:40]}`", "a grade from 0 to 1", fix)


def _read_preferences(
    task: Task,
    role: str,
    numbered: list[tuple[str, Mapping[str, Any]]],
    problems: list[Problem],
) -> Iterator[tuple[str, Preference]]:
    """Read pairs, or single answers where the file knows neither `chosen` nor `rejected`."""
    in_pairs = any(_field(row, task, name) for _, row in numbered for name in PAIR)
    first: dict[Preference, str] = {}
    for where, row in numbered:
        needed: tuple[ColumnName, ...] = ("input", *PAIR) if in_pairs else ("input", "answer")
        missing = [name for name in needed if not _text(_field(row, task, name))]
        if not in_pairs and _field(row, task, "desirable") is None:
            missing.append("desirable")
        problems += [_missing(where, task, name, row) for name in missing]
        if missing:
            continue
        texts = [_text(_field(row, task, name)) for name in needed]
        found = Preference(*texts) if in_pairs else _single(task, row, *texts)
        wrong = mistake_of(found) if isinstance(found, Preference) else found
        if isinstance(found, Preference) and wrong is None:
            wrong = told_before(found, first)
        if wrong is not None:
            problems.append(Problem(where, *wrong))
        elif isinstance(found, Preference):
            first[found] = where
            yield where, found


def _single(
    task: Task, row: Mapping[str, Any], asked: str, answer: str
) -> Preference | tuple[str, str, str]:
    """Return an answer that is wanted or not; else what is wrong with the mark."""
    mark = str(_field(row, task, "desirable")).strip().lower()
    if mark not in MARKS:
        column = task.data.columns.get("desirable", "desirable")
        return f"`{column}: {mark[:40]}`", "true or false", "Mark each answer as wanted or not."
    return Preference(asked, *((answer, "") if MARKS[mark] else ("", answer)))


def _grade(value: object) -> float | None:
    """Return a grade in 0..1, or None for anything else."""
    try:
        grade = float(str(value)) if not isinstance(value, bool) else float(value)
    except ValueError:
        return None
    return grade if 0 <= grade <= 1 else None


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False)
    return str(value).strip()


def _missing(where: str, task: Task, name: ColumnName, row: Mapping[str, Any]) -> Problem:
    column = task.data.columns.get(name, name)
    if column in row or _at(row, column) is not None:
        return Problem(
            f"{where}: {column}", "an empty value", "text", "Fill it or take the row out"
        )
    got = f"the columns {', '.join(map(str, row))}"[:160]
    fix = f"Name yours in the task file: data: {{columns: {{{name}: YOUR_COLUMN}}}}"
    if name in task.data.columns:
        fix = f"Fix data.columns.{name} in the task file, or take it out."
    return Problem(f"{where}: {column}", got, f"the column `{column}`", fix)


def _clashing_ids(
    found: Mapping[str, tuple[Any, ...]], places: Mapping[str, list[str]]
) -> Iterator[Problem]:
    """Ids must be unique among samples, and among documents."""
    for roles in (("train", "test", "examples", "unlabeled", "synthetic"), ("documents",)):
        first: dict[str, str] = {}
        for role in roles:
            for where, row in zip(places.get(role, ()), found.get(role, ()), strict=True):
                if row.id in first:
                    got = f"the id `{row.id}` again (first in {first[row.id]})"
                    fix = "Give each row its own id, or leave the ids out."
                    yield Problem(where, got, "an id of its own for every row", fix)
                else:
                    first[row.id] = where
