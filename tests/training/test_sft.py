"""The training program itself, on a tiny model with random weights."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT
from training.programs import largest_change, started


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    # Tests set it as they like; it is put back.
    monkeypatch.setattr(importlib.import_module("steps"), "TOKENS_AT_ONCE", 1024)
    return importlib.import_module("sft")


def trained(program: ModuleType, base: Path, folder: Path, at_once: int) -> dict[str, Any]:
    """Train the whole tiny model for one epoch; return its weights."""
    trainer = trainer_over(program, base, folder, at_once)
    trainer.train()
    assert trainer.state.global_step == 2
    return {name: value.detach().clone() for name, value in trainer.model.state_dict().items()}


def trainer_over(program: ModuleType, base: Path, folder: Path, at_once: int) -> Any:
    """Return a trainer of the whole tiny model on rows of several lengths."""
    from trl import SFTConfig

    rows = [
        {"prompt": "word " * (5 + 7 * (at % 9)), "completion": f" answer {at}"} for at in range(24)
    ]
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    settings = SFTConfig(
        output_dir=str(folder), use_cpu=True, per_device_train_batch_size=12, num_train_epochs=1,
        learning_rate=1e-2, completion_only_loss=True, report_to="none", bf16=False, seed=0,
        gradient_checkpointing=False, disable_tqdm=True, save_strategy="no",
    )  # fmt: skip
    model = SimpleNamespace(
        model_name_or_path=str(base), dtype="float32", attn_implementation="sdpa",
        model_revision="main", use_peft=False, load_in_4bit=False, load_in_8bit=False,
    )  # fmt: skip
    importlib.import_module("steps").TOKENS_AT_ONCE = at_once
    return program.make_trainer(program.Files(str(folder / "rows.jsonl")), settings, model)


@pytest.mark.slow
def test_the_loss_is_that_of_the_library(program, tiny, tmp_path):
    """Labelled positions alone, no mask and no padding: the same loss, and the same gradients."""
    import torch
    from trl import SFTTrainer

    def own_step(trainer: Any, batch: Any, count: Any) -> Any:
        return trainer.training_step(trainer.model, batch, count)

    def library_step(trainer: Any, batch: Any, count: Any) -> Any:
        loss = SFTTrainer.compute_loss(trainer, trainer.model, batch, False, count)
        loss.backward()
        return loss

    trainer = trainer_over(program, tiny, tmp_path / "run", at_once=100)
    batch = next(iter(trainer.get_train_dataloader()))
    count = (batch["labels"] != -100).sum()
    found = []
    for step in (own_step, library_step):
        trainer.model.zero_grad()
        loss = step(trainer, dict(batch), count)
        gradients = torch.cat([p.grad.flatten() for p in trainer.model.parameters()])
        found.append((float(loss), gradients.clone()))
    (ours, own), (theirs, library) = found
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert float((own - library).abs().max()) < 1e-5 * float(library.abs().max()) + 1e-8


@pytest.mark.slow
def test_adapters_added_in_one_pass_are_pefts_own(program, tiny):
    """The same output and gradients as PEFT's layers; switched off, the base's own output."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    ids = torch.arange(60).view(3, 20)
    base = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    bare = base(ids).logits
    adapters = LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(base, adapters)
    found = []
    for change in (lambda _: None, importlib.import_module("steps").add_in_one_pass):
        change(model)
        model.zero_grad()
        logits = model(ids).logits
        logits.square().sum().backward()
        learnt = [p.grad.flatten() for p in model.parameters() if p.requires_grad]
        found.append((logits.detach(), torch.cat(learnt).clone()))
    (theirs, library), (ours, own) = found
    assert float((theirs - bare).abs().max()) > 0.01
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert torch.allclose(own, library, rtol=1e-3, atol=1e-4 * float(library.abs().max()))
    assert any("forward" in vars(layer) for layer in model.modules())
    with model.disable_adapter():
        assert torch.equal(model(ids).logits, bare)


