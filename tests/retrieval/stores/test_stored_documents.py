"""A climb whose documents are kept in a store finds what answers, by that store's search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benches import with_data
from conftest import ROOT

from ladder.climb.dry_run import dry_bench
from ladder.climb.opening import open_bench
from ladder.engines.speed import usual_speed
from ladder.errors import DataError, TaskError
from ladder.evidence import Retrieval
from ladder.progress import Quiet
from ladder.retrieval.stores.store import open_store
from ladder.rungs.protocol import Bench
from ladder.task import load_task

SOURCE = ROOT / "evalsets/r2_ferry_handbook"
READS = Retrieval(source="documents", k=5)


def bench_of(folder: Path, store: str | None) -> Bench:
    folder.mkdir(parents=True)
    for name in ("train.jsonl", "test.jsonl", "documents.jsonl"):
        (folder / name).write_bytes((SOURCE / name).read_bytes())
    text = (SOURCE / "task.yaml").read_text()
    documents = "  documents: documents.jsonl\n"
    assert documents in text
    kept = f"{documents}  store: {store}\n" if store else documents
    (folder / "task.yaml").write_text(text.replace(documents, kept))
    return open_bench(load_task(folder / "task.yaml"), folder / "runs", Quiet())


def found(bench: Bench) -> list[list[int]]:
    rows = bench.data.dev[:20]
    bench.evaluator.retriever.prepare(READS, rows)
    return [bench.evaluator.retriever.nearest(READS, "documents", row) for row in rows]


def answered(bench: Bench) -> int:
    """The number of those questions for which an answering document is among the five."""
    documents = bench.data.documents
    pairs = zip(bench.data.dev, found(bench), strict=False)
    return sum(any(documents[at].source in row.doc_ids for at in top) for row, top in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lancedb", "qdrant"])
def test_documents_in_a_store_answer_about_as_many_questions_as_in_memory(
    tmp_path: Path, kind: str
) -> None:
    pytest.importorskip({"lancedb": "lancedb", "qdrant": "qdrant_client"}[kind])
    kept = bench_of(tmp_path / "kept", f"{kind}:here")
    plain = bench_of(tmp_path / "plain", None)
    assert answered(kept) >= answered(plain) - 1 > 10
    assert kept.evaluator.retriever.about != plain.evaluator.retriever.about
    place = f"{kind}:{tmp_path / 'kept' / 'here'}"
    with open_store(place, kept.task.name) as store:
        assert len(store) == len(kept.data.documents)


def test_documents_go_to_no_server_unless_they_may(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="data_may_leave"):
        bench_of(tmp_path / "task", "qdrant:http://192.0.2.1:6333")


def test_two_texts_with_one_id_are_refused(tmp_path: Path) -> None:
    bench = bench_of(tmp_path / "task", "lancedb:here")
    twice = tuple(replace(document, id="a#1") for document in bench.data.documents[:2])
    with pytest.raises(DataError, match="`a#1`"):
        found(with_data(bench, documents=twice))


def test_a_dry_run_writes_to_no_store(tmp_path: Path) -> None:
    bench = bench_of(tmp_path / "task", "lancedb:here")
    assert found(dry_bench(bench, usual_speed(), 0, tmp_path / "scratch"))
    assert not (tmp_path / "task" / "here").exists()
