"""Rungs against each other and against no model, on the rows that both answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from ladder.evaluation.comparing import compare
from ladder.models.cache import Cache
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.task import Task


def climb_over(folder: Path, gate: list[Sample], **more: object) -> Bench:
    values = {
        "name": "t",
        "goal": "Sort the mail.",
        "data": {"test": "t.jsonl"},
        "score": "exact_match",
        "gate": {"min_score": 0.8},
        **more,
    }
    splits = Data((), (), tuple(gate), ())
    return Bench(Task.model_validate(values), splits, Cache(folder / "s"), folder, folder)


def rows(count: int, **more: str) -> list[Sample]:
    return [Sample(id=f"r{at}", input="x", target="y", **more) for at in range(count)]


def test_a_clear_gain_is_called_better_and_a_small_one_is_not_proven(tmp_path):
    gate = rows(100)
    bench = climb_over(tmp_path, gate)
    bench.history.scores = {
        "control": {s.id: float(at < 80) for at, s in enumerate(gate)},
        "prompt": {s.id: float(at < 30) for at, s in enumerate(gate)},
        "rag": {s.id: float(at < 83) for at, s in enumerate(gate)},
    }
    control, prompt = compare(bench.evaluator, "rag")
    assert (control.other, control.claim) == ("control", "no difference proven")
    assert (prompt.other, prompt.claim) == ("prompt", "better")
    assert control.difference == pytest.approx(0.03)
    assert prompt.low > 0.4
    worse = compare(bench.evaluator, "prompt")[0]
    assert (worse.other, worse.claim) == ("control", "worse")


def test_only_rows_that_both_answered_are_compared(tmp_path):
    gate = rows(40)
    bench = climb_over(tmp_path, gate)
    bench.history.scores = {
        "prompt": {s.id: 0.0 for s in gate[:25]},
        "rag": {s.id: 1.0 for s in gate},
    }
    assert [found.n for found in compare(bench.evaluator, "rag")] == [25]
    bench.history.scores["prompt"] = {}
    assert compare(bench.evaluator, "rag") == ()