@pytest.mark.slow
def test_rows_taken_a_few_at_a_time_train_the_same_model(program, tiny, tmp_path):
    from transformers import AutoModelForCausalLM

    whole = trained(program, tiny, tmp_path / "whole", at_once=10**9)
    parts = trained(program, tiny, tmp_path / "parts", at_once=100)
    worst = max(float((whole[name] - parts[name]).abs().max()) for name in whole)
    before = AutoModelForCausalLM.from_pretrained(tiny).state_dict()
    step = max(float((whole[name] - before[name]).abs().max()) for name in whole)
    assert step > 1e-3
    assert worst < 0.01 * step


SETTINGS = {
    "program": "sft.py", "use_peft": True, "lora_dropout": 0.0, "lora_r": 4,
    "lora_target_modules": "all-linear",
    "dtype": "float32", "learning_rate": 1e-2, "per_device_train_batch_size": 4,
    "completion_only_loss": True, "gradient_checkpointing": False, "bf16": False, "seed": 0,
    "logging_steps": 1, "save_strategy": "steps", "save_steps": 2, "save_total_limit": 1,
    "report_to": "none", "disable_tqdm": True, "num_train_epochs": 2, "max_length": 128,
    "train_sampling_strategy": "random",
}  # fmt: skip
ROWS = [
    {"prompt": f"Word {at}: " + "go " * (at % 5), "completion": f" {at % 3}\n"} for at in range(24)
]


def start(base: Path, folder: Path, *launcher: str, rows: Any = ROWS, **changed: Any) -> Any:
    """Start the program on rows; return the process."""
    folder.mkdir(exist_ok=True)
    settings = {**SETTINGS, **changed}
    (folder / "recipe.yaml").write_text(json.dumps(settings))
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    command = [
        *(launcher or (sys.executable,)), str(ROOT / "recipes/sft.py"),
        "--config", str(folder / "recipe.yaml"), "--model_name_or_path", str(base),
        "--train_file", str(folder / "rows.jsonl"), "--output_dir", str(folder / "out"),
    ]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def ended(process: Any, code: int = 0) -> str:
    """Wait for the end; return the last line it wrote."""
    out, _ = process.communicate(timeout=300)
    assert process.returncode == code, out
    return out.strip().splitlines()[-1] if out.strip() else ""


def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out" / "training.json").read_text())


@pytest.mark.slow
def test_a_broken_loss_stops_and_keeps_the_checkpoint_from_before(tiny, tmp_path):
    """Weights blow up by ever larger steps; what is kept is from before."""
    folder = tmp_path / "run"
    changed = {"learning_rate": 1e38, "lr_scheduler_type": "constant_with_warmup"}
    said = ended(start(tiny, folder, warmup_steps=8, max_grad_norm=0.0, **changed), code=1)
    assert "the loss is not a number at step" in said
    assert "Lower learning_rate" in said
    kept = sorted((folder / "out").glob("checkpoint-*"))
    assert not (folder / "out" / "training.json").exists()
    from safetensors.torch import load_file

    weights = load_file(kept[-1] / "adapter_model.safetensors")
    assert all(bool(value.isfinite().all()) for value in weights.values())
    assert kept[-1].name in said


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_killed_run_goes_on_and_ends_with_the_same_loss(tiny, tmp_path, dtype):
    ended(start(tiny, tmp_path / "whole", dtype=dtype))
    folder = tmp_path / "killed"
    process = start(tiny, folder, save_steps=1, dtype=dtype)
    progress = folder / "out" / "progress.jsonl"
    while process.poll() is None:
        steps = progress.read_text().splitlines() if progress.exists() else []
        if any(json.loads(line)["step"] >= 4 for line in steps if line.endswith("}")):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "out" / "training.json").exists()
    ended(start(tiny, folder, save_steps=1, dtype=dtype))
    whole, again = record(tmp_path / "whole"), record(folder)
    assert again["loss_curve"][-1] == pytest.approx(whole["loss_curve"][-1], rel=1e-5)
    assert len(again["loss_curve"]) == len(whole["loss_curve"])


@pytest.mark.slow
@pytest.mark.long
def test_the_same_seed_gives_the_same_curve_and_another_one_does_not(tiny, tmp_path):
    curves = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        ended(start(tiny, tmp_path / name, seed=seed))
        curves.append(record(tmp_path / name)["loss_curve"])
    assert curves[0] == curves[1] != curves[2]
    assert record(tmp_path / "a")["not_deterministic"] == []


