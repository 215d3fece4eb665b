"""A plan that an assessment left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import train_head
from trained import write_plan

from ladder.climb.opening import open_bench
from ladder.evaluation.measure import measure
from ladder.evidence import (
    Candidate,
)
from ladder.progress import Quiet
from ladder.task import load_task

THINGS = {"bread": ["loaf", "baguette", "roll"], "cake": ["muffin", "tart", "eclair"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task that a trained classifier answers, in a folder of its own."""
    rows = [
        {"input": f"{count} {thing}s, order number {count * 7919 % 1000}", "target": label}
        for label, things in THINGS.items()
        for thing in things
        for count in range(2, 12)
    ]
    home = tmp_path / "job"
    home.mkdir()
    (home / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "task.yaml").write_text(
        "name: shop\ngoal: Sort the orders.\ndata: {test: test.jsonl}\n"
        "answer: {type: label, labels: [bread, cake]}\nscore: exact_match\n"
        "gate: {min_score: 0.7}\n"
    )
    texts = [f"two {thing}s" for things in THINGS.values() for thing in things]
    train_head(home / "student", texts, [label for label in THINGS for _ in range(3)], 0)
    return home


@pytest.fixture
def plan_path(folder: Path) -> Path:
    """The plan that an assessment of the student would leave, in a run folder below."""
    bench = open_bench(load_task(folder / "task.yaml"), folder / "runs", Quiet())
    candidate = Candidate(rung="distill", description="student", model="head:student")
    measurement, found, _ = measure(bench.evaluator, candidate, bench.data.gate, all_rows=True)
    assert found.status == "pass"
    return write_plan(bench, candidate, measurement)
