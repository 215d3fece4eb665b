"""Read a task's files into samples, documents, grades and preferences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from sys import intern
from typing import Any

from ladder.errors import DataError, Problem
from ladder.files import digest_of
from ladder.samples.columns import Understood, alike, mapping, nearest, our_columns
from ladder.samples.formats import Findings, content_digest, raw_rows, whole_text
from ladder.samples.layouts import (
    OWN,
    Layout,
    UnreadableError,
    answer_of,
    columns_of,
    content_of,
    ends_late,
    layout_of,
    read_row,
    said_of,
    shared_system,
    the_layout,
)
from ladder.samples.parts import PARTS, WANTED, Part, part_of
from ladder.samples.preferences import Preference, mistake_of, told_before
from ladder.samples.rows import Document, Graded, Rows, Sample
from ladder.samples.values import container_in, is_scalar, list_in, nfc, plain, text_of
from ladder.task import DATASETS_PREFIX, ColumnName, Task

MOST_PROBLEMS_SHOWN = 20


PAIR: tuple[ColumnName, ColumnName] = ("chosen", "rejected")


MARKS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


RECENT = "recent"
"""What came in since a certification; a row may have its target or not."""
INPUTS_ALONE = ("unlabeled", "out_of_scope")
"""Roles whose rows have no target, or none that is read."""
SAMPLE_ROLES = ("train", "dev", "test", "examples", *INPUTS_ALONE, "synthetic", RECENT)


READ: tuple[str, Mapping[str, Any]] = ("", {})
"""Stands where a row was that is a sample by now."""


@dataclass
class _File:
    """One file of the task, while it is read."""

    role: str
    value: str
    numbered: list[tuple[str, Mapping[str, Any]]]
    findings: Findings
    layout: Layout = OWN
    theirs: dict[str, str] = field(default_factory=dict)
    """Our column -> theirs, where it is not the one that the task file names."""
    used: list[tuple[str, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    """Id -> the part that its row says it belongs to, where the task has a column of them."""


def read_rows(task: Task) -> Rows:
    """Read every data file of a task.

    Raises:
        DataError: with each wrong row, by file and line.
        MissingExtraError: a parquet file or a saved data set needs the `data` extra.
    """
    files = [_read_file(task, role, value) for role, value in task.data.files().items()]
    samples = [file for file in files if file.role in SAMPLE_ROLES]
    shared = _shared(samples)
    found: dict[str, tuple[Any, ...]] = {}
    digests = []
    for file in files:
        problems, empty = file.findings.problems, not file.numbered
        if file in samples:
            _translate(task, file, shared)
        found[file.role] = tuple(row for _, row in _placed(task, file))
        measured = file.role in ("test", "examples")  # the split says how many it needs
        if empty and not measured and not problems:
            fix, where = "Fill the file, or take it out of the task.", f"data.{file.role}"
            got = f"no rows in {file.value}"
            problems.append(Problem(f"{task.source}: {where}", got, "rows", fix))
        problems[:] = _said_once(problems, len(file.numbered))
        if file.value.startswith(DATASETS_PREFIX):
            digests.append((file.role, digest_of([asdict(row) for row in found[file.role]])))
        else:
            digests.append((file.role, content_digest(task.find_data(file.value), problems)))
    problems = [problem for file in files for problem in file.findings.problems]
    problems += _clashing_ids(task, found)
    parts = {name: part for file in files for name, part in file.parts.items()}
    if parts and not problems:
        found |= _parted(found["examples"], parts)
    if problems:
        shown = problems[:MOST_PROBLEMS_SHOWN]
        rest = len(problems) - len(shown)
        if rest:
            shown.append(Problem("…", f"{rest} more such rows", "none"))
        raise DataError(shown)
    return Rows(**found, digests=tuple(digests), files=tuple(map(_understood, files)))


def _shared(files: list[_File]) -> str:
    """Return the system prompt that all chats begin with; empty: there is none."""
    chats = [(file.layout, row) for file in files for _, row in file.numbered]
    return shared_system(chats) if len(chats) > 1 else ""


def read_recent(task: Task, path: Path) -> tuple[Sample, ...]:
    """Read rows that came in since the certification, by the task's columns.

    Where they are not answered, or not as the task's are, their inputs are read alone.

    Args:
        task: names the columns.
        path: of the file.

    Raises:
        DataError: with each wrong row, by file and line.
        MissingExtraError: a parquet file or a saved data set needs the `data` extra.
    """
    for role in (RECENT, "unlabeled"):
        file = _read_file(task, role, str(path.absolute()))
        _translate(task, file, "")
        found = tuple(sample for _, sample in _placed(task, file))
        if not file.findings.problems:
            break
    problems = _said_once(file.findings.problems, len(file.numbered))
    if problems:
        raise DataError(problems[:MOST_PROBLEMS_SHOWN])
    return found


def _parted(
    samples: tuple[Sample, ...], parts: Mapping[str, Part]
) -> dict[str, tuple[Sample, ...]]:
    """Return samples by the part that they say; without a test part those that choose judge."""
    made = {part: tuple(one for one in samples if parts[one.id] == part) for part in PARTS}
    if not made["test"]:
        made |= {"dev": (), "test": made["dev"]}
    return {"examples": (), **{str(part): rows for part, rows in made.items()}}


def _read_file(task: Task, role: str, value: str) -> _File:
    findings = Findings()
    rows = ((where, plain(row)) for where, row in raw_rows(task, role, value, findings))
    file = _File(role, value, list(whole_text(list(rows), findings.problems)), findings)
    if role in SAMPLE_ROLES:
        mapped, with_target = set(task.data.columns), role not in INPUTS_ALONE
        layouts = [layout_of(row, mapped, with_target) for _, row in file.numbered]
        layout = the_layout(file.numbered, layouts)
        if isinstance(layout, Problem):
            findings.problems.append(layout)
            file.numbered = []
        else:
            file.layout = layout
    _note_columns(task, file)
    return file


def _note_columns(task: Task, file: _File) -> None:
    """Note which columns of a file are read as which of ours, and which are not read."""
    there = list(dict.fromkeys(name for _, row in file.numbered for name in row))
    if file.layout is not OWN:
        columns, documents = dict.fromkeys(there), bool(task.data.documents)
        inputs, target = columns_of(file.layout, columns, documents)
        file.used.append(("input", " + ".join(inputs)))
        file.theirs["input"] = inputs[0]
        own_target = bool({"target", "targets"} & {*task.data.columns, *there})
        if not own_target:
            file.used.append(("target", _with_kind(file, target or inputs[0])))
            file.theirs["target"] = target or inputs[0]
        there = [name for name in there if name not in (*inputs, *([] if own_target else [target]))]
    read = set()
    split: tuple[ColumnName, ...] = ("split",) if _has_parts(task, file) else ()
    for ours in (*our_columns(file.role), *split):
        theirs = _column(task, ours)
        outer = theirs if theirs in there else theirs.partition(".")[0]
        if outer in there and ours not in file.theirs:
            file.used.append((ours, _with_kind(file, theirs)))
            read.add(outer)
    file.unread = [name for name in there if name not in read and file.role != "synthetic"]


def _has_parts(task: Task, file: _File) -> bool:
    """Tell whether rows say themselves which part they belong to."""
    return file.role == "examples" and "split" in task.data.columns


def _with_kind(file: _File, column: str) -> str:
    kind = file.findings.kinds.get(column)
    return f"{column} ({kind})" if kind else column


def _translate(task: Task, file: _File, shared: str) -> None:
    """Give the rows of a known layout their `input` and `target`, and note how."""
    if file.layout is OWN or not file.numbered:
        return
    documents = bool(task.data.documents)
    mapped = {"target", "targets"} & task.data.columns.keys()
    ours: ColumnName = "targets" if "targets" in mapped else "target"
    target = _column(task, ours) if mapped else ""
    columns = dict.fromkeys(name for _, row in file.numbered for name in row)
    file.findings.notes += said_of(file.layout, columns, target, documents, shared)
    late = sum(ends_late(file.layout, row) for _, row in file.numbered)
    if late and file.role not in INPUTS_ALONE:
        noun = "1 chat goes on" if late == 1 else f"{late} chats go on"
        said = f"{file.value}: {noun} after the assistant's last turn, which is not read"
        file.findings.warnings.append(said)
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for where, row in file.numbered:
        try:
            known = {**row, ours: _at(row, target)} if target else row
            made = read_row(file.layout, known, documents, shared, file.role not in INPUTS_ALONE)
        except UnreadableError as error:
            got, wanted = error.args
            place = f"{where}: {file.layout.needs[0]}"
            file.findings.problems.append(Problem(place, got, wanted))
        else:
            rows.append((where, made))
    file.numbered = rows


def _placed(task: Task, file: _File) -> Iterator[tuple[str, Any]]:
    """Yield (where, row) of a file, as its role has them; mistakes are added to its problems."""
    problems = file.findings.problems
    if file.role == "documents":
        yield from _read_documents(task, file.role, file.numbered, problems)
    elif file.role == "graded":
        yield from _read_graded(task, file.numbered, problems)
    elif file.role == "preferences":
        yield from _read_preferences(task, file.numbered, problems)
    else:
        yield from _read_samples(task, file)


def _understood(file: _File) -> Understood:
    return Understood(
        role=file.role,
        file=file.value,
        used=tuple(file.used),
        unread=tuple(file.unread),
        notes=tuple(file.findings.notes),
        warnings=tuple(file.findings.warnings),
    )


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


def _column(task: Task, name: ColumnName) -> str:
    return nfc(task.data.columns.get(name, name))


def _field(row: Mapping[str, Any], task: Task, name: ColumnName) -> Any:
    return _at(row, _column(task, name))


def _at(row: Mapping[str, Any], column: str) -> Any:
    """Return a column's value; `meta.source` is the `source` inside the column `meta`."""
    if column in row:
        return row[column]
    outer, dot, inner = column.partition(".")
    found = row.get(outer) if dot else None
    return _at(found, inner) if isinstance(found, Mapping) else None


