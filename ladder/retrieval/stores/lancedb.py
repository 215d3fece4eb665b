"""LanceDB: documents in a folder, nothing to start.

Words are ranked by LanceDB's full-text index (BM25 with k1 = 1.2 and b = 0.75). A row's terms are
kept beside its text, as the search in memory reads them, and the index splits them at spaces: its
own tokenizers know neither all scripts nor all languages. Rows that were replaced or removed stay
in the statistics of an index that is only patched, so it is built anew after a change: the ranking
then depends on the documents alone. Vectors have no index: every one is compared.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from ladder.errors import StateError
from ladder.files import LOCK, clear_disk_errors, write_whole
from ladder.retrieval.search import terms
from ladder.retrieval.stores.backend import SLICE, Entry, Hit, held_folder, read_notes

TABLE = "documents"
INDEX = "terms_idx"


@contextmanager
def open_lancedb(address: str, name: str, language: str) -> Iterator[LanceDB]:
    """Open the folder `address/name`, alone: another process waits until it is closed.

    Raises:
        StateError: the folder cannot be written.
    """
    import lancedb

    with held_folder(address, name) as folder:
        with _clear_errors(folder):
            base = lancedb.connect(folder)
        yield LanceDB(folder, base, language)


class LanceDB:
    """A table and its notes in a folder."""

    def __init__(self, folder: Path, base: Any, language: str) -> None:
        self._folder = folder
        self._notes = folder / "notes.json"
        self._base = base
        self._language = language

    def notes(self) -> dict[str, Any] | None:
        """Return what was kept last."""
        with clear_disk_errors(self._notes):
            if not self._notes.exists():
                if any(path.name != LOCK for path in self._folder.iterdir()):
                    fix = "Move them away, or name another folder in data.store."
                    raise StateError(f"{self._folder}: holds files ladder did not write. {fix}")
                return None
            return read_notes(self._notes.read_text(encoding="utf-8"), str(self._notes))

    def keep_notes(self, notes: dict[str, Any]) -> None:
        """Keep notes in a file beside the table."""
        write_whole(self._notes, json.dumps(notes, ensure_ascii=False))

    def clear(self, dimension: int | None) -> None:
        """Make the table anew."""
        import pyarrow as pa

        fields = [(name, pa.string()) for name in ("id", "text", "digest", "terms")]
        if dimension:
            fields.append(("vector", pa.list_(pa.float32(), dimension)))
        with _clear_errors(self._folder):
            self._base.drop_table(TABLE, ignore_missing=True)
            self._table = self._base.create_table(TABLE, schema=pa.schema(fields))

    def digests(self) -> dict[str, str]:
        """Return id -> digest of every row."""
        with _clear_errors(self._folder):
            rows = self._table.search().select(["id", "digest"]).to_arrow()
        return dict(zip(rows["id"].to_pylist(), rows["digest"].to_pylist(), strict=True))

    def write(self, entries: Sequence[Entry]) -> None:
        """Write rows over those with the same id."""
        import pyarrow as pa

        schema = self._table.schema
        own = [name for name in schema.names if name != "terms"]
        columns = {name: [getattr(entry, name) for entry in entries] for name in own}
        columns["terms"] = self._terms([entry.text for entry in entries])
        with _clear_errors(self._folder):
            merge = self._table.merge_insert("id").when_matched_update_all()
            merge.when_not_matched_insert_all().execute(pa.table(columns, schema=schema))

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows; ids are values of an expression, never part of its text."""
        from lancedb.expr import col

        with _clear_errors(self._folder):
            for start in range(0, len(ids), SLICE):
                self._table.delete(col("id").isin(list(ids[start : start + SLICE])))

    def index(self) -> None:
        """Build the index and drop old versions of the table."""
        from lancedb.index import FTS

        config = FTS(
            base_tokenizer="whitespace",
            lower_case=False,
            stem=False,
            remove_stop_words=False,
            ascii_folding=False,
            max_token_length=None,
        )
        with _clear_errors(self._folder), warnings.catch_warnings():
            # It warns that readers of old versions fail; there are none while we are alone.
            warnings.simplefilter("ignore", UserWarning)
            self._table.create_index("terms", config=config, name=INDEX, replace=True)
            self._table.optimize(cleanup_older_than=timedelta(0))

    def near_words(self, query: str, limit: int) -> list[Hit]:
        """Return rows by the full-text index, over the terms of the query."""
        from lancedb.query import MatchQuery

        (asked_for,) = self._terms([query])
        with _clear_errors(self._folder):
            wanted = MatchQuery(asked_for, "terms")
            asked = self._table.search(wanted, query_type="fts").limit(limit)
            found = asked.select(["id", "_score"]).to_list()
        return [Hit(row["id"], row["_score"]) for row in found]

    def near_vector(self, query: Any, limit: int) -> list[Hit]:
        """Return rows by a look at every vector; LanceDB's distance is 1 - the dot product."""
        with _clear_errors(self._folder):
            asked = self._table.search(query, vector_column_name="vector", query_type="vector")
            near = asked.distance_type("dot").limit(limit)
            found = near.select(["id", "_distance"]).to_list()
        return [Hit(row["id"], 1 - row["_distance"]) for row in found]

    def _terms(self, texts: Sequence[str]) -> list[str]:
        return [" ".join(each) for each in terms(texts, self._language)]

    @cached_property
    def _table(self) -> Any:
        return self._base.open_table(TABLE)


@contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    """LanceDB raises plain RuntimeError, ValueError and OSError, several lines long."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        first = str(error).partition("\n")[0][:200]
        fix = "Free space, mend the rights, or move the folder away: it is built anew."
        raise StateError(f"{folder}: LanceDB cannot go on ({first}). {fix}") from error
