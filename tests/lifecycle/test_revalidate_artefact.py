"""Revalidating a trained student: its passport is part of the check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trained import perturb, write_plan

from ladder.climb.opening import open_bench
from ladder.engines.passport import PASSPORT, read_passport
from ladder.evaluation.measure import measure
from ladder.evidence import Candidate
from ladder.lifecycle.revalidate import RECORD, Revalidation, revalidate
from ladder.progress import Quiet
from ladder.task import load_task

pytest.importorskip("torch")


@pytest.fixture
def plan_path(student: Path, tmp_path: Path) -> Path:
    rows = [{"input": f"{at} loaves", "target": ("bread", "cake")[at % 2]} for at in range(30)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "task.yaml").write_text(
        "name: shop\ngoal: Sort the orders.\ndata: {test: test.jsonl}\n"
        "answer: {type: label, labels: [bread, cake]}\nscore: exact_match\n"
        "gate: {min_score: 0.01}\n"
    )
    bench = open_bench(load_task(tmp_path / "task.yaml"), tmp_path / "runs", Quiet())
    candidate = Candidate(rung="distill", description="student", model=f"hf:{student}",
                          decoding="scored")  # fmt: skip
    measurement, _, _ = measure(bench.evaluator, candidate, bench.data.gate, all_rows=True)
    return write_plan(bench, candidate, measurement)


def again(path: Path) -> Revalidation:
    found = revalidate(path, Quiet())
    line = json.loads((path.parent / RECORD).read_text().splitlines()[-1])
    assert line["findings"] == list(found.findings)
    return found


@pytest.mark.slow
def test_a_student_that_is_what_it_was_and_one_that_is_not(student, plan_path):
    assert again(plan_path).findings == ()
    perturb(student / "model.safetensors", "lm_head", 0.05)
    found = again(plan_path)
    assert found.measurement is None
    [refused] = found.findings
    assert refused.startswith("the artefact is refused: ")
    assert "weights: got" in refused


@pytest.mark.slow
def test_a_student_whose_canaries_moved(student, plan_path):
    """The digests hold, and the answers do not: a library or the machine has changed."""
    passport = read_passport(student)
    moved = tuple(
        canary.model_copy(update={"logprobs": {t: v - 1 for t, v in canary.logprobs.items()}})
        for canary in passport.canaries.prompts
    )
    canaries = passport.canaries.model_copy(update={"prompts": moved})
    changed = passport.model_copy(update={"canaries": canaries})
    (student / PASSPORT).write_text(changed.model_dump_json())
    found = again(plan_path)
    assert found.measurement is not None
    assert found.changed_pins == ()
    assert any("canaries: 8 of 8 answer otherwise" in finding for finding in found.findings)
