"""Documents and their index, kept between runs in a database that ranks by its own search.

A store's ranking is that of its database, not that of the search in memory: recall tells which is
better for a task (`ladder.retrieval.health`). It depends on the documents and on `ranked_by`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import httpx

from ladder.engines.embedding import embed, open_embedder
from ladder.engines.endpoint import is_loopback
from ladder.errors import MissingExtraError, StateError
from ladder.files import digest_of, folder_digests
from ladder.language.stems import VERSION
from ladder.retrieval.search import Ranking, Way
from ladder.retrieval.stores.backend import SLICE, Backend, Entry, Hit, Row
from ladder.retrieval.stores.lancedb import open_lancedb
from ladder.retrieval.stores.qdrant import open_qdrant
from ladder.task import StoreKind, is_url, store_parts

FORMAT = 3
"""Goes up when what is written changes; a store of another format is built anew."""
SPARE = 16
"""Rows asked for beyond those wanted, so that one look mostly shows all that tie with the last."""
DECIMALS = 5
"""Scores are rounded to so many: in what order 32-bit numbers were added up decides no rank."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A database that keeps documents."""

    open: Callable[[str, str, str], AbstractContextManager[Backend]]
    """(address, name, language of the stems) -> the database while it is held."""
    library: str
    """The distribution of its client."""
    extra: str
    """What of `escalation-ladder` installs it."""


STORES: dict[StoreKind, Kind] = {
    "lancedb": Kind(open_lancedb, "lancedb", "store"),
    "qdrant": Kind(open_qdrant, "qdrant-client", "qdrant"),
}


class DocumentStore:
    """A named collection of rows in a database, searched by words or by meaning.

    A change is written down as begun before it touches a row and as whole once every row is in the
    index, so a change that was broken off is mended when the store is next opened.
    """

    def __init__(
        self,
        opening: AbstractContextManager[Backend],
        settings: Mapping[str, Any],
        embedder: Path | None,
    ) -> None:
        """Open what the backend keeps; build it anew where other settings wrote it.

        Args:
            opening: gives the database, and lets go of it.
            settings: JSON-able; everything that the ranking depends on beside the documents.
            embedder: folder of a sentence-transformers model, for dense search.

        Raises:
            StateError: the place holds what `ladder` did not write, or cannot be written.
        """
        self._settings = dict(settings)
        self._embedder = embedder
        with ExitStack() as until_closed:
            self._backend = until_closed.enter_context(opening)
            self._documents = self._read()
            self.close = until_closed.pop_all().close

    def _read(self) -> str:
        """Return the fingerprint of the documents that are held, mended where need be."""
        kept = self._backend.notes()
        if kept is None or kept["settings"] != self._settings:
            # A clearing that is broken off is begun again: nobody has these settings.
            self._backend.keep_notes({"settings": {}, "fingerprint": None})
            self._backend.clear(self._dimension())
            return self._settled()
        return kept["fingerprint"] or self._settled()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._backend.digests())

    def upsert(self, rows: Sequence[Row]) -> int:
        """Write the rows whose text is new or has changed; return how many those are."""
        return self._change(rows, [])

    def delete(self, ids: Sequence[str]) -> int:
        """Remove rows by id; return how many were there."""
        return self._change([], ids)

    def hold(self, rows: Sequence[Row]) -> int:
        """Hold these rows and no others; return how many were written or removed."""
        if self._documents == _fingerprint({row.id: digest_of(row.text) for row in rows}):
            return 0
        wanted = {row.id for row in rows}
        return self._change(rows, [had for had in self._backend.digests() if had not in wanted])

    def search(self, queries: Sequence[str], depth: int, way: Way = "bm25") -> list[list[Hit]]:
        """Return the best `depth` rows for each query, best first, ties by id.

        By words, rows that share none with the query are not found.

        Args:
            queries: what to search for.
            depth: how many rows are wanted.
            way: bm25, or dense where the store was opened with an embedder.
        """
        if depth < 1 or not queries:
            return [[] for _ in queries]
        if way == "bm25":
            near: Callable[[Any, int], list[Hit]] = self._backend.near_words
            return [_best(near, query, depth) for query in queries]
        near = self._backend.near_vector
        return [_best(near, vector, depth) for vector in embed(self._model, queries)]

    def fingerprint(self) -> str:
        """Return the digest of every id and text that is held, and of how they are ranked."""
        return digest_of([self._settings, self._documents])

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
        self._note(None)
        if gone:
            self._backend.remove(gone)
        for start in range(0, len(changed), SLICE):
            self._backend.write(self._entries(changed[start : start + SLICE]))
        self._documents = self._settled()
        return len(changed) + len(gone)

    def _entries(self, rows: Sequence[Row]) -> list[Entry]:
        texts = [row.text for row in rows]
        vectors = embed(self._model, texts) if self._embedder else [None] * len(rows)
        return [
            Entry(row.id, row.text, digest_of(row.text), vector)
            for row, vector in zip(rows, vectors, strict=True)
        ]

    def _settled(self) -> str:
        """Have the rows indexed as they are, and note that they are whole."""
        self._backend.index()
        documents = _fingerprint(self._backend.digests())
        self._note(documents)
        return documents

    def _note(self, fingerprint: str | None) -> None:
        self._backend.keep_notes({"settings": self._settings, "fingerprint": fingerprint})


