"""What a database must do to keep documents for `ladder.retrieval.stores.store`.

The database ranks by its own search; its scores are handed on as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ladder.errors import StateError
from ladder.files import alone_in, clear_disk_errors, private_folder
from ladder.json_values import from_json
from ladder.wording import harmless

SLICE = 2000
"""Rows that are read or written at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """A text to search in."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it is kept."""

    id: str
    text: str
    digest: str
    vector: Any = None
    """float32 (dimension,), of length 1; None where there is no embedder."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found."""

    id: str
    score: float
    """The database's own BM25 score, or the cosine; greater is better."""


class Backend(Protocol):
    """A table of rows in some database: a class with these, and a line in `store.STORES`."""

    def notes(self) -> dict[str, Any] | None:
        """Return what was kept by `keep_notes`, or None.

        Raises:
            StateError: the place holds what `ladder` did not write.
        """
        ...

    def keep_notes(self, notes: dict[str, Any]) -> None:
        """Keep a JSON-able value in place of the last one, whole or not at all."""
        ...

    def clear(self, dimension: int | None) -> None:
        """Make the table anew, without rows.

        Args:
            dimension: of the rows' vectors; None where they have none.
        """
        ...

    def digests(self) -> dict[str, str]:
        """Return id -> digest of every row."""
        ...

    def write(self, entries: Sequence[Entry]) -> None:
        """Write rows; one with an id that is there takes its place."""
        ...

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows."""
        ...

    def index(self) -> None:
        """Bring the index up to date with the rows."""
        ...

    def near_words(self, query: str, limit: int) -> list[Hit]:
        """Return the rows with the best BM25 scores, best first; none without a word of it."""
        ...

    def near_vector(self, query: Any, limit: int) -> list[Hit]:
        """Return the rows with the highest cosines, best first, without an approximate index."""
        ...


@contextmanager
def held_folder(address: str, name: str) -> Iterator[Path]:
    """Make the folder `address/name` and hold it: another process waits until it is let go.

    Raises:
        StateError: it cannot be written; or it, or something in it, is a link or a device: a task
            from elsewhere could have other files read or written through it.
    """
    folder = Path(address) / name
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink() or (path.exists() and not (path.is_file() or path.is_dir())):
            fix = "Move the store away; it is built anew."
            raise StateError(
                f"{folder}: holds a link or a device ({harmless(path.name, 60)}). {fix}"
            )
    with clear_disk_errors(folder):
        private_folder(folder)
    with alone_in(folder):
        yield folder


def read_notes(text: str, place: str) -> dict[str, Any]:
    """Return notes from their JSON.

    Raises:
        StateError: they are not notes.
    """
    try:
        notes = from_json(text)
        if {"settings", "fingerprint"} <= set(notes):
            return dict(notes)
    except (ValueError, TypeError):
        pass
    raise StateError(f"{place}: not the notes of a store. Move it away; the store is built anew.")
