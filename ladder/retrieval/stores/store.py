"""Documents and their index, kept between runs; the answers are those of the search in memory.

A database finds candidates, and each is scored here as `search` scores it: BM25 with the counts of
the whole collection, or the cosine of two vectors. The list of candidates grows until the score
of the last one wanted is above all that the database can still hold, so its own arithmetic, its
rounding and the age of its statistics change the time of a search and never its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import httpx
import numpy as np

from ladder.engines.embedding import embed, open_embedder
from ladder.engines.endpoint import is_loopback
from ladder.errors import MissingExtraError, StateError
from ladder.files import digest_of, folder_digests
from ladder.retrieval.search import (
    K1,
    WORD,
    B,
    Ranking,
    Way,
    similarity,
    words,
)
from ladder.retrieval.stores.backend import SLICE, Backend, Candidate, Entry
from ladder.retrieval.stores.counts import WordCounts
from ladder.retrieval.stores.lancedb import open_lancedb
from ladder.retrieval.stores.qdrant import open_qdrant
from ladder.task import StoreKind, is_url, store_parts

FORMAT = 1
"""Goes up when what is written changes; a store of another format is built anew."""
SPARE = 16
"""Candidates beyond those wanted, so that one look is mostly enough."""

STORES: dict[StoreKind, Callable[[str, str], Backend]] = {
    "lancedb": open_lancedb,
    "qdrant": open_qdrant,
}
"""Kind -> (address, name) -> the opened database."""


@dataclass(frozen=True, slots=True)
class Row:
    """A text to search in."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found."""

    id: str
    score: float
    """The BM25 score, or the cosine."""


@dataclass(frozen=True, slots=True)
class StoreStats:
    """How much a store holds."""

    texts: int
    words: int
    different_words: int
    dense: bool


