"""Which column of a file is the input and which the target, where no task file says so. Pure.

In this order: what the user says; a layout that `ladder check` knows; the columns' names, as data
sets use them; what the values can be. Where two columns are left there is a question, no guess.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ladder.errors import Problem
from ladder.language.words import count_words
from ladder.samples.columns import OTHER_NAMES, SAMPLE_COLUMNS, alike
from ladder.samples.layouts import OWN, Layout, layout_of, the_layout
from ladder.samples.parts import part_of
from ladder.samples.values import list_in, text_of
from ladder.task import ColumnName

Row = Mapping[str, Any]
OPEN_LAYOUTS = (
    *("question and answer", "prompt and completion"),
    *("text and label", "sentence and label"),
)
"""Layouts of two usual names: a third column may hold the answer just as well. The others (chats,
Alpaca, Dolly, SQuAD) are formats, which say where it stands."""
BESIDE = "meta"
"""The column in which data sets keep what belongs to no task."""
LEAST_WORDS = 3
"""Words on average from which on a column of unlike texts is free text."""
NEARLY_ALL = 0.95
DOCUMENT_COLUMNS: tuple[ColumnName, ...] = ("text", "title")
ONE_INPUT = "Where an answer needs several, write them into one column."
_ADDRESS_OR_DATE = re.compile(r"https?://\S+|\d{4}-\d{2}-\d{2}([T ][\d:.+Z-]+)?")
_KEY = re.compile(r"(?=.*\d)[\w.:/-]{6,}")


@dataclass(frozen=True)
class Chosen:
    """Which columns are read."""

    columns: tuple[tuple[ColumnName, str], ...] = ()
    """(ours, theirs), as `data.columns` maps them; those with our names or of a layout are not."""
    layout: Layout = OWN
    reasons: tuple[str, ...] = ()
    """Why, where neither the user nor a layout says it."""


@dataclass(frozen=True)
class Doubt:
    """Several columns may be the one: somebody must say which."""

    option: str
    """Of the command line, with which it is said."""
    candidates: tuple[str, ...]
    wanted: str
    hint: str = ""


@dataclass(frozen=True)
class _Column:
    """What the values of a column can be."""

    name: str
    varies: bool
    may_be_target: bool
    is_free_text: bool


def choose_columns(
    numbered: Sequence[tuple[str, Row]], asked: str = "", answer: str = ""
) -> Chosen | Doubt | Problem:
    """Return the columns of the input and of the target, or what keeps them from being known.

    Args:
        numbered: (where, row) of a file, with its columns as the file names them.
        asked: the column that the user names as the input, or empty.
        answer: the one that the user names as the target, or empty.
    """
    rows = [row for _, row in numbered]
    names = list(dict.fromkeys(name for row in rows for name in row))
    for option, said in (("--input", asked), ("--target", answer)):
        if said and said not in names and said.partition(".")[0] not in names:
            return _strange(option, said, names)
    mapped = [ours for ours, said in (("input", asked), ("target", answer)) if said]
    found = [layout_of(row, mapped, with_target=True) for row in rows]
    layout = the_layout(list(numbered), found)
    if isinstance(layout, Problem):
        return layout
    if any(found) and not asked:
        return _of_layout(layout, rows, names, answer)
    return _of_values(rows, names, asked, answer)


def _strange(option: str, said: str, names: Sequence[str]) -> Problem:
    near = next((name for name in names if alike(name, said)), "")
    fix = f"Did you mean `{near}`?" if near else ""
    return Problem(option, f"`{said}`", f"one of the columns {', '.join(names)}", fix)


def _of_layout(
    layout: Layout, rows: Sequence[Row], names: Sequence[str], answer: str
) -> Chosen | Doubt:
    if answer:
        ours = _target_kind(rows, answer)
        return Chosen(((ours, answer),) if ours != answer else (), layout)
    own = next((name for name in layout.answers if name in names), "")
    if layout.name in OPEN_LAYOUTS and not {"target", "targets", *layout.more} & set(names):
        rivals = [name for name in names if _is_named(name, ("target", "targets"))]
        rivals = [name for name in rivals if name not in layout.answers]
        if rivals:
            return Doubt("--target", (own, *rivals), "the target")
    if own and layout is not OWN and _target_kind(rows, own) == "targets":
        said = f"`{own}` holds lists of right answers, written as texts"
        return Chosen((("targets", own),), layout, (said,))
    return Chosen((), layout)


def _of_values(
    rows: Sequence[Row], names: Sequence[str], asked: str, answer: str
) -> Chosen | Doubt | Problem:
    """Choose by names, and by values where names say nothing."""
    of_task = [name for name in names if name != BESIDE]
    columns = [_profile(name, [row.get(name) for row in rows]) for name in of_task]
    of_rows = tuple(name for name in SAMPLE_COLUMNS if name not in ("input", "target", "targets"))
    told = {
        each.name for each in columns if _is_named(each.name, of_rows) and not each.is_free_text
    }
    free = [each for each in columns if each.name not in told] or columns
    reasons: list[str] = []
    single = asked or _input([each for each in free if each.name != answer], reasons)
    target = answer or _target(free, columns, single, reasons)
    if not isinstance(target, str):
        return target
    if not single:
        rest = [each for each in free if each.name != target and each.varies]
        left = [each.name for each in rest if each.is_free_text] or [each.name for each in rest]
        if len(left) != 1:
            return _no_single(left, names, "--input", "the input")
        single = left[0]
        reasons.append(f"`{single}` is the input: no other column is left that may be it")
    if single == target:
        return Problem("--target", f"`{target}`, which is the input", "another column")
    ours: list[tuple[ColumnName, str]] = [("input", single), (_target_kind(rows, target), target)]
    return Chosen(tuple(pair for pair in ours if pair[0] != pair[1]), OWN, tuple(reasons))


def _input(columns: Sequence[_Column], reasons: list[str]) -> str:
    """Return the input by its name, or as the only free text; empty where neither tells it."""
    named = [each.name for each in columns if _is_named(each.name, ("input",))]
    if len(named) == 1:
        reasons.append(f"`{named[0]}` is the input, by its name")
        return named[0]
    texts = [each.name for each in columns if each.is_free_text]
    texts = [name for name in texts if not _is_named(name, ("target", "targets"))]
    if len(texts) == 1 and not named:
        reasons.append(f"`{texts[0]}` is the input: the only column of free text")
        return texts[0]
    return ""


def _target(
    free: Sequence[_Column], every: Sequence[_Column], single: str, reasons: list[str]
) -> str | Doubt | Problem:
    """Return the target by its name, or as the only column that may be it.

    Columns whose names say something else (`free` is without them) come in where no other is left.
    """
    named = [each.name for each in free if _is_named(each.name, ("target", "targets"))]
    named = [name for name in named if name != single]
    if len(named) == 1:
        reasons.append(f"`{named[0]}` is the target, by its name")
        return named[0]
    able = named
    for columns in (free, every):
        able = able or [each.name for each in columns if each.may_be_target and each.name != single]
    if len(able) == 1:
        reasons.append(f"`{able[0]}` is the target: no other column is left that may be it")
        return able[0]
    return _no_single(able, [each.name for each in every], "--target", "the target")


def _no_single(
    candidates: Sequence[str], names: Sequence[str], option: str, wanted: str
) -> Doubt | Problem:
    if candidates:
        return Doubt(option, tuple(candidates), wanted, ONE_INPUT if option == "--input" else "")
    got = f"the columns {', '.join(name or '(no name)' for name in names)}"
    fix = f"Name it: {option} COLUMN. Every row must have a value in it."
    return Problem("", got, f"one that may be {wanted}", fix)


def _is_named(column: str, ours: Iterable[ColumnName]) -> bool:
    """Tell whether data sets call one of our columns so; not by a likeness of letters alone."""
    return any(_is_called(column, name) for name in ours)


def _is_called(column: str, ours: ColumnName) -> bool:
    return _letters(column) in {_letters(name) for name in (ours, *OTHER_NAMES.get(ours, ()))}


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _target_kind(rows: Sequence[Row], column: str) -> ColumnName:
    """Return `targets` where nearly every value is the text of a list, as CSV can hold it."""
    values = [row[column] for row in rows if column in row]
    texts = [value for value in values if isinstance(value, str)]
    listed = sum(bool(list_in(text)) for text in texts)
    return "targets" if values and listed >= NEARLY_ALL * len(values) else "target"


def _profile(name: str, values: Sequence[Any]) -> _Column:
    texts = [text for value in values if (text := text_of(value))]
    distinct = len(set(texts))
    words = sum(map(count_words, texts)) / max(1, len(texts))
    plain = all(isinstance(value, str) for value in values if value is not None)
    is_text = plain and 2 * distinct > len(texts) and words >= LEAST_WORDS
    varies = len(texts) == len(values) and distinct > 1
    return _Column(name, varies, varies and not _is_key(texts, distinct), is_text)


def _is_key(texts: Sequence[str], distinct: int) -> bool:
    """Tell whether values name or date their rows: they count, are unlike codes, links or dates."""
    if all(_ADDRESS_OR_DATE.fullmatch(text) for text in texts):
        return True
    if distinct < len(texts):
        return False
    if all(re.fullmatch(r"\d{1,12}", text) for text in texts):
        numbers = sorted(map(int, texts))
        return numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return all(_KEY.fullmatch(text) and not _is_decimal(text) for text in texts)


def _is_decimal(text: str) -> bool:
    return re.fullmatch(r"\d+([.,]\d+)*", text) is not None


def lacks_a_header(rows: Sequence[Row]) -> bool:
    """Tell whether the first line of a table is a row: one of its cells comes again, twice.

    A name that data sets use for a column is one, whatever the cells are.
    """
    known = {_letters(name) for name in (*SAMPLE_COLUMNS, *chain(*OTHER_NAMES.values()))}
    if any(_letters(name) in known for name in rows[0]):
        return False
    counts = {name: Counter(text_of(row.get(name)) for row in rows) for name in rows[0]}
    return any(name and count[name] > 1 for name, count in counts.items())


def column_of_parts(rows: Sequence[Row]) -> str:
    """Return the column that says which rows are for training and which are held out, or empty."""
    for name in dict.fromkeys(name for row in rows for name in row):
        parts = {part_of(text_of(row.get(name))) for row in rows}
        if None not in parts and "train" in parts and len(parts) > 1:
            return name
    return ""


def document_columns(numbered: Sequence[tuple[str, Row]]) -> dict[ColumnName, str] | Problem:
    """Return the columns of documents that are not named as ours: of the text, and of the title."""
    names = list(dict.fromkeys(name for _, row in numbered for name in row))
    found: dict[ColumnName, str] = {}
    for ours in DOCUMENT_COLUMNS:
        named = [name for name in names if _is_called(name, ours)]
        if ours not in names and len(named) == 1:
            found[ours] = named[0]
    if "text" in names or "text" in found:
        return found
    profiles = [_profile(name, [row.get(name) for _, row in numbered]) for name in names]
    texts = [each.name for each in profiles if each.is_free_text]
    if len(texts) == 1:
        return {**found, "text": texts[0]}
    got = f"the columns {', '.join(name or '(no name)' for name in names)}"
    return Problem("", got, "one with the text of a document", "Name it `text`.")


def column_of_ids(rows: Sequence[Row], ids: Collection[str]) -> str:
    """Return the column whose values name documents; empty where none does, or `doc_ids` is ours.

    Args:
        rows: with their columns as the file names them.
        ids: of the documents.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    if "doc_ids" in names or not ids:
        return ""
    for name in names:
        values = [text for row in rows if (text := text_of(row.get(name)))]
        if 2 * len(values) > len(rows) and set(values) <= set(ids):
            return name
    return ""
