"""LanceDB: documents in a folder, nothing to start.

Its full-text index runs over our own words (whitespace between them, nothing folded or left out),
and scores BM25 with k1 = 1.2 and b = 0.75 as we do, times k1 + 1. It counts rows that were replaced
or removed until its parts are next merged, which moves scores by some ten percent; so the index is
built anew after each change instead of being patched. Vectors are compared one by one.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from ladder.errors import MissingExtraError, StateError
from ladder.files import LOCK, alone_in, clear_disk_errors, private_folder, write_whole
from ladder.retrieval.search import K1
from ladder.retrieval.stores.backend import CLOSE, SLICE, Candidate, Entry, own_folder, read_notes
from ladder.retrieval.stores.counts import WordCounts

TABLE = "documents"
INDEX = "words_idx"
NO_WORD = "."
"""Stands for the words of a text without any: LanceDB would count texts with no token as no texts.
No query holds it. It makes the mean length a little greater, so scores too: they stay a bound."""


def open_lancedb(address: str, name: str) -> LanceDB:
    """Open the folder `address/name`, alone: another process waits until it is closed.

    Raises:
        MissingExtraError: lancedb is not installed.
        StateError: the folder cannot be written.
    """
    try:
        import lancedb
    except ImportError:
        raise MissingExtraError("lancedb", 'pip install "escalation-ladder[store]"') from None
    folder = own_folder(address, name)
    with ExitStack() as until_closed:
        with clear_disk_errors(folder):
            private_folder(folder)
            until_closed.enter_context(alone_in(folder))
        with _clear_errors(folder):
            return LanceDB(folder, lancedb.connect(folder), until_closed.pop_all())
    raise AssertionError  # unreachable: an error has left the block


class LanceDB:
    """A table and its notes in a folder."""

    def __init__(self, folder: Path, base: Any, until_closed: ExitStack) -> None:
        self._folder = folder
        self._notes = folder / "notes.json"
        self._base = base
        self._until_closed = until_closed

    def notes(self) -> dict[str, Any] | None:
        """Return what was kept last."""
        with clear_disk_errors(self._notes):
            if not self._notes.exists():
                if any(path.name != LOCK for path in self._folder.iterdir()):
                    raise StateError(f"{self._folder}: holds files that ladder did not write")
                return None
            return read_notes(self._notes.read_text(encoding="utf-8"), str(self._notes))

    def keep_notes(self, notes: dict[str, Any]) -> None:
        """Keep notes in a file beside the table."""
        write_whole(self._notes, json.dumps(notes, ensure_ascii=False))

    def clear(self, dimension: int | None) -> None:
        """Make the table anew."""
        import pyarrow as pa

        fields = [(name, pa.string()) for name in ("id", "text", "digest", "words")]
        if dimension:
            fields.append(("vector", pa.list_(pa.float32(), dimension)))
        with _clear_errors(self._folder):
            self._base.drop_table(TABLE, ignore_missing=True)
            self._table = self._base.create_table(TABLE, schema=pa.schema(fields))

    def digests(self) -> dict[str, str]:
        """Return id -> digest of every row."""
        rows = self._rows(["id", "digest"])
        return {row["id"]: row["digest"] for row in rows}

    def entries(self, ids: Collection[str] | None = None) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield id and words of these rows (None: of all)."""
        for row in self._rows(["id", "words"]):
            if ids is None or row["id"] in ids:
                yield row["id"], _read(row["words"])

    def write(self, entries: Sequence[Entry], mean_words: float) -> None:
        """Write rows over those with the same id."""
        import pyarrow as pa

        table = self._table
        columns: dict[str, Any] = {
            "id": [entry.id for entry in entries],
            "text": [entry.text for entry in entries],
            "digest": [entry.digest for entry in entries],
            "words": [" ".join(entry.words) or NO_WORD for entry in entries],
        }
        if "vector" in table.schema.names:
            columns["vector"] = [entry.vector for entry in entries]
        with _clear_errors(self._folder):
            merge = table.merge_insert("id").when_matched_update_all()
            merge.when_not_matched_insert_all().execute(pa.table(columns, schema=table.schema))

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows; ids are values of an expression, never part of its text."""
        from lancedb.expr import col

        with _clear_errors(self._folder):
            for start in range(0, len(ids), SLICE):
                self._table.delete(col("id").isin(list(ids[start : start + SLICE])))

    def fold_in(self, counts: WordCounts, *, anew: bool) -> None:
        """Merge the parts, drop old versions, build the index."""
        from lancedb.index import FTS

        config = FTS(
            base_tokenizer="whitespace",
            lower_case=False,
            stem=False,
            remove_stop_words=False,
            ascii_folding=False,
            max_token_length=None,
        )
        table = self._table
        with _clear_errors(self._folder), warnings.catch_warnings():
            # It warns that readers of old versions fail; there are none while we are alone.
            warnings.simplefilter("ignore", UserWarning)
            if any(index.name == INDEX for index in table.list_indices()):
                table.drop_index(INDEX)
            if counts.texts:
                table.create_index("words", config=config, name=INDEX)
            table.optimize(cleanup_older_than=timedelta(0))
            indexed = table.index_stats(INDEX) if counts.texts else None
        left_out = indexed.num_unindexed_rows if indexed else counts.texts
        if left_out:
            raise StateError(f"{self._folder}: {left_out} rows are not in the index")

    def near_words(self, query: list[str], counts: WordCounts, limit: int) -> list[Candidate]:
        """Return rows by LanceDB's own BM25."""
        from lancedb.query import MatchQuery

        with _clear_errors(self._folder):
            asked = self._table.search(MatchQuery(" ".join(query), "words"), query_type="fts")
            rows = asked.limit(limit).select(["id", "words", "_score"]).to_arrow().to_pylist()
        share = (1 + CLOSE) / (K1 + 1)
        return [
            Candidate(row["id"], row["_score"] * share, words=_read(row["words"])) for row in rows
        ]

    def near_vector(self, query: Any, limit: int) -> list[Candidate]:
        """Return rows by a look at every vector."""
        with _clear_errors(self._folder):
            asked = self._table.search(query, vector_column_name="vector", query_type="vector")
            exact = asked.distance_type("dot").bypass_vector_index().limit(limit)
            found = exact.select(["id", "vector", "_distance"]).to_arrow()
        ids, distances = found["id"].to_pylist(), found["_distance"].to_pylist()
        flat = found["vector"].combine_chunks().flatten().to_numpy()
        vectors = flat.reshape(len(ids), -1) if ids else []
        return [
            Candidate(doc_id, 1 - distance + CLOSE, vector=vector)
            for doc_id, distance, vector in zip(ids, distances, vectors, strict=True)
        ]

    def close(self) -> None:
        """Let the next process in."""
        self._until_closed.close()

    @cached_property
    def _table(self) -> Any:
        return self._base.open_table(TABLE)

    def _rows(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        with _clear_errors(self._folder):
            for batch in self._table.search().select(columns).to_batches(SLICE):
                yield from batch.to_pylist()


def _read(kept: str) -> tuple[str, ...]:
    return () if kept == NO_WORD else tuple(kept.split())


@contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    """LanceDB raises plain RuntimeError, ValueError and OSError, several lines long."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        first = str(error).partition("\n")[0][:200]
        fix = "Free space, mend the rights, or move the folder away: it is built anew."
        raise StateError(f"{folder}: LanceDB cannot go on ({first}). {fix}") from error