class DocumentStore:
    """A named collection of rows in a database, searched by words or by meaning.

    A change is written down as begun before it touches a row and as whole once every row is in the
    index, so a change that was broken off is mended when the store is next opened.
    """

    def __init__(self, backend: Backend, settings: Mapping[str, Any], embedder: Path | None):
        """Open what the backend keeps; build it anew where other settings wrote it.

        Args:
            backend: the opened database.
            settings: JSON-able; everything that the written rows depend on beside their texts.
            embedder: folder of a sentence-transformers model, for dense search.

        Raises:
            StateError: the place holds what `ladder` did not write, or cannot be written.
        """
        self._backend = backend
        self._settings = dict(settings)
        self._embedder = embedder
        self._counts = WordCounts()
        self._fingerprint = ""
        kept = backend.notes()
        if kept is None or kept["settings"] != self._settings or kept["state"] == "new":
            self._note("new")
            backend.clear(self._dimension())
            self._settle(anew=True)
        elif kept["state"] == "whole":
            self._counts = WordCounts.from_json(kept["counts"])
            self._fingerprint = kept["fingerprint"]
        else:
            self._mend()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def upsert(self, rows: Sequence[Row]) -> int:
        """Write the rows whose text is new or has changed; return how many those are."""
        return self._change(rows, [])

    def delete(self, ids: Sequence[str]) -> int:
        """Remove rows by id; return how many were there."""
        return self._change([], ids)

    def hold(self, rows: Sequence[Row]) -> int:
        """Hold these rows and no others; return how many were written or removed."""
        if self._fingerprint == _fingerprint({row.id: digest_of(row.text) for row in rows}):
            return 0
        wanted = {row.id for row in rows}
        return self._change(rows, [had for had in self._backend.digests() if had not in wanted])

    def search(self, queries: Sequence[str], depth: int, way: Way = "bm25") -> list[list[Hit]]:
        """Return the best rows for each query, best first, ties by id.

        All that tie with the last one come too, so there may be more than `depth`. By words, rows
        that share none with the query are not found.

        Args:
            queries: what to search for.
            depth: how many rows are wanted.
            way: bm25, or dense where the store was opened with an embedder.
        """
        if not queries or not self._counts.texts or depth < 1:
            return [[] for _ in queries]
        if way == "bm25":
            return [self._by_words(asked, depth) for asked in words(queries)]
        return [self._by_meaning(vector, depth) for vector in embed(self._model, queries)]

    def stats(self) -> StoreStats:
        """Return how much there is."""
        counts = self._counts
        dense = self._embedder is not None
        return StoreStats(counts.texts, counts.words, len(counts.texts_with), dense)

    def fingerprint(self) -> str:
        """Return the digest of every id and text that is held, and of how they were read."""
        return digest_of([self._settings, self._fingerprint])

    def close(self) -> None:
        """Let go of the database."""
        self._backend.close()

    @cached_property
    def _model(self) -> Any:
        if self._embedder is None:
            raise MissingExtraError(
                "an embedding model", "naming one in the task: models: {embedding: …}"
            )
        return open_embedder(self._embedder)

    def _dimension(self) -> int | None:
        return len(embed(self._model, [""])[0]) if self._embedder else None

    def _change(self, rows: Sequence[Row], ids: Sequence[str]) -> int:
        had = self._backend.digests()
        changed = [row for row in rows if had.get(row.id) != digest_of(row.text)]
        gone = [doc_id for doc_id in dict.fromkeys(ids) if doc_id in had]
        if not changed and not gone:
            return 0
        self._note("changing")
        replaced = {row.id for row in changed if row.id in had}
        for _, text in self._backend.entries({*gone, *replaced}):
            self._counts.remove(text)
        if gone:
            self._backend.remove(gone)
        for start in range(0, len(changed), SLICE):
            entries = self._entries(changed[start : start + SLICE])
            for entry in entries:
                self._counts.add(entry.words)
            self._backend.write(entries, self._counts.mean_words)
        self._settle()
        return len(changed) + len(gone)

    def _entries(self, rows: Sequence[Row]) -> list[Entry]:
        texts = [row.text for row in rows]
        vectors = embed(self._model, texts) if self._embedder else [None] * len(rows)
        return [
            Entry(row.id, row.text, digest_of(row.text), tuple(read), vector)
            for row, read, vector in zip(rows, words(texts), vectors, strict=True)
        ]

    def _mend(self) -> None:
        """Take the rows as they are: count them again and build the index anew."""
        for _, text in self._backend.entries():
            self._counts.add(text)
        self._settle(anew=True)

    def _settle(self, *, anew: bool = False) -> None:
        self._backend.fold_in(self._counts, anew=anew)
        digests = self._backend.digests()
        if len(digests) != self._counts.texts:
            raise StateError(
                f"the store holds {len(digests)} rows where {self._counts.texts} were written. "
                "Does something else write to it? Give each task a store of its own."
            )
        self._fingerprint = _fingerprint(digests)
        self._note("whole")

    def _note(self, state: Literal["new", "changing", "whole"]) -> None:
        counts = self._counts.as_json() if state == "whole" else {}
        self._backend.keep_notes(
            {
                "settings": self._settings,
                "state": state,
                "counts": counts,
                "fingerprint": self._fingerprint,
            }
        )

    def _by_words(self, query: Sequence[str], depth: int) -> list[Hit]:
        known = self._counts.known(query)
        if not known:
            return []

        def exact(found: Sequence[Candidate]) -> list[float]:
            return [self._counts.score(known, candidate.words) for candidate in found]

        def near(limit: int) -> list[Candidate]:
            return self._backend.near_words(known, self._counts, limit)

        return _best(near, exact, depth)

    def _by_meaning(self, query: Any, depth: int) -> list[Hit]:
        def exact(found: Sequence[Candidate]) -> list[float]:
            vectors = np.array([candidate.vector for candidate in found])
            return similarity(query[None], vectors)[0].tolist() if found else []

        def near(limit: int) -> list[Candidate]:
            return self._backend.near_vector(query, limit)

        return _best(near, exact, depth)


