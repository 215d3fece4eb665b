"""A GGUF file's figures count once llama.cpp is seen to answer as transformers does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engines.endpoint.llama_server import bundled_gguf
from small_tasks import write_task

from ladder.climb.dry_run import dry_run
from ladder.climb.loop import not_climbed
from ladder.climb.opening import open_bench
from ladder.evaluation import parity as module
from ladder.evaluation.parity import judged, parity, parity_line
from ladder.evidence import Asked
from ladder.evidence.parity import Parity
from ladder.gate.bounds import estimate
from ladder.gate.non_inferiority import Pairs, not_worse_by
from ladder.progress import Quiet
from ladder.rungs import LADDER
from ladder.task import load_task

COLOURS = ("red", "green", "blue")


def row(part: str, number: int) -> dict[str, Any]:
    colour = COLOURS[number % 3]
    return {"input": f"{part}: the {colour} boat number {number} left.", "target": colour}


def found(file: list[float], other: list[float], same: int) -> Parity:
    rows = len(file)
    return judged(
        Parity(
            file="m.gguf",
            quantisation="Q4_1",
            beside="transformers 5, float32",
            rows=rows,
            equal=estimate([1.0] * rows, 0.95),
            same_first=same,
            logprob_median=0.01,
            logprob_most=0.2,
            not_worse=not_worse_by("parity", Pairs(file, other), 0.1, 0.05),
            verdict="not compared",
        )
    )


def test_equal_answers_hold() -> None:
    held = found([1.0] * 60, [1.0] * 60, 60)
    assert held.verdict == "holds"
    line = parity_line(held)
    assert line.startswith("GGUF file m.gguf (Q4_1) beside transformers 5, float32: 1.00 (")
    assert "0.01 nats apart (at most 0.2)" in line
    assert line.endswith("(not worse by 0.1): parity holds")


def test_a_file_that_loses_answers_fails() -> None:
    lost = found([0.0] * 12 + [1.0] * 48, [1.0] * 60, 60)
    assert lost.verdict == "fails"
    assert "12 lost and 0 won of 60 rows" in lost.reason


def test_equal_scores_do_not_hide_that_other_tokens_come_first() -> None:
    """Both may score nothing at all: that says nothing of the code that computes."""
    other = found([0.0] * 60, [0.0] * 60, 20)
    assert other.verdict == "fails"
    assert "at 20 of 60 rows only" in other.reason


def test_too_few_rows_are_told() -> None:
    few = found([1.0] * 8, [1.0] * 8, 8)
    assert few.verdict == "not compared"
    assert "8 rows are too few" in few.reason


def test_no_rung_is_climbed_by_a_file_that_fails(tmp_path: Path) -> None:
    task = load_task(
        write_task(tmp_path, row, 30, 90, score="exact_match", answer={"type": "label"})
    )
    bench = open_bench(task, tmp_path / "runs", Quiet())
    assert parity(bench.evaluator) is None, "the base is no GGUF file"
    bench.history.parity = found([0.0] * 60, [1.0] * 60, 60)
    for every in (False, True):
        attempt = not_climbed(bench, LADDER[0], every=every)
        assert attempt is not None
        assert attempt.status == "skipped"
        assert "parity fails: its score is not shown" in attempt.reason
    bench.history.parity = found([1.0] * 60, [1.0] * 60, 60)
    assert not_climbed(bench, LADDER[0], every=False) is None


@pytest.mark.slow
def test_the_bundled_file_beside_its_own_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    monkeypatch.setattr(module, "ROWS", 32)
    models = {"base": f"gguf:{bundled_gguf()}"}
    path = write_task(
        tmp_path, row, 60, 180, score="exact_match", answer={"type": "label"}, models=models
    )
    bench = open_bench(load_task(path), tmp_path / "runs", Quiet())
    real = parity(bench.evaluator)
    assert real is not None
    assert real.verdict == "holds", real
    assert real.rows == 32
    assert real.logprob_most is not None
    assert real.logprob_most < 1
    counted = bench.evaluator.models.needed["parity"]
    assert (real.asked.calls, counted.calls) == (64, 64)
    assert counted.tokens == real.asked.tokens > 0
    assert parity(bench.evaluator) == real, "it is kept"
    told, counts = dry_run(load_task(path), tmp_path / "dry", Quiet(), until="prompt")
    assert told
    foreseen = counts["parity"]
    assert isinstance(foreseen, Asked)
    assert foreseen.calls == real.asked.calls, "a dry run counts it too"
