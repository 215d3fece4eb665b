"""What a training is expected to take, beside what this size of model has taken."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from conftest import ROOT

from ladder.errors import TrainingError
from ladder.evidence import Memory
from ladder.training.estimate import (
    TOKENS_AT_ONCE,
    estimate_training,
    fits,
    memory_mb,
    method_of,
    shape_of,
)
from ladder.training.recipes import find_recipe

CONFIG = {
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
    "tie_word_embeddings": True,
}  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def test_the_shape_counts_the_weights(base: Path) -> None:
    shape = shape_of(base)
    assert shape.embedding + shape.linear == 134_479_872  # 134,515,008 less the norms
    assert shape.adapter(16) == 4_884_480
    untied = {**CONFIG, "tie_word_embeddings": False}
    (base / "config.json").write_text(json.dumps(untied))
    assert shape_of(base).embedding == 2 * shape.embedding


@pytest.mark.parametrize(
    ("method", "tokens", "measured"),
    [("lora", 960, 2787), ("dora", 960, 3478), ("full", 960, 4504)],
)
def test_memory_is_near_what_was_measured(
    method: str, tokens: int, measured: float, base: Path
) -> None:
    """Measured on r3_bakery_orders, batches of 16 rows of 60 tokens at most (recipes/README.md)."""
    assert memory_mb(shape_of(base), method, tokens) == pytest.approx(measured, rel=0.25)


def test_four_bits_take_less_and_all_weights_more(base: Path) -> None:
    needed = {name: memory_mb(shape_of(base), name, 256) for name in ("qlora", "lora", "full")}
    assert needed["qlora"] < needed["lora"] < needed["full"]
    memory = Memory(needed_mb=needed, available_mb=needed["lora"] - 1)
    assert fits(memory, "qlora")
    assert not fits(memory, "lora")
    assert fits(None, "lora")


def test_time_follows_tokens_epochs_and_what_is_changed(base: Path) -> None:
    recipe = find_recipe("lora", base)
    usual = estimate_training(recipe, base, [100] * 320, 4000, {})
    once = estimate_training(recipe, base, [100] * 320, 4000, {"num_train_epochs": "1"})
    assert usual.seconds - 12 == pytest.approx(3 * (once.seconds - 12))
    few = estimate_training(recipe, base, [100] * 320, 4000, {"max_steps": "10"})
    assert few.seconds - 12 == pytest.approx((once.seconds - 12) / 2)  # 160 of 320 rows
    small = estimate_training(recipe, base, [100] * 320, 4000, {"per_device_train_batch_size": "2"})
    assert small.memory_mb < usual.memory_mb


def test_pairs_are_held_whole(base: Path) -> None:
    """Preference programs do not take a batch in parts."""
    rows = [300] * 50
    answers = estimate_training(find_recipe("lora", base), base, rows, 4000, {})
    pairs = estimate_training(find_recipe("dpo", base), base, rows, 4000, {})
    assert pairs.memory_mb > answers.memory_mb


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "full"),
        ({"use_peft": True}, "lora"),
        ({"use_peft": True, "load_in_4bit": True}, "qlora"),
        ({"use_peft": True, "use_dora": True}, "dora"),
    ],
)
def test_a_recipe_is_known_by_its_fields(fields: dict[str, bool], name: str) -> None:
    assert method_of(fields) == name


def test_memory_is_foreseen_for_as_many_tokens_as_the_programs_take_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Programs are copied without ladder, so that the number stands in both."""
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    assert importlib.import_module("steps").TOKENS_AT_ONCE == TOKENS_AT_ONCE


def test_a_field_that_is_no_number_is_named(base: Path) -> None:
    with pytest.raises(TrainingError, match="num_train_epochs: got `many`, wanted a number"):
        estimate_training(
            find_recipe("lora", base), base, [100], 4000, {"num_train_epochs": "many"}
        )
