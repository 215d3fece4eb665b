"""How the columns of a file were understood: which were read as what, and which nobody reads."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ladder.task.schema import ColumnName

SAMPLE_COLUMNS: tuple[ColumnName, ...] = (
    "input",
    "target",
    "targets",
    "id",
    "doc_ids",
    "group",
    "stratum",
    "time",
)
COLUMNS_OF: Mapping[str, tuple[ColumnName, ...]] = {
    "documents": ("text", "id", "title"),
    "graded": ("input", "answer", "human", "target"),
    "preferences": ("input", "chosen", "rejected", "answer", "desirable"),
}
"""Role -> our columns; the other roles hold samples."""
OTHER_NAMES: Mapping[ColumnName, tuple[str, ...]] = {
    "input": ("text", "question", "prompt", "query", "sentence", "utterance", "message"),
    "target": (
        *("label", "answer", "output", "completion", "response", "category", "intent"),
        *("ideal", "gold", "expected", "expected_output", "ground_truth", "reference"),
    ),
    "targets": (
        *("answers", "labels", "references", "aliases", "alternatives", "variants"),
        *("accepted", "acceptable", "accepted_answers", "acceptable_answers", "also_right"),
    ),
    "id": ("uid", "row_id", "example_id"),
    "doc_ids": ("document", "document_id", "document_ids", "documents", "docs", "doc", "source_id"),
    "group": ("conversation_id", "customer_id", "session_id", "thread_id", "user_id", "group_id"),
    "stratum": ("strata", "kind", "segment", "slice"),
    "time": ("timestamp", "date", "created_at", "datetime"),
    "text": ("content", "body", "passage"),
    "human": ("grade", "score", "rating"),
    "title": ("name", "heading"),
    "chosen": ("preferred",),
    "rejected": ("dispreferred",),
}
"""Our column -> what data sets call it."""
PARTS_OF_INPUT = (
    *("instruction", "system", "system_prompt", "context", "passage", "history"),
    *("choices", "options", "premise", "hypothesis", "background", "evidence", "facts"),
    *("article", "paragraph", "paragraphs", "story", "dialogue", "chat_history", "knowledge"),
    *("contexts", "passages", "snippets", "table", "schema", "body", "persona"),
)
"""Columns that data sets keep beside the input, and that an answer may need."""
ALIKE = 0.75
"""Ratio of SequenceMatcher from which on one name is another, misspelt."""


@dataclass(frozen=True)
class Understood:
    """How one file was read."""

    role: str
    file: str
    """As the task file names it."""
    used: tuple[tuple[str, str], ...] = ()
    """(our column, what it was read from)."""
    unread: tuple[str, ...] = ()
    """Columns that nobody reads."""
    notes: tuple[str, ...] = ()
    """What is not plain from the file's name and columns."""
    warnings: tuple[str, ...] = ()
    """What may be a mistake in it."""


def our_columns(role: str) -> tuple[ColumnName, ...]:
    """Return the columns that a file of a role may have, by our names."""
    return COLUMNS_OF.get(role, SAMPLE_COLUMNS)


def nearest(column: str, ours: Iterable[ColumnName]) -> ColumnName | None:
    """Return the one of our columns that another name may mean; None where none is near.

    A name is near that differs in capitals, marks or a letter or two, or that data sets use.
    """
    names = {_letters(name): name for name in ours}
    own = _letters(column)
    if own in names:
        return names[own]
    called = {_letters(other): ours for ours, others in OTHER_NAMES.items() for other in others}
    if called.get(own) in names.values():
        return called[own]
    found = difflib.get_close_matches(own, names, n=1, cutoff=ALIKE)
    return names[found[0]] if found else None


def mapping(ours: str, theirs: str) -> str:
    """Return the line of the task file that maps a column of the user's to ours."""
    plain = re.fullmatch(r"[^\W\d][\w.]*", theirs) is not None
    return f"data: {{columns: {{{ours}: {theirs if plain else repr(theirs)}}}}}"


def column_lines(files: Sequence[Understood]) -> Iterator[str]:
    """Yield how the columns of each file were understood; files that are alike share a line."""
    alike: dict[str, list[str]] = {}
    for file in files:
        said = " · ".join(f"{ours} <- {theirs}" for ours, theirs in file.used)
        if file.unread:
            said += f" · not read: {', '.join(name or '(no name)' for name in file.unread[:12])}"
            said += f" and {len(file.unread) - 12} more" if len(file.unread) > 12 else ""
        for line in (said, *file.notes):
            alike.setdefault(line, []).append(file.file)
    for line, names in alike.items():
        yield f"{', '.join(dict.fromkeys(names))}: {line}"
    yield from (f"warning: {warning}" for file in files for warning in file.warnings)
    yield from dict.fromkeys(warning for file in files for warning in _doubtful(file))


def _doubtful(file: Understood) -> Iterator[str]:
    """Yield a warning for each unread column that may be meant to be read."""
    read = {ours for ours, _ in file.used}
    free = [name for name in our_columns(file.role) if name not in read]
    if "target" in read:
        free = [name for name in free if name != "targets"]
    for column in file.unread:
        ours = nearest(column, free)
        if column in our_columns(file.role):
            yield f"warning: the column `{column}` is not read: data.columns names another for it"
        elif _is_part(column, file) and not any(column in note for note in file.notes):
            yield (
                f"warning: the column `{column}` is not read, so no model sees it: where the "
                "answer needs it, make it a part of the input"
            )
        elif ours:
            yield (
                f"warning: the column `{column}` is not read: did you mean {ours}? "
                f"{mapping(ours, column)}"
            )


def alike(one: str, other: str) -> bool:
    """Tell whether two names differ in capitals, marks or a letter or two alone."""
    return bool(difflib.get_close_matches(_letters(one), [_letters(other)], n=1, cutoff=ALIKE))


def _is_part(column: str, file: Understood) -> bool:
    """Tell whether a column may be a part of the input: by its name, or as sentence2 of sentence1.

    A column of another role's file, such as the body of a document, is none.
    """
    if file.role in COLUMNS_OF:
        return False
    inputs = " + ".join(theirs for ours, theirs in file.used if ours == "input").split(" + ")
    numbered = {stem for name in inputs if (stem := re.sub(r"[\W_]?[1aA]$", "", name)) != name}
    own = re.sub(r"[\W_]?[2-9b-dB-D]$", "", column)
    return _letters(column) in set(map(_letters, PARTS_OF_INPUT)) or (
        own != column and own in numbered
    )


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
