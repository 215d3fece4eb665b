"""What an importer returns: rows, what their source states of the task, and what was left behind.

Nothing of a source is executed and nothing is fetched. What has no equal here is listed with its
place, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ladder.errors import Problem
from ladder.files import digest_of
from ladder.importers.source import Source
from ladder.samples.values import text_of
from ladder.task import ScorerChoice

Row = dict[str, Any]
PLACES_SHOWN = 3
NEAREST = "the nearest scorer is taken: see `score` in task.yaml"


@dataclass(frozen=True)
class Left:
    """Something of the source that was not carried over, or not as it was."""

    where: str
    """Its place in the source."""
    what: str
    """What stands there; equal ones are told once."""
    instead: str
    """What became of it, or how to have it."""


@dataclass(frozen=True)
class Stated:
    """What a source states of the task; it goes before what the rows let one infer."""

    goal: str = ""
    score: tuple[ScorerChoice, ...] = ()
    score_why: str = ""
    min_score: float | None = None
    gate_why: str = ""


NOTHING_STATED = Stated()


@dataclass(frozen=True)
class Imported:
    """What was read of a source."""

    tool: str
    """Which tool wrote it, with its version where the source says it."""
    name: str
    """What the source calls itself; empty where it says nothing."""
    rows: tuple[Row, ...]
    """With `input`, `target` or `targets`, and where they came from; or with the source's own
    columns, of which the user must say which is which."""
    places: tuple[str, ...]
    """Of each row, in the source."""
    without_target: tuple[Row, ...] = ()
    documents: tuple[Row, ...] = ()
    stated: Stated = NOTHING_STATED
    notes: tuple[str, ...] = ()
    """What was read as what."""
    left: tuple[Left, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    """(heading, text) of what is kept word for word: prompts, rubrics, code."""


@dataclass(frozen=True)
class Format:
    """A tool's own form of files."""

    name: str
    title: str
    recognises: Callable[[Source], bool]
    """By the content.

    DataError: a file that has the format's own name is broken.
    """
    read: Callable[[Source], Imported]
    is_rows: bool = False
    """Plain rows with certain columns: any other format beside them goes first."""


@dataclass
class Collected:
    """What a reader gathers."""

    rows: list[Row] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    without_target: list[Row] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    documents: dict[str, Row] = field(default_factory=dict)
    """By their text."""

    def leave(self, where: str, what: str, instead: str) -> None:
        """List something that is not carried over."""
        self.left.append(Left(where, what, instead))

    def add(self, where: str, row: Row) -> None:
        """Add a row; one without a right answer or an input goes elsewhere, and is listed."""
        kept = {name: value for name, value in row.items() if value not in (None, "", [], {})}
        if not text_of(kept.get("input")):
            self.leave(where, "a sample without an input", "left out")
        elif "target" in kept or "targets" in kept:
            self.rows.append(kept)
            self.places.append(where)
        else:
            self.without_target.append(kept)
            self.leave(where, "a sample without a right answer", "kept in without_target.jsonl")

    def document(self, text: str, title: str = "") -> str:
        """Return the id of a document, the same for the same text."""
        made = {"id": f"doc-{len(self.documents) + 1}", "title": title, "text": text}
        kept = {name: value for name, value in made.items() if value}
        return str(self.documents.setdefault(text, kept)["id"])

    def imported(self, tool: str, name: str = "", stated: Stated = NOTHING_STATED) -> Imported:
        """Return all of it; ids that stand twice are told apart."""
        self._number_ids()
        return Imported(
            tool=tool,
            name=name,
            rows=tuple(self.rows),
            places=tuple(self.places),
            without_target=tuple(self.without_target),
            documents=tuple(self.documents.values()),
            stated=stated,
            notes=tuple(self.notes),
            left=tuple(self.left),
            texts=tuple(dict.fromkeys(self.texts)),
        )

    def _number_ids(self) -> None:
        seen: dict[str, int] = {}
        again = 0
        for number, row in enumerate(self.rows, start=1):
            own = text_of(row.get("id")) or f"row-{number}"
            seen[own] = seen.get(own, 0) + 1
            while seen[own] > 1:
                again += 1
                own = f"{own}-{seen[own]}"
                seen[own] = seen.get(own, 0) + 1
            row["id"] = own
        if again:
            self.notes.append(f"{again:,} ids stood more than once: a number was added to them")


def told_once(left: Iterable[Left]) -> Iterator[tuple[Left, list[str]]]:
    """Yield what was left with all its places; equal ones are one."""
    places: dict[tuple[str, str], list[str]] = {}
    for each in left:
        places.setdefault((each.what, each.instead), []).append(each.where)
    for (what, instead), where in places.items():
        yield Left(where[0], what, instead), list(dict.fromkeys(where))


def in_places(places: Sequence[str], most: int = PLACES_SHOWN) -> str:
    """Return places as words, the first ones named."""
    rest = len(places) - most
    return ", ".join(places[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def scorer(name: str, **parameters: Any) -> tuple[ScorerChoice, ...]:
    """Return one scorer, as a task names it."""
    return (ScorerChoice(name=name, parameters=parameters),)


def unread(record: Mapping[str, Any], known: Iterable[str]) -> Iterator[str]:
    """Yield the keys of a record that hold something and that nobody reads."""
    read = set(known)
    for key, value in record.items():
        if key not in read and value not in (None, "", [], {}, False):
            yield key


def without_repeats(rows: Iterable[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """Return rows without those whose whole content stood before."""
    return list({digest_of(row): (where, row) for where, row in reversed(list(rows))}.values())[
        ::-1
    ]


def no_rows(where: str, of: str) -> Problem:
    """Return the mistake of a source that is recognised, and holds no sample."""
    fix = "Export it again with its samples, or name the file that holds them."
    return Problem(where, f"{of} without a sample", "at least one", fix)
