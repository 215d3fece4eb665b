"""The health of the search on real rows and documents; no model is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benches import with_data
from conftest import ROOT

from ladder.climb.opening import open_bench
from ladder.evaluation.retrieval_health import retrieval_health
from ladder.evidence import Retrieval
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.task import load_task


@pytest.fixture
def bench(tmp_path) -> Bench:
    task = load_task(ROOT / "evalsets/r2_ferry_handbook/task.yaml")
    return open_bench(task, tmp_path, Quiet())


def test_the_handbook_is_found(bench):
    (found,) = retrieval_health(
        bench.evaluator, Retrieval(source="documents", k=2), bench.data.gate
    )
    assert found.source == "documents"
    assert list(found.recall) == [1, 3, 5]
    assert found.recall[1].mean > 0.9
    assert found.recall[1].mean <= found.recall[3].mean <= found.recall[5].mean
    assert found.recall[1].n == len(bench.data.gate)
    assert found.redundancy < 0.1
    assert 0 < found.inequality < 0.9
    assert found.calibration_error is not None
    assert found.calibration_error < 0.1


def test_copies_of_every_document_are_redundant(bench):
    copies = [
        replace(document, id=f"{document.id}-{copy}")
        for document in bench.data.documents
        for copy in range(5)
    ]
    bench = with_data(bench, documents=tuple(copies))
    (found,) = retrieval_health(
        bench.evaluator, Retrieval(source="documents", k=5), bench.data.gate
    )
    assert found.redundancy > 0.7


def test_examples_have_no_right_document(bench):
    found = retrieval_health(bench.evaluator, Retrieval(source="both", k=4), bench.data.gate[:20])
    assert [health.source for health in found] == ["documents", "examples"]
    assert found[1].recall == {}
    assert retrieval_health(bench.evaluator, None, bench.data.gate) == ()
    assert retrieval_health(bench.evaluator, Retrieval(source="gold", k=1), bench.data.gate) == ()


def test_a_document_may_have_the_id_of_the_row_that_asks_for_it(bench):
    row = bench.data.gate[0]
    right = row.doc_ids[0]
    bench = with_data(bench, gate=(replace(row, id=right),))
    (found,) = retrieval_health(
        bench.evaluator, Retrieval(source="documents", k=1), bench.data.gate
    )
    assert found.recall[5].mean == 1


def test_rows_whose_document_is_not_there_do_not_blame_the_search(bench):
    rows = [replace(row, doc_ids=("gone",)) for row in bench.data.gate[:30]]
    rows += bench.data.gate[30:]
    (found,) = retrieval_health(bench.evaluator, Retrieval(source="documents", k=1), rows)
    assert found.recall[1].n == len(rows) - 30
    assert found.recall[1].mean > 0.9
