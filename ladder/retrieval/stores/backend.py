"""What a database must do to keep documents for `ladder.retrieval.stores.store`.

A backend keeps rows and finds candidates. It decides nothing: each candidate comes with a bound
that no exact score beyond it can pass, and the store scores the candidates itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ladder.errors import StateError
from ladder.retrieval.stores.counts import WordCounts
from ladder.wording import harmless

CLOSE = 1e-4
"""What 32-bit arithmetic may do to a score: a share of a word score, an amount of a cosine."""
SLICE = 2000
"""Rows that are read or written at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it is kept."""

    id: str
    text: str
    digest: str
    words: tuple[str, ...]
    vector: Any = None
    """float32 (dimension,), of length 1; None where there is no embedder."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may be among the best for a query."""

    id: str
    bound: float
    """The exact score of this row, and of every row that comes after it, is at most this."""
    words: tuple[str, ...] = ()
    vector: Any = None


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

    def entries(self, ids: Collection[str] | None = None) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the id and the words of these rows (None: of all)."""
        ...

    def write(self, entries: Sequence[Entry], mean_words: float) -> None:
        """Write rows; one with an id that is there takes its place."""
        ...

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows."""
        ...

    def fold_in(self, counts: WordCounts, *, anew: bool) -> None:
        """Bring the index up to date with the rows, and make sure that it is.

        Args:
            counts: of all rows.
            anew: a change was broken off; nothing the index says can be trusted.

        Raises:
            StateError: rows are missing from the index.
        """
        ...

    def near_words(self, query: list[str], counts: WordCounts, limit: int) -> list[Candidate]:
        """Return the rows with the highest word scores, best first; none without a word of it."""
        ...

    def near_vector(self, query: Any, limit: int) -> list[Candidate]:
        """Return the rows with the highest cosines, best first, without an approximate index."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def own_folder(address: str, name: str) -> Path:
    """Return the folder of a store, which nothing in it leads out of.

    Raises:
        StateError: it, or something in it, is a link or a device: a task from elsewhere could have
            other files read or written through it.
    """
    folder = Path(address) / name
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink() or (path.exists() and not (path.is_file() or path.is_dir())):
            fix = "Move the store away; it is built anew."
            raise StateError(
                f"{folder}: holds a link or a device ({harmless(path.name, 60)}). {fix}"
            )
    return folder


def read_notes(text: str, place: str) -> dict[str, Any]:
    """Return notes from their JSON.

    Raises:
        StateError: they are not notes.
    """
    try:
        notes = json.loads(text)
        if {"settings", "state", "counts", "fingerprint"} <= set(notes):
            return dict(notes)
    except (ValueError, TypeError):
        pass
    raise StateError(f"{place}: not the notes of a store. Move it away; the store is built anew.")
