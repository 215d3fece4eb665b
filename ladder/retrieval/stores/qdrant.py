"""Qdrant: documents in a server, or in a folder by the client's local mode.

Words are ranked as Qdrant ranks BM25: each row's words are a sparse vector, word -> the saturation
of its frequency, and Qdrant multiplies by the rarity of each word (`Modifier.IDF`). As in Qdrant's
own BM25 model the mean length is a constant, so a row's vector depends on its text alone; the words
are read here, since reading them in a server needs a new one and the local mode cannot. A server
counts rows that were removed until it rebuilds their segment, so scores may move a little after
many removals. Cosines are compared one by one (`exact`).

Words become indices by a 32-bit hash; two words with one index count as one.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid5

import httpx

from ladder.errors import StateError
from ladder.json_values import from_json
from ladder.retrieval.search import K1, B, terms
from ladder.retrieval.stores.backend import SLICE, Entry, Hit, held_folder, read_notes
from ladder.task import is_url
from ladder.trust.keys import Place, how_to_send, key_for, place_at

KEY_VARIABLE = "QDRANT_API_KEY"
QDRANT_PORT = 6333
TIMEOUT_SECONDS = 120
PER_REQUEST = 500
"""Rows in one request: some megabytes, well under a server's limit of 32."""
MEAN_WORDS = 256
"""The length, in words, at which a text is neither long nor short: that of Qdrant's BM25 model."""
ROWS = UUID("6a5b7c7e-6c0f-4f5b-9a63-0d3f1f6f5f2b")
"""Namespace of the points that are rows."""
POINTS = {
    ("qdrant_client.http.models.models", "PointStruct"),
    ("qdrant_client.http.models.models", "SparseVector"),
}
"""What the client's local mode keeps of ours."""
NOTES_POINT = str(UUID(int=1))


def qdrant_place(address: str) -> Place:
    """Return where a server's requests go: a Qdrant on http listens at its own port.

    Raises:
        StateError: it is no address.
    """
    try:
        return place_at(address, None if address.startswith("https://") else QDRANT_PORT)
    except (httpx.InvalidURL, ValueError):
        raise StateError("data.store: got no URL, wanted qdrant:http://HOST:PORT") from None


@contextmanager
def open_qdrant(address: str, name: str, language: str) -> Iterator[Qdrant]:
    """Open the collection `ladder-<name>` of a server, or of the folder `address/name`.

    A folder is held: another process waits until it is closed. A server has no such lock.

    Raises:
        StateError: the server does not answer, or the folder cannot be written.
    """
    collection = f"ladder-{name}"
    if is_url(address):
        with _clear_errors(address):
            client = _server(address)
        with closing(client):
            yield Qdrant(client, collection, address, language)
        return
    with held_folder(address, name) as folder, closing(_local(folder, collection)) as client:
        yield Qdrant(client, collection, str(folder), language)


def _server(address: str) -> Any:
    """Return a client of a server.

    A key for it comes from the environment, where the user's configuration names the host
    (`ladder.trust.keys`); QDRANT_API_KEY goes to this machine without that.
    """
    from qdrant_client import QdrantClient

    to = qdrant_place(address)
    key = key_for(to, KEY_VARIABLE)
    return QdrantClient(
        # Made of what the key was chosen by: the client reads addresses in its own way.
        url=f"{to.origin}{httpx.URL(address).path.rstrip('/')}",
        port=to.port,
        api_key=key.value if key else None,
        timeout=TIMEOUT_SECONDS,
        check_compatibility=False,  # the first request says what is wrong
    )


def _local(folder: Path, collection: str) -> Any:
    """Return a client of a folder, which it alone may read and write."""
    from qdrant_client import QdrantClient

    _refuse_other_collections(folder, collection)
    _read_points_alone(str(folder))
    with _clear_errors(str(folder)):
        return QdrantClient(path=str(folder))


def _refuse_other_collections(folder: Path, name: str) -> None:
    """Refuse a folder whose meta.json names another collection: its name may lead out of it."""
    meta = folder / "meta.json"
    if not meta.exists():
        return
    try:
        names = set(from_json(meta.read_text(encoding="utf-8"))["collections"])
    except (ValueError, LookupError, TypeError, RecursionError):
        names = {"…"}
    if names - {name}:
        raise StateError(
            f"{folder}: not a store that ladder wrote. Move it away; it is built anew."
        )


def _read_points_alone(place: str) -> None:
    """Have the client's local mode read points and nothing else.

    Its folder is full of pickles, and reading one can run any program: those of a folder that came
    with a task from elsewhere must not.
    """
    from qdrant_client.local import persistence

    if not hasattr(persistence, "pickle"):
        fix = "Take a Qdrant server or lancedb: it cannot be read safely."
        raise StateError(f"{place}: this qdrant-client keeps its folder in another way. {fix}")
    persistence.pickle = SimpleNamespace(dumps=pickle.dumps, loads=_points_alone)


class _Points(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in POINTS:
            raise ValueError("a pickle of something else than points")
        return super().find_class(module, name)


def _points_alone(kept: bytes) -> Any:
    try:
        return _Points(io.BytesIO(kept)).load()
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, AttributeError) as error:
        raise ValueError("a broken pickle") from error


