"""The health of the search on real rows and documents; no model is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import ROOT

from ladder.evidence import Retrieval
from ladder.report.watch import Quiet
from ladder.rungs.base import Climb
from ladder.rungs.handed_over import retrieval_health
from ladder.rungs.opening import open_climb
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
