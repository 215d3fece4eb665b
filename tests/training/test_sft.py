"""The training program itself, on a tiny model with random weights."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("sft_under_test", ROOT / "recipes" / "sft.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def trained(program: ModuleType, base: Path, folder: Path, at_once: int) -> dict[str, Any]:
    """Train the whole tiny model for one epoch; return its weights."""
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
    program.TOKENS_AT_ONCE = at_once
    trainer = program.make_trainer(program.Files(str(folder / "rows.jsonl")), settings, model)
    trainer.train()
    assert trainer.state.global_step == 2
    return {name: value.detach().clone() for name, value in trainer.model.state_dict().items()}


def test_rows_taken_a_few_at_a_time_train_the_same_model(program, tiny, tmp_path):
    from transformers import AutoModelForCausalLM

    whole = trained(program, tiny, tmp_path / "whole", at_once=10**9)
    parts = trained(program, tiny, tmp_path / "parts", at_once=100)
    worst = max(float((whole[name] - parts[name]).abs().max()) for name in whole)
    before = AutoModelForCausalLM.from_pretrained(tiny).state_dict()
    step = max(float((whole[name] - before[name]).abs().max()) for name in whole)
    assert step > 1e-3
    assert worst < 0.01 * step