def _read_samples(task: Task, file: _File) -> Iterator[tuple[str, Sample]]:
    problems = file.findings.problems
    for position, (where, row) in enumerate(file.numbered, start=1):
        file.numbered[position - 1] = READ  # of a million rows no second copy is held
        asked, wrong = _input(task, where, row), []
        if not asked:
            wrong.append(_missing(where, task, "input", row, file.theirs))
        targets: tuple[str, ...] = ()
        if file.role not in INPUTS_ALONE:
            try:
                targets = targets_of(task, row)
                if not targets and file.role != RECENT:
                    wrong.append(_missing(where, task, "target", row, file.theirs))
            except UnreadableError as error:
                wrong.append(_wrong_target(where, file.theirs.get("target"), task, error))
        part = part_of(text_of(_field(row, task, "split"))) if _has_parts(task, file) else None
        if part is None and _has_parts(task, file):
            wrong.append(_no_part(where, task, row))
        problems += wrong
        if wrong:
            continue
        sample = Sample(
            id=text_of(_field(row, task, "id")) or f"{file.role}-{position}",
            input=asked,
            target=intern(targets[0]) if targets else "",  # a label stands in many rows
            also_right=targets[1:],
            doc_ids=_texts(_field(row, task, "doc_ids")),
            group=text_of(_field(row, task, "group")),
            stratum=text_of(_field(row, task, "stratum")),
            time=text_of(_field(row, task, "time")),
        )
        if part is not None:
            file.parts[sample.id] = part
        yield where, sample


