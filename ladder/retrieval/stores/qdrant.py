"""Qdrant: documents in a server, or in a folder by the client's local mode.

Each row's words are a sparse vector: word -> the saturation of its frequency, as BM25 has it for
a mean length (`pivot`) that is fixed when the collection is filled. The query carries the rarity of
each word, from our own counts, so their dot product is the BM25 score while the mean length is
the pivot. A mean that is r times another changes no saturation by more than r times; that goes into
the bound, and beyond a tenth all rows are weighed again. Qdrant's own `Modifier.IDF` has the same
formula but goes on counting removed rows in a server until their segment is rebuilt, so it is off.

Words become indices by a 32-bit hash. Two words with one index only raise what a candidate seems
worth, and candidates are scored by their words.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid5

import httpx

from ladder.errors import MissingExtraError, StateError
from ladder.files import alone_in, clear_disk_errors, private_folder
from ladder.retrieval.stores.backend import CLOSE, SLICE, Candidate, Entry, own_folder, read_notes
from ladder.retrieval.stores.counts import WordCounts, saturation
from ladder.task import is_url
from ladder.trust.keys import Place, how_to_send, key_for, place_at

KEY_VARIABLE = "QDRANT_API_KEY"
QDRANT_PORT = 6333
TIMEOUT_SECONDS = 120
PER_REQUEST = 500
"""Rows in one request: some megabytes, well under a server's limit of 32."""
MOST_DRIFT = 1.1
"""The mean length may be this many times the pivot, or the pivot the mean length."""
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


def open_qdrant(address: str, name: str) -> Qdrant:
    """Open the collection `ladder-<name>` of a server, or of the folder `address/name`.

    A key for the server comes from the environment, where the user's configuration names the host
    (`ladder.trust.keys`); QDRANT_API_KEY goes to this machine without that.

    Raises:
        MissingExtraError: qdrant-client is not installed.
        StateError: the server does not answer, or the folder cannot be written.
    """
    try:
        from qdrant_client import QdrantClient
    except ImportError:
        raise MissingExtraError(
            "qdrant-client", 'pip install "escalation-ladder[qdrant]"'
        ) from None
    with ExitStack() as until_closed:
        if is_url(address):
            place = address
            to = qdrant_place(address)
            key = key_for(to, KEY_VARIABLE)
            with _clear_errors(place):
                client = QdrantClient(
                    # Made of what the key was chosen by: the client reads addresses in its own way.
                    url=f"{to.origin}{httpx.URL(address).path.rstrip('/')}",
                    port=to.port,
                    api_key=key.value if key else None,
                    timeout=TIMEOUT_SECONDS,
                    check_compatibility=False,  # the first request says what is wrong
                )
        else:
            folder = own_folder(address, name)
            place = str(folder)
            with clear_disk_errors(folder):
                private_folder(folder)
                until_closed.enter_context(alone_in(folder))
            _refuse_other_collections(folder, f"ladder-{name}")
            _read_points_alone(place)
            with _clear_errors(place):
                client = QdrantClient(path=place)
        until_closed.callback(client.close)
        return Qdrant(client, f"ladder-{name}", place, until_closed.pop_all())
    raise AssertionError  # unreachable: an error has left the block