def _best(near: Callable[[Any, int], list[Hit]], query: Any, depth: int) -> list[Hit]:
    """Return the best hits; which of those that tie with the last come is left to no database."""
    limit = depth + SPARE
    while True:
        found = near(query, limit)
        hits = [Hit(hit.id, round(hit.score, DECIMALS)) for hit in found]
        hits.sort(key=lambda hit: (-hit.score, hit.id))
        if len(hits) < limit or hits[-1].score < hits[depth - 1].score:
            return hits[:depth]
        limit *= 4


def open_store(
    place: str,
    name: str,
    embedder: Path | None = None,
    folder: Path = Path(),
    language: str = "en",
) -> DocumentStore:
    """Open a store, making it where there is none.

    Args:
        place: `lancedb:<folder>`, `qdrant:<folder>` or `qdrant:http://HOST:PORT`.
        name: of the collection in it: one task, one name. In a folder only one process at a time
            can have it open; the next one waits.
        embedder: folder of a sentence-transformers model, for dense search.
        folder: what a folder in `place` is relative to.
        language: ISO 639-1 code of the language whose stems are searched for, or none.

    Raises:
        ValueError: no such place.
        MissingExtraError: the database's library is not installed.
        StateError: it cannot be opened or written.
    """
    kind, address = store_parts(place)
    if not is_url(address):
        address = str(folder / address)
    settings: dict[str, Any] = {"format": FORMAT, "ranked by": ranked_by(place)}
    settings["terms"] = [VERSION, language]
    if embedder is not None:
        settings["embedder"] = digest_of(folder_digests(embedder))
    return DocumentStore(STORES[kind].open(address, name, language), settings, embedder)


def ranked_by(place: str) -> str:
    """Return what ranks the documents of a store: another version may rank in another way.

    For Qdrant it is the client: which version a server has is not asked.

    Raises:
        MissingExtraError: the database's library is not installed.
    """
    kind = STORES[store_parts(place)[0]]
    try:
        return f"{kind.library} {version(kind.library)}"
    except PackageNotFoundError:
        install = f'pip install "escalation-ladder[{kind.extra}]"'
        raise MissingExtraError(kind.library, install) from None


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
            texts: id -> text.
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
        texts: id -> text.
        queries: what to search for.
        depth: how many are wanted (fewer where there are fewer texts).
        way: bm25, or dense where the store was opened with an embedder. Texts that share no word
            with a query score 0 and come last, in their order.

    Raises:
        StateError: the store found what it was not given.
    """
    store.hold([Row(doc_id, text) for doc_id, text in texts.items()])
    place_of = {doc_id: at for at, doc_id in enumerate(texts)}
    depth = min(depth, len(texts))
    rankings = []
    for hits in store.search(queries, depth, way):
        strange = next((hit.id for hit in hits if hit.id not in place_of), None)
        if strange is not None:
            fix = "Does something else write to it? Give each task a store of its own."
            raise StateError(f"the store holds {strange!r}, which ladder did not write. {fix}")
        ranking = [(place_of[hit.id], hit.score) for hit in hits]
        found = {at for at, _ in ranking}
        rest = (at for at in range(len(texts)) if at not in found)
        ranking += [(next(rest), 0.0) for _ in range(depth - len(ranking))]
        rankings.append(ranking)
    return rankings


def _fingerprint(digests: Mapping[str, str]) -> str:
    return digest_of(sorted(digests.items()))