def _no_part(where: str, task: Task, row: Mapping[str, Any]) -> Problem:
    """Return what is wrong with a row that does not say which part it belongs to."""
    column, said = _column(task, "split"), text_of(_field(row, task, "split"))
    if not said:
        return _missing(where, task, "split", row)
    fix = "Write one of them, or take data.columns.split out: ladder then splits the rows."
    return Problem(f"{where}: {column}", f"`{said[:40]}`", WANTED, fix)


def _input(task: Task, where: str, row: Mapping[str, Any]) -> str:
    value = _field(row, task, "input")
    try:
        return content_of(value)
    except UnreadableError:  # a list of something else than turns
        return text_of(value)


def targets_of(task: Task, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the right answers of a row, each once: those of `target`, then those of `targets`.

    A list of texts (or numbers) holds several right answers. In a task whose answers are JSON a
    list in `target` is the answer itself; there `targets` holds several.

    Raises:
        UnreadableError: a list of anything else: what was found, what was wanted.
    """
    is_json = task.answer.type == "json"
    one, several = _field(row, task, "target"), _field(row, task, "targets")
    if isinstance(several, str):
        held = container_in(several)
        several = held if isinstance(held, dict | list) else list_in(several) or several
    if not is_json:
        one, several = answer_of(one), answer_of(several)
    if task.answer.type in ("label", "number"):
        _refuse_object(one)
        _refuse_object(several)
    given = one if isinstance(one, list) and not is_json else [one]
    given = [*given, *(several if isinstance(several, list) else [several])]
    if not is_json and any(isinstance(value, list) for value in (one, several)):
        _refuse_odd([value for value in (one, several) if isinstance(value, list)])
    return tuple(dict.fromkeys(text for value in given if (text := text_of(value))))


def _refuse_object(value: Any) -> None:
    """Refuse an object: neither a label nor a number is one."""
    if isinstance(value, dict):
        inner = next((key for key, one in value.items() if is_scalar(one)), "KEY")
        got = f"an object, `{text_of(value)[:60]}`"
        wanted = f"a text, or the column inside it that holds the answer (such as COLUMN.{inner})"
        raise UnreadableError(got, wanted)


def _refuse_odd(lists: list[list[Any]]) -> None:
    for values in lists:
        odd = next((value for value in values if not is_scalar(value) or value == ""), "")
        if odd != "" or "" in values:
            names = {dict: "objects", list: "lists", str: "empty texts", type(None): "empty values"}
            kind = names.get(type(odd), "other values")
            mixed = "" if all(type(value) is type(odd) for value in values) else " among others"
            got = f"a list with {kind}{mixed}, `{text_of(values)[:60]}`"
            raise UnreadableError(got, "a text, or a list of texts that are all right answers")


def _wrong_target(where: str, theirs: str | None, task: Task, error: UnreadableError) -> Problem:
    got, wanted = error.args
    fix = (
        "List the right answers as texts; where the list or object itself is the answer: "
        "answer: {type: json}"
    )
    return Problem(f"{where}: {theirs or _column(task, 'target')}", got, wanted, fix)


def _texts(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, or the one of a single value; missing ones are left out."""
    values = value if isinstance(value, list) else list_in(text_of(value)) or [value]
    return tuple(text for one in values if (text := text_of(one)))


def _read_documents(
    task: Task,
    role: str,
    numbered: list[tuple[str, Mapping[str, Any]]],
    problems: list[Problem],
) -> Iterator[tuple[str, Document]]:
    for position, (where, row) in enumerate(numbered, start=1):
        text = text_of(_field(row, task, "text"))
        if not text:
            problems.append(_missing(where, task, "text", row))
            continue
        document = Document(
            id=text_of(_field(row, task, "id")) or text_of(row.get("id")) or f"{role}-{position}",
            title=text_of(_field(row, task, "title")),
            text=text,
        )
        yield where, document


def _read_graded(
    task: Task,
    numbered: list[tuple[str, Mapping[str, Any]]],
    problems: list[Problem],
) -> Iterator[tuple[str, Graded]]:
    first: dict[tuple[str, str], str] = {}
    for where, row in numbered:
        asked, answer = text_of(_field(row, task, "input")), text_of(_field(row, task, "answer"))
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
        try:
            target = next(iter(targets_of(task, row)), "")
        except UnreadableError as error:
            problems.append(_wrong_target(where, None, task, error))
        else:
            yield where, Graded(asked, answer, human, target)


def _graded_problems(
    task: Task, where: str, row: Mapping[str, Any], human: float | None
) -> Iterator[Problem]:
    if not text_of(_field(row, task, "input")):
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
    numbered: list[tuple[str, Mapping[str, Any]]],
    problems: list[Problem],
) -> Iterator[tuple[str, Preference]]:
    """Read pairs, or single answers where the file knows neither `chosen` nor `rejected`."""
    in_pairs = any(_field(row, task, name) for _, row in numbered for name in PAIR)
    first: dict[Preference, str] = {}
    for where, row in numbered:
        needed: tuple[ColumnName, ...] = ("input", *PAIR) if in_pairs else ("input", "answer")
        missing = [name for name in needed if not text_of(_field(row, task, name))]
        if not in_pairs and _field(row, task, "desirable") is None:
            missing.append("desirable")
        problems += [_missing(where, task, name, row) for name in missing]
        if missing:
            continue
        texts = [text_of(_field(row, task, name)) for name in needed]
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