@pytest.mark.long
def test_two_processes_train_what_one_does(tiny, tmp_path):
    """Under `accelerate launch`, gradients over gloo: half the batch each."""
    ended(start(tiny, tmp_path / "one"))
    launch = (sys.executable, "-m", "accelerate.commands.launch", "--config_file")
    launch += (str(ROOT / "recipes/accelerate/cpu.yaml"),)
    ended(start(tiny, tmp_path / "two", *launch, per_device_train_batch_size=2))
    one, two = record(tmp_path / "one"), record(tmp_path / "two")
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["steps"] == two["steps"]
    assert one["tokens"] == two["tokens"]
    for (step, alone), (also, shared) in zip(one["loss_curve"], two["loss_curve"], strict=True):
        assert step == also
        assert shared == pytest.approx(alone, rel=1e-3)


@pytest.mark.long
def test_two_machines_train_what_one_does(tiny, tmp_path):
    """The same command on each, with its rank: here both are this machine."""
    ended(start(tiny, tmp_path / "one"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = (sys.executable, "-m", "accelerate.commands.launch", "--config_file")
    launch += (str(ROOT / "recipes/accelerate/cpu.yaml"), "--num_machines", "2")
    launch += ("--num_processes", "2", "--main_process_ip", "127.0.0.1")
    launch += ("--main_process_port", str(port), "--machine_rank")
    both = [
        start(tiny, tmp_path / "two", *launch, rank, per_device_train_batch_size=2)
        for rank in ("0", "1")
    ]
    for process in both:
        ended(process)
    one, two = record(tmp_path / "one"), record(tmp_path / "two")
    assert (one["processes"], two["processes"]) == (1, 2)
    assert (one["steps"], one["tokens"]) == (two["steps"], two["tokens"])
    for (step, alone), (also, shared) in zip(one["loss_curve"], two["loss_curve"], strict=True):
        assert step == also
        assert shared == pytest.approx(alone, rel=1e-3)


@pytest.mark.slow
def test_rows_end_to_end_are_kept_apart_and_train_what_padded_ones_do(tiny, tmp_path):
    """What a GPU with flash attention does by itself: the same batches without their padding."""
    ended(start(tiny, tmp_path / "padded"))
    ended(start(tiny, tmp_path / "apart", padding_free=True, attn_implementation="sdpa"))
    ended(start(tiny, tmp_path / "packed", packing=True, attn_implementation="sdpa"))
    padded, apart, packed = (record(tmp_path / each) for each in ("padded", "apart", "packed"))
    assert apart["steps"] == padded["steps"] > packed["steps"]
    assert apart["tokens"] == packed["tokens"] == padded["tokens"]
    for (step, loss), (also, without) in zip(
        padded["loss_curve"], apart["loss_curve"], strict=True
    ):
        assert step == also
        assert without == pytest.approx(loss, rel=1e-3)


@pytest.mark.slow
def test_rows_that_are_too_long_end_the_run_with_the_length_that_fits(tiny, tmp_path):
    rows = [{**row, "prompt": row["prompt"] * 40} for row in ROWS]
    said = ended(start(tiny, tmp_path / "run", rows=rows), code=1)
    assert "rows are longer than 128 tokens" in said
    assert "set max_length" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("dora", marks=pytest.mark.long), "full"])
def test_a_recipe_trains_what_it_says_and_changes_the_logits(name, tiny, tmp_path):
    rows = [{"prompt": f"Q{at}\nA:", "completion": " yes please\n"} for at in range(24)]
    done = started(name, rows, tiny, tmp_path / "out", "--logging_steps", "1")
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["loss_curve"][-1][1] < record["loss_curve"][0][1]
    whole = record["trained_parameters"] == record["all_parameters"]
    assert whole == (name == "full")
    assert largest_change(tiny, tmp_path / "out") > 1e-3
    if name == "dora":
        from safetensors.torch import load_file

        saved = load_file(tmp_path / "out" / "adapter_model.safetensors")
        lengths = [value for key, value in saved.items() if "magnitude" in key]
        assert lengths
        assert all(value.dtype.itemsize == 4 for value in lengths)  # bfloat16 would freeze them
