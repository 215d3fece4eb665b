"""Each fault breaks one thing of a real pipeline, and nothing else. No model is asked."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from random import Random

import pytest
from conftest import ROOT

from ladder.climb.opening import open_bench
from ladder.diagnosis.ablations import places
from ladder.diagnosis.rules import NOT_THERE
from ladder.evidence import Candidate, Retrieval
from ladder.inference.evaluator import Evaluator
from ladder.progress import Quiet
from ladder.retrieval.retriever import Retriever
from ladder.retrieval.search import make_index
from ladder.rungs.protocol import Bench
from ladder.task import load_task

# Not by sys.path: benchmarks/training.py would hide the folder tests/training.
SPEC = importlib.util.spec_from_file_location(
    "fault_injection", ROOT / "benchmarks/fault_injection.py"
)
assert SPEC
assert SPEC.loader
fault_injection = importlib.util.module_from_spec(SPEC)
sys.modules["fault_injection"] = fault_injection  # dataclasses look themselves up there
SPEC.loader.exec_module(fault_injection)
COPIES, FAULTS = fault_injection.COPIES, fault_injection.FAULTS
FLIPPED, Pipeline = fault_injection.FLIPPED, fault_injection.Pipeline

BY_NAME = {fault.name: fault for fault in FAULTS}


@pytest.fixture
def bench(tmp_path) -> Bench:
    task = load_task(ROOT / "evalsets/r2_ferry_handbook/task.yaml")
    return open_bench(task, tmp_path, Quiet())


@pytest.fixture
def healthy(bench) -> Pipeline:
    candidate = Candidate(
        rung="rag",
        description="healthy",
        model="bundled:smollm2-135m",
        decoding="scored",
        retrieval=Retrieval(source="documents", k=3),
    )
    return Pipeline(bench.data, candidate, make_index, weaker="hf:weak")


def broken(bench: Bench, pipeline: Pipeline) -> Evaluator:
    cache = bench.evaluator.models.cache
    library = Retriever(bench.task, pipeline.splits, cache, Quiet(), pipeline.make_index)
    return replace(bench.evaluator, data=pipeline.splits, retriever=library)


def ranks(bench: Bench, pipeline: Pipeline) -> list[int]:
    evaluator = broken(bench, pipeline)
    found = places(evaluator, pipeline.candidate.retrieval, evaluator.data.gate)
    assert len(found) == len(evaluator.data.gate)
    return list(found.values())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_something_and_the_same_seed_changes_the_same(healthy, fault):
    once, again = (fault.inject(healthy, Random(7)) for _ in range(2))
    assert once != healthy
    assert (once.splits, once.candidate) == (again.splits, again.candidate)
    unlike = [name for name in ("splits", "candidate", "make_index")
              if getattr(once, name) != getattr(healthy, name)]  # fmt: skip
    assert len(unlike) == 1 + (fault.name == "format broken"), "a single fault"
    assert len(once.splits.gate) == len(healthy.splits.gate)


def test_the_healthy_search_finds_nearly_every_page(bench, healthy):
    found = ranks(bench, healthy)
    assert sum(1 <= rank <= 3 for rank in found) > 0.95 * len(found)


def test_deleted_pages_are_nowhere(bench, healthy):
    pipeline = BY_NAME["gold deleted"].inject(healthy, Random(0))
    assert set(ranks(bench, pipeline)) == {NOT_THERE}
    assert 0 < len(pipeline.splits.documents) < len(healthy.splits.documents)


def test_copies_fill_the_window(bench, healthy):
    pipeline = BY_NAME["copies x5"].inject(healthy, Random(0))
    assert len(pipeline.splits.documents) == COPIES * len(healthy.splits.documents)
    retriever, row = broken(bench, pipeline).retriever, pipeline.splits.gate[0]
    texts = retriever.read_texts["documents"]
    plain = Retrieval(source="documents", k=COPIES)
    assert len({texts[at] for at in retriever.nearest(plain, "documents", row)}) == 1
    unique = plain.model_copy(update={"unique": True})
    assert len({texts[at] for at in retriever.nearest(unique, "documents", row)}) == COPIES


def test_shuffled_ranks_find_the_same_texts_in_another_order(bench, healthy):
    pipeline = BY_NAME["ranks shuffled"].inject(healthy, Random(0))
    found = ranks(bench, pipeline)
    assert sum(1 <= rank <= 3 for rank in found) < 0.2 * len(found)
    row = healthy.splits.gate[0]
    retrieval = healthy.candidate.retrieval
    usual = broken(bench, healthy).retriever.ranked(retrieval, "documents", row)
    shuffled = broken(bench, pipeline).retriever.ranked(retrieval, "documents", row)
    assert usual != shuffled
    assert len(set(usual) ^ set(shuffled)) <= 2  # one more is found than is kept


def test_a_broken_format_is_shown_and_not_asked_for(healthy):
    pipeline = BY_NAME["format broken"].inject(healthy, Random(0))
    by_id = {row.id: row for row in pipeline.splits.train}
    shown = [by_id[shot].target for shot in pipeline.candidate.shots]
    assert shown
    assert all(target not in healthy.splits.labels for target in shown)
    assert pipeline.splits.gate == healthy.splits.gate


def test_flipped_labels_stay_labels(healthy):
    pipeline = BY_NAME["labels flipped"].inject(healthy, Random(0))
    pairs = list(zip(healthy.splits.gate, pipeline.splits.gate, strict=True))
    changed = [new for old, new in pairs if old.target != new.target]
    assert abs(len(changed) / len(pairs) - FLIPPED) < 0.15
    assert {row.target for row in changed} <= set(healthy.splits.labels)


def test_a_fault_of_reading_needs_a_pipeline_that_reads(healthy):
    bare = replace(healthy, candidate=healthy.candidate.model_copy(update={"retrieval": None}))
    with pytest.raises(ValueError, match="reads"):
        BY_NAME["distractors"].inject(bare, Random(0))