def _missing(
    where: str,
    task: Task,
    name: ColumnName,
    row: Mapping[str, Any],
    theirs: Mapping[str, str] | None = None,
) -> Problem:
    column = (theirs or {}).get(name) or _column(task, name)
    value = _at(row, column)
    if isinstance(value, bytes):
        fix = "Write the column as text."
        got = f"bytes that are no text ({value[:8]!r})"
        return Problem(f"{where}: {column}", got, "text, or its bytes in UTF-8", fix)
    if column in row or value is not None:
        return Problem(
            f"{where}: {column}", "an empty value", "text", "Fill it or take the row out"
        )
    got = f"the columns {', '.join(map(str, row))}"[:160]
    near = [other for other in row if nearest(other, (name,))]
    fix = f"Name yours in the task file: {mapping(name, near[0] if near else 'YOUR_COLUMN')}"
    if name in task.data.columns:
        near = [other for other in row if alike(other, column)]
        fix = f"Fix data.columns.{name} in the task file, or take it out."
        fix = f"Did you mean {mapping(name, near[0])}?" if near else fix
    return Problem(f"{where}: {column}", got, f"the column `{column}`", fix)


def _clashing_ids(task: Task, found: Mapping[str, tuple[Any, ...]]) -> Iterator[Problem]:
    """Ids must be unique among samples, and among documents."""
    for roles in (SAMPLE_ROLES, ("documents",)):
        rows = [row for role in roles for row in found.get(role, ())]
        if len({row.id for row in rows}) < len(rows):
            yield from _told_clashes(task, [role for role in roles if found.get(role)])


def _told_clashes(task: Task, roles: Sequence[str]) -> Iterator[Problem]:
    """Read files again, for where the ids stand: of a million rows that is not kept."""
    first: dict[str, str] = {}
    files = [_read_file(task, role, task.data.files()[role]) for role in roles]
    samples = [file for file in files if file.role in SAMPLE_ROLES]
    shared = _shared(samples)
    for file in files:
        if file in samples:
            _translate(task, file, shared)
        for where, row in _placed(task, file):
            if row.id in first:
                got = f"the id `{row.id}` again (first in {first[row.id]})"
                fix = "Give each row its own id, or leave the ids out."
                yield Problem(where, got, "an id of its own for every row", fix)
            else:
                first[row.id] = where