class Qdrant:
    """A collection; one point of it, without vectors, holds the notes."""

    def __init__(self, client: Any, name: str, place: str, language: str) -> None:
        self._client = client
        self._name = name
        self._place = place
        self._language = language

    def notes(self) -> dict[str, Any] | None:
        """Return what was kept last."""
        with _clear_errors(self._place):
            if not self._client.collection_exists(self._name):
                return None
            found = self._client.retrieve(self._name, [NOTES_POINT], with_payload=True)
            if not found and not self._client.count(self._name, exact=True).count:
                return None  # made, and broken off before the first note
        if not found or "ladder" not in found[0].payload:
            raise StateError(
                f"{self._place}: the collection {self._name} was not written by ladder. "
                "Rename the task, or the collection."
            )
        return read_notes(found[0].payload["ladder"], self._place)

    def keep_notes(self, notes: dict[str, Any]) -> None:
        """Keep notes in one point."""
        from qdrant_client.models import PointStruct

        payload = {"ladder": json.dumps(notes, ensure_ascii=False)}
        with _clear_errors(self._place):
            if not self._client.collection_exists(self._name):
                self._create(None)
            point = PointStruct(id=NOTES_POINT, vector={}, payload=payload)
            self._client.upsert(self._name, [point], wait=True)

    def clear(self, dimension: int | None) -> None:
        """Make the collection anew."""
        with _clear_errors(self._place):
            self._client.delete_collection(self._name)
            self._create(dimension)

    def digests(self) -> dict[str, str]:
        """Return id -> digest of every row."""
        held: dict[str, str] = {}
        after = None
        while True:
            with _clear_errors(self._place):
                found, after = self._client.scroll(
                    self._name, limit=SLICE, offset=after, with_payload=["id", "digest"]
                )
            rows = [point.payload for point in found if str(point.id) != NOTES_POINT]
            held |= {row["id"]: row["digest"] for row in rows}
            if after is None:
                return held

    def write(self, entries: Sequence[Entry]) -> None:
        """Write rows; a point's id is made from the row's."""
        for start in range(0, len(entries), PER_REQUEST):
            points = _points(entries[start : start + PER_REQUEST], self._language)
            with _clear_errors(self._place):
                self._client.upsert(self._name, points, wait=True)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by their points."""
        for start in range(0, len(ids), SLICE):
            points = [_point(doc_id) for doc_id in ids[start : start + SLICE]]
            with _clear_errors(self._place):
                self._client.delete(self._name, points, wait=True)

    def index(self) -> None:
        """Do nothing: points are found from the moment they are written."""

    def near_words(self, query: str, limit: int) -> list[Hit]:
        """Return rows by the dot product of rarity and saturation."""
        (read,) = terms([query], self._language)
        return self._near(_sparse(Counter(map(_index, read))), "words", limit)

    def near_vector(self, query: Any, limit: int) -> list[Hit]:
        """Return rows by a look at every vector."""
        return self._near(query.tolist(), "dense", limit)

    def _create(self, dimension: int | None) -> None:
        from qdrant_client.models import Distance, Modifier, SparseVectorParams, VectorParams

        dense = VectorParams(size=dimension, distance=Distance.DOT) if dimension else None
        self._client.create_collection(
            self._name,
            vectors_config={"dense": dense} if dense else {},
            sparse_vectors_config={"words": SparseVectorParams(modifier=Modifier.IDF)},
        )

    def _near(self, query: Any, using: str, limit: int) -> list[Hit]:
        from qdrant_client.models import SearchParams

        # The local mode is exact anyway, and warns of settings that it ignores.
        exact = SearchParams(exact=True) if is_url(self._place) else None
        with _clear_errors(self._place):
            found = self._client.query_points(
                self._name,
                query=query,
                using=using,
                limit=limit,
                search_params=exact,
                with_payload=["id"],
            )
        return [Hit(point.payload["id"], point.score) for point in found.points]


def _points(entries: Sequence[Entry], language: str) -> list[Any]:
    from qdrant_client.models import PointStruct

    points = []
    read_texts = terms([entry.text for entry in entries], language)
    for entry, read in zip(entries, read_texts, strict=True):
        vector: dict[str, Any] = {"words": _weights(read)}
        if entry.vector is not None:
            vector["dense"] = entry.vector.tolist()
        payload = {"id": entry.id, "text": entry.text, "digest": entry.digest}
        points.append(PointStruct(id=_point(entry.id), vector=vector, payload=payload))
    return points


def _weights(read: Sequence[str]) -> Any:
    """Return the share of each word's rarity that a text earns by holding it so often."""
    base = K1 * (1 - B + B * len(read) / MEAN_WORDS)
    often = Counter(map(_index, read))
    return _sparse({at: count * (K1 + 1) / (base + count) for at, count in often.items()})


def _sparse(weights: Mapping[int, float]) -> Any:
    from qdrant_client.models import SparseVector

    return SparseVector(indices=list(weights), values=[float(each) for each in weights.values()])


def _point(doc_id: str) -> str:
    return str(uuid5(ROWS, doc_id))


def _index(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest())


@contextmanager
def _clear_errors(place: str) -> Iterator[None]:
    """Name the place, in one line; a key or a long page of a proxy is never repeated."""
    import sqlite3

    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    try:
        yield
    except UnexpectedResponse as error:
        fix = "Is it a Qdrant server?"
        if error.status_code in (401, 403):
            fix = how_to_send(qdrant_place(place), KEY_VARIABLE)
        raise StateError(f"{place}: answered with status {error.status_code}. {fix}") from error
    except ResponseHandlingException as error:
        raise StateError(f"{place}: does not answer ({str(error)[:100]}). Start it.") from error
    except (RuntimeError, ValueError, OSError, sqlite3.Error) as error:
        first = str(error).partition("\n")[0][:200]
        raise StateError(f"{place}: Qdrant cannot go on ({first})") from error
