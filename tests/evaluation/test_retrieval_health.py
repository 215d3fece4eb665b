"""The health of the search on real rows and documents; no model is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import ROOT

from ladder.climb.opening import open_climb
from ladder.evaluation.retrieval_health import retrieval_health
from ladder.evidence import Retrieval
from ladder.inference.evaluator import Climb
from ladder.progress import Quiet
from ladder.task import load_task


@pytest.fixture
def climb(tmp_path) -> Climb:
    task = load_task(ROOT / "evalsets/r2_ferry_handbook/task.yaml")
    return open_climb(task, tmp_path, Quiet())[0]


def test_the_handbook_is_found(climb):
    (found,) = retrieval_health(climb, Retrieval(source="documents", k=2), climb.splits.gate)
    assert found.source == "documents"
    assert list(found.recall) == [1, 3, 5]
    assert found.recall[1].mean > 0.9
    assert found.recall[1].mean <= found.recall[3].mean <= found.recall[5].mean
    assert found.recall[1].n == len(climb.splits.gate)
    assert found.redundancy < 0.1
    assert 0 < found.inequality < 0.9
    assert found.calibration_error is not None
    assert found.calibration_error < 0.1


def test_copies_of_every_document_are_redundant(climb):
    copies = [
        replace(document, id=f"{document.id}-{copy}")
        for document in climb.splits.documents
        for copy in range(5)
    ]
    climb.splits = replace(climb.splits, documents=tuple(copies))
    (found,) = retrieval_health(climb, Retrieval(source="documents", k=5), climb.splits.gate)
    assert found.redundancy > 0.7


def test_examples_have_no_right_document(climb):
    found = retrieval_health(climb, Retrieval(source="both", k=4), climb.splits.gate[:20])
    assert [health.source for health in found] == ["documents", "examples"]
    assert found[1].recall == {}
    assert retrieval_health(climb, None, climb.splits.gate) == ()
    assert retrieval_health(climb, Retrieval(source="gold", k=1), climb.splits.gate) == ()


def test_a_document_may_have_the_id_of_the_row_that_asks_for_it(climb):
    row = climb.splits.gate[0]
    right = row.doc_ids[0]
    climb.splits = replace(climb.splits, gate=(replace(row, id=right),))
    (found,) = retrieval_health(climb, Retrieval(source="documents", k=1), climb.splits.gate)
    assert found.recall[5].mean == 1


def test_rows_whose_document_is_not_there_do_not_blame_the_search(climb):
    rows = [replace(row, doc_ids=("gone",)) for row in climb.splits.gate[:30]]
    rows += climb.splits.gate[30:]
    (found,) = retrieval_health(climb, Retrieval(source="documents", k=1), rows)
    assert found.recall[1].n == len(rows) - 30
    assert found.recall[1].mean > 0.9
