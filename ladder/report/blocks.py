"""What a report is made of: paragraphs, lists, tables and pictures, before it is Markdown or HTML.

Every sentence of a report is put together once, as such blocks, and written down twice: `markdown`
and `page`. Texts in them are shown as they are: whoever makes the blocks has taken them from a
record whose texts are escaped for the form that they are written in (`texts.each_text`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Strong:
    """A word that matters."""

    text: str


@dataclass(frozen=True)
class Code:
    """A name or a command, as it stands in the record: it is escaped where it is written."""

    text: str


@dataclass(frozen=True)
class Example:
    """The id of an eval example: on a page that shows it, a link."""

    id: str


@dataclass(frozen=True)
class Missed:
    """Words for wrong answers of a rung: on a page that shows them, a link."""

    text: str
    rung: str
    cause: str = ""
    """The cause, or the sign, that they have in common; empty: all that are wrong."""


@dataclass(frozen=True)
class Link:
    """A file beside the page, by its name there."""

    file: str


Part = str | Strong | Code | Example | Missed | Link
Said = str | tuple[Part, ...]
"""A sentence, or the parts of one."""


@dataclass(frozen=True)
class Heading:
    """A heading; 1: the report's own, 2: a section's, 3: a part's."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences; in a file each begins on a line of its own."""

    lines: tuple[Said, ...]


@dataclass(frozen=True)
class Quote:
    """What somebody else said: the goal of a task."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list; not shown where it is empty."""

    items: tuple[Said, ...]


@dataclass(frozen=True)
class Table:
    """A table, each row as long as its head."""

    head: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A picture of figures, and the same figures as a table for those who cannot see it."""

    caption: str
    """What it shows, in one sentence."""
    draw: Callable[[float], str]
    """Returns it as SVG, so many inches wide."""
    table: Table
    file: str = ""
    """Name of the picture beside a Markdown file; empty: it stands on the page alone."""
    explains: bool = False
    """The table says more than the picture: it is open on the page, and written in Markdown too."""


@dataclass(frozen=True)
class Folded:
    """What is long, and shown when asked for."""

    summary: str
    inside: tuple[Paragraph | Table, ...]


Block = Heading | Paragraph | Quote | Bullets | Table | Figure | Folded


def say(*lines: Said) -> Paragraph:
    """Return a paragraph of these sentences."""
    return Paragraph(lines)


def tabled(head: tuple[str, ...], *rows: tuple[Said, ...]) -> Table:
    """Return a table of these rows."""
    return Table(head, rows)