def _best(
    near: Callable[[int], list[Candidate]],
    exact: Callable[[Sequence[Candidate]], list[float]],
    depth: int,
) -> list[Hit]:
    limit = depth + SPARE
    while True:
        found = near(limit)
        scores = exact(found)
        for candidate, score in zip(found, scores, strict=True):
            if score > candidate.bound:
                raise StateError(
                    f"the store ranks {candidate.id!r} lower than its text deserves: its index is "
                    "not that of its rows. Move the store away; it is built anew."
                )
        hits = [Hit(candidate.id, score) for candidate, score in zip(found, scores, strict=True)]
        hits.sort(key=lambda hit: (-hit.score, hit.id))
        everything = len(found) < limit
        if everything or hits[depth - 1].score > found[-1].bound:
            last = hits[min(depth, len(hits)) - 1].score if hits else 0.0
            return [hit for hit in hits if hit.score >= last]
        limit *= 4


def open_store(
    place: str, name: str, embedder: Path | None = None, folder: Path = Path()
) -> DocumentStore:
    """Open a store, making it where there is none.

    Args:
        place: `lancedb:<folder>`, `qdrant:<folder>` or `qdrant:http://HOST:PORT`.
        name: of the collection in it: one task, one name. In a folder only one process at a time
            can have it open; the next one waits.
        embedder: folder of a sentence-transformers model, for dense search.
        folder: what a folder in `place` is relative to.

    Raises:
        ValueError: no such place.
        MissingExtraError: the database's library is not installed.
        StateError: it cannot be opened or written.
    """
    kind, address = store_parts(place)
    if not is_url(address):
        address = str(folder / address)
    settings: dict[str, Any] = {
        "format": FORMAT,
        "words": f"english stems of {WORD}",
        "k1": K1,
        "b": B,
    }
    if embedder is not None:
        settings["embedder"] = digest_of(folder_digests(embedder))
    backend = STORES[kind](address, name)
    try:
        return DocumentStore(backend, settings, embedder)
    except BaseException:
        backend.close()
        raise


def stays_here(place: str) -> bool:
    """Tell whether the documents of a store stay on this machine."""
    address = store_parts(place)[1]
    return not is_url(address) or is_loopback(httpx.URL(address).host)


class StoredIndex:
    """A task's documents in its store, searched as an index is; a search brings it up to date."""

    def __init__(self, open_it: Callable[[], DocumentStore], texts: Mapping[str, str], way: Way):
        """Name what is searched.

        Args:
            open_it: opens the store.
            texts: id -> text, in the order that breaks ties.
            way: by words, or by meaning.
        """
        self.open_it = open_it
        self.texts = texts
        self.way: Way = way

    def search(self, queries: Sequence[str], depth: int) -> list[Ranking]:
        """Return the best texts for each query."""
        with self.open_it() as store:
            return rank_in_store(store, self.texts, queries, depth, self.way)


def rank_in_store(
    store: DocumentStore,
    texts: Mapping[str, str],
    queries: Sequence[str],
    depth: int,
    way: Way,
) -> list[Ranking]:
    """Bring a store up to date with texts, and rank them for each query.

    Args:
        store: what was opened.
        texts: id -> text, in the order that breaks ties.
        queries: what to search for.
        depth: how many are wanted (fewer where there are fewer texts).
        way: bm25, or dense where the store was opened with an embedder. Texts that share no word
            with a query score 0 and come last, in their order.
    """
    store.hold([Row(doc_id, text) for doc_id, text in texts.items()])
    place_of = {doc_id: at for at, doc_id in enumerate(texts)}
    depth = min(depth, len(texts))
    rankings = []
    for hits in store.search(queries, depth, way):
        ranking = sorted(((place_of[hit.id], hit.score) for hit in hits), key=_best_first)[:depth]
        found = {at for at, _ in ranking}
        rest = (at for at in range(len(texts)) if at not in found)
        ranking += [(next(rest), 0.0) for _ in range(depth - len(ranking))]
        rankings.append(ranking)
    return rankings


def _best_first(found: tuple[int, float]) -> tuple[float, int]:
    at, score = found
    return -score, at


def _fingerprint(digests: Mapping[str, str]) -> str:
    return digest_of(sorted(digests.items()))