def _refuse_other_collections(folder: Path, name: str) -> None:
    """Refuse a folder whose meta.json names another collection: its name may lead out of it."""
    meta = folder / "meta.json"
    if not meta.exists():
        return
    try:
        names = set(json.loads(meta.read_text(encoding="utf-8"))["collections"])
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

    def __init__(self, client: Any, name: str, place: str, until_closed: ExitStack) -> None:
        self._client = client
        self._name = name
        self._place = place
        self._until_closed = until_closed
        self._pivot: float | None = None

    def notes(self) -> dict[str, Any] | None:
        """Return what was kept last, and learn the pivot."""
        with _clear_errors(self._place):
            if not self._client.collection_exists(self._name):
                return None
            found = self._client.retrieve(self._name, [NOTES_POINT], with_payload=True)
            if not found and not self._client.count(self._name, exact=True).count:
                return None  # made, and broken off before the first note
        payload = found[0].payload if found else {}
        if "ladder" not in payload:
            raise StateError(
                f"{self._place}: the collection {self._name} was not written by ladder. "
                "Rename the task, or the collection."
            )
        self._pivot = payload["pivot"]
        return read_notes(payload["ladder"], self._place)

    def keep_notes(self, notes: dict[str, Any]) -> None:
        """Keep notes and the pivot in one point."""
        from qdrant_client.models import PointStruct

        payload = {"ladder": json.dumps(notes, ensure_ascii=False), "pivot": self._pivot}
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
        self._pivot = None

    def digests(self) -> dict[str, str]:
        """Return id -> digest of every row."""
        rows = self._rows(["id", "digest"])
        return {row["id"]: row["digest"] for row in rows}

    def entries(self, ids: Collection[str] | None = None) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield id and words of these rows (None: of all)."""
        for row in self._rows(["id", "words"], ids):
            yield row["id"], tuple(row["words"].split())

    def write(self, entries: Sequence[Entry], mean_words: float) -> None:
        """Write rows; a point's id is made from the row's."""
        from qdrant_client.models import PointStruct

        self._pivot = self._pivot or mean_words or 1.0
        for start in range(0, len(entries), PER_REQUEST):
            points = []
            for entry in entries[start : start + PER_REQUEST]:
                vector: dict[str, Any] = {"words": self._weights(entry.words)}
                if entry.vector is not None:
                    vector["dense"] = entry.vector.tolist()
                payload = {
                    "id": entry.id,
                    "text": entry.text,
                    "digest": entry.digest,
                    "words": " ".join(entry.words),
                }
                points.append(PointStruct(id=_point(entry.id), vector=vector, payload=payload))
            with _clear_errors(self._place):
                self._client.upsert(self._name, points, wait=True)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by their points."""
        for start in range(0, len(ids), SLICE):
            points = [_point(doc_id) for doc_id in ids[start : start + SLICE]]
            with _clear_errors(self._place):
                self._client.delete(self._name, points, wait=True)

    def fold_in(self, counts: WordCounts, *, anew: bool) -> None:
        """Weigh all rows again where the mean length has left the pivot; count the rows.

        Points are searched from the moment they are written, indexed or not.
        """
        mean = counts.mean_words
        if mean and (anew or self._drift(mean) > MOST_DRIFT):
            self._pivot = mean
            self._weigh_again()
        with _clear_errors(self._place):
            points = self._client.count(self._name, exact=True).count
            notes = self._client.retrieve(self._name, [NOTES_POINT], with_payload=False)
        if points - len(notes) != counts.texts:
            got = f"{points - len(notes)} rows where {counts.texts} were written"
            raise StateError(f"{self._place}: the collection {self._name} holds {got}")

    def near_words(self, query: list[str], counts: WordCounts, limit: int) -> list[Candidate]:
        """Return rows by the dot product of rarity and saturation."""
        from qdrant_client.models import SparseVector

        weights: defaultdict[int, float] = defaultdict(float)
        for word in query:
            weights[_index(word)] += float(counts.rarity(word))
        asked = SparseVector(indices=list(weights), values=list(weights.values()))
        share = self._drift(counts.mean_words) * (1 + CLOSE)
        return [
            Candidate(
                point.payload["id"],
                point.score * share,
                words=tuple(point.payload["words"].split()),
            )
            for point in self._near(asked, "words", limit, with_payload=["id", "words"])
        ]

    def near_vector(self, query: Any, limit: int) -> list[Candidate]:
        """Return rows by a look at every vector."""
        from numpy import array, float32

        found = self._near(
            query.tolist(), "dense", limit, with_payload=["id"], with_vectors=["dense"]
        )
        return [
            Candidate(
                point.payload["id"],
                point.score + CLOSE,
                vector=array(point.vector["dense"], dtype=float32),
            )
            for point in found
        ]

    def close(self) -> None:
        """Close the client and let the next process in."""
        self._until_closed.close()

    def _create(self, dimension: int | None) -> None:
        from qdrant_client.models import Distance, SparseVectorParams, VectorParams

        dense = VectorParams(size=dimension, distance=Distance.DOT) if dimension else None
        self._client.create_collection(
            self._name,
            vectors_config={"dense": dense} if dense else {},
            sparse_vectors_config={"words": SparseVectorParams()},
        )

    def _near(self, query: Any, using: str, limit: int, **more: Any) -> list[Any]:
        from qdrant_client.models import SearchParams

        exact = None if self._client_is_local else SearchParams(exact=True)
        with _clear_errors(self._place):
            found = self._client.query_points(
                self._name, query=query, using=using, limit=limit, search_params=exact, **more
            )
        return found.points  # type: ignore[no-any-return]

    @property
    def _client_is_local(self) -> bool:
        return not is_url(self._place)

    def _rows(
        self, columns: list[str], ids: Collection[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        if ids is not None:
            points = [_point(doc_id) for doc_id in ids]
            for start in range(0, len(points), SLICE):
                with _clear_errors(self._place):
                    found = self._client.retrieve(
                        self._name, points[start : start + SLICE], with_payload=columns
                    )
                yield from (point.payload for point in found)
            return
        after = None
        while True:
            with _clear_errors(self._place):
                found, after = self._client.scroll(
                    self._name, limit=SLICE, offset=after, with_payload=columns
                )
            yield from (point.payload for point in found if str(point.id) != NOTES_POINT)
            if after is None:
                return

    def _weigh_again(self) -> None:
        from qdrant_client.models import PointVectors

        rows = list(self.entries())
        for start in range(0, len(rows), PER_REQUEST):
            points = [
                PointVectors(id=_point(doc_id), vector={"words": self._weights(read)})
                for doc_id, read in rows[start : start + PER_REQUEST]
            ]
            with _clear_errors(self._place):
                self._client.update_vectors(self._name, points, wait=True)

    def _weights(self, read: Sequence[str]) -> Any:
        from qdrant_client.models import SparseVector

        pivot = self._pivot or 1.0
        weights: defaultdict[int, float] = defaultdict(float)
        for word, often in Counter(read).items():
            weights[_index(word)] += saturation(often, len(read), pivot)
        return SparseVector(indices=list(weights), values=list(weights.values()))

    def _drift(self, mean: float) -> float:
        pivot = self._pivot or mean
        return max(mean / pivot, pivot / mean)


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
