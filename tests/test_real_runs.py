"""The whole way on real models and data, as a user runs it. Slow: minutes each."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EVALSETS, ROOT, ladder
from conftest import assessed as record_of
from engines.endpoint.llama_server import free_port
from engines.endpoint.transformers_server import transformers_server

OWN_RUNG = dict(zip(EVALSETS, ("prompt", "rag", "lora", "distill"), strict=True))
IN_THE_GATE = "rag"
CLIMBS = [
    pytest.param(name, marks=pytest.mark.slow if rung == IN_THE_GATE else pytest.mark.long)
    for name, rung in OWN_RUNG.items()
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One runs folder for the module: r4's first adapter is r3's."""
    return tmp_path_factory.mktemp("runs")


def assessed(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode in (0, 1), done.stderr
    return record_of(done.stdout)


@pytest.mark.parametrize("name", CLIMBS)
def test_an_evalset_stops_at_the_rung_it_is_named_after(name, runs, smollm):
    task = ROOT / "evalsets" / name / "task.yaml"
    done = ladder("assess", task, "--runs", runs, "--json")
    found = assessed(done)
    assert found["recommendation"]["rung"] == OWN_RUNG[name], found["recommendation"]
    assert done.returncode == 0
    reasons = {attempt["rung"]: attempt for attempt in found["attempts"]}
    if name.startswith("r2"):
        assert reasons["prompt"]["diagnosis"]["causes"][0]["name"] == "knowledge"
    if name.startswith("r3"):
        assert reasons["rag"]["diagnosis"]["causes"][0]["name"] == "skill"
        build = reasons["lora"]["measurement"]["build"]
        assert build["train_tokens"] > 10_000
        assert build["peak_memory_mb"] > 300
        record = json.loads((Path(build["folder"]) / "training.json").read_text())
        assert record["loss_curve"][-1][1] < record["loss_curve"][0][1] / 4
    if name.startswith("r4"):
        assert [c["name"] for c in reasons["lora"]["diagnosis"]["causes"]] == ["latency"]
        latency = {r: reasons[r]["measurement"]["latency_ms"]["p50"] for r in ("lora", "distill")}
        assert latency["distill"] < latency["lora"] / 2


@pytest.mark.long
def test_a_plain_prompt_is_enough_for_review_sentiment(public_data, runs, smollm):
    task = ROOT / "evalsets/public/review_sentiment.yaml"
    found = assessed(ladder("assess", task, "--data", public_data, "--runs", runs, "--json"))
    assert found["recommendation"]["rung"] == "prompt"
    assert found["attempts"][0]["measurement"]["score"]["mean"] >= 0.83


@pytest.mark.long
def test_nearest_examples_name_ten_banking_intents(public_data, runs, tmp_path, smollm):
    """The shape of the hand-made measurement that the rag rung was designed after."""
    intents = set()
    for name in ("train", "test"):
        lines = (public_data / "banking77" / f"{name}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        intents = intents or set(sorted({row["target"] for row in rows})[:10])
        kept = [json.dumps(row) for row in rows if row["target"] in intents]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(kept))
    task = tmp_path / "task.yaml"
    task.write_text(
        "name: banking10\ngoal: Name the intent of the bank customer's message.\n"
        "data: {train: train.jsonl, test: test.jsonl}\nanswer: {type: label}\n"
        "score: exact_match\ngate: {min_score: 0.85}\nrungs: [prompt, rag]\n"
    )
    found = assessed(ladder("assess", task, "--runs", runs, "--json", "--all"))
    assert found["attempts"][1]["measurement"]["score"]["mean"] >= 0.90


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_run_goes_on_where_it_was(runs, tmp_path, smollm):
    """kill -9 in the middle: what was answered stays, and is not asked again."""
    task, kept = ROOT / "evalsets/r2_ferry_handbook/task.yaml", tmp_path / "completions.sqlite"
    command = [sys.executable, "-m", "ladder", "assess", str(task), "--runs", str(tmp_path)]
    process = subprocess.Popen([*command, "--until", "prompt"], cwd=ROOT, stdout=subprocess.DEVNULL)
    while count(kept) < 50:
        time.sleep(0.1)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = contents(kept)
    done = ladder("assess", task, "--runs", tmp_path, "--until", "prompt", "--json")
    assessed(done)
    after = contents(kept)
    assert len(after) > len(before) >= 50
    assert {key: after[key] for key in before} == before  # measured seconds included


def count(path: Path) -> int:
    try:
        return len(contents(path))
    except sqlite3.OperationalError:
        return 0


def contents(path: Path) -> dict[str, str]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
        return dict(base.execute("SELECT key, value FROM kept"))


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["lora", "qlora", "distill_sequence"])
def test_a_recipe_trains_by_hand(recipe, tmp_path, smollm):
    task = ROOT / "evalsets/r3_bakery_orders/task.yaml"
    short = ("--set", "max_steps=6", "--set", "logging_steps=1")
    done = ladder("train", recipe, "--task", task, "--runs", tmp_path, *short)
    assert done.returncode == 0, done.stderr
    assert "6 steps" in done.stdout
    folder = Path(done.stdout.split("artefact ")[1].strip())
    expected = "model.safetensors" if recipe == "distill_sequence" else "adapter_model.safetensors"
    assert (folder / expected).is_file()
    assert not list(folder.glob("checkpoint-*"))
    again = ladder("train", recipe, "--task", task, "--runs", tmp_path, *short)
    assert "about" in done.stdout, "says what it will take before it begins"
    assert "about" not in again.stdout
    assert done.stdout.endswith(again.stdout)  # found, not trained again


@pytest.mark.slow
def test_an_unknown_recipe_key_or_recipe_is_an_error(tmp_path, smollm):
    task = ROOT / "evalsets/r3_bakery_orders/task.yaml"
    recipe = tmp_path / "mine.yaml"
    recipe.write_text((ROOT / "recipes/lora.yaml").read_text() + "learning_rte: 1.0\n")
    done = ladder("train", recipe, "--task", task, "--runs", tmp_path)
    assert done.returncode == 2
    assert "learning_rte" in done.stderr
    assert "there are" in ladder("train", "lara", "--task", task, "--runs", tmp_path).stderr


@pytest.mark.slow
def test_an_adapter_without_effect_is_refused(tmp_path, smollm):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from ladder.engines.base import Request
    from ladder.engines.local import LocalEngine
    from ladder.errors import EngineError

    model = AutoModelForCausalLM.from_pretrained(smollm, dtype=torch.bfloat16)
    untrained = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    untrained.save_pretrained(tmp_path)
    engine = LocalEngine(smollm, tmp_path)
    with pytest.raises(EngineError, match="does not change"):
        list(engine.complete([Request(text="Hello")]))


@pytest.fixture
def served(smollm, tmp_path) -> Iterator[str]:
    """The bundled model behind a real OpenAI-compatible server on loopback."""
    with transformers_server(free_port(), tmp_path / "serve.log", smollm) as url:
        yield url


@pytest.mark.slow
def test_a_real_endpoint_is_assessed(served, smollm, tmp_path):
    """Chat over HTTP, with prices: few rows, because the server answers one at a time."""
    lines = (ROOT / "evalsets/r1_guest_feedback/test.jsonl").read_text().splitlines()
    (tmp_path / "test.jsonl").write_text("\n".join(lines[:40]))
    task = tmp_path / "task.yaml"
    task.write_text(
        "name: served\ngoal: Answer with one word, positive or negative.\n"
        "data: {test: test.jsonl}\n"
        "answer: {type: label, labels: [positive, negative], max_tokens: 8}\n"
        "score: contains\ngate: {min_score: 0.5, max_cost_usd_per_1k: 1.0}\n"
        f"models: {{base: 'openai:{smollm}@{served}'}}\n"
        "prices: {input_usd_per_1m: 0.1, output_usd_per_1m: 0.4, source: price list}\n"
        "rungs: [prompt]\n"
    )
    found = assessed(ladder("assess", task, "--runs", tmp_path / "runs", "--json"))
    measured = found["attempts"][0]["measurement"]
    assert measured["errors"] == 0
    assert measured["tokens"]["input_mean"] > 20
    assert measured["cost_basis"]["source"] == "price list"
    expected = measured["tokens"]["input_mean"] * 1e-4 + measured["tokens"]["output_mean"] * 4e-4
    assert measured["cost_usd_per_1k"] == pytest.approx(expected)
    assert measured["latency_ms"]["p50"] > 0
