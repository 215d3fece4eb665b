"""What a training will take, before it is started: memory and time from shapes and a probed speed.

Memory is weights, gradients and Adam's two moments of what is trained, and the activations of as
many tokens as pass at once (Korthikanti et al., 2022, count them; the factor here is for kernels
that do not keep the attention scores). What else a process holds was measured: `benchmarks/
training.py` prints the estimate beside what was measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ladder.errors import TrainingError
from ladder.evidence import Memory, TrainingEstimate
from ladder.hardware import available_memory_mb, precision
from ladder.training.recipes import Recipe

LIBRARIES_MB = 750
"""torch, transformers and the trainer, before any model."""
HELD = 2.0
"""Memory that the allocator holds for what is in use: batches of varying length leave gaps."""
TOKENS_AT_ONCE = 1024
"""As `recipes/sft.py` cuts its batches on a CPU."""
NF4_BYTES = 0.56
"""A weight in 4 bits with its share of the scales."""
START_SECONDS = 12.0
SLOWDOWN = {"lora": 4.5, "dora": 9.0, "qlora": 9.0, "full": 6.5}
"""A token learnt takes as long as so many tokens read: forward, backward, update. In bfloat16."""
SLOWDOWN_FLOAT32 = {"lora": 2.7, "dora": 5.4, "qlora": 4.5, "full": 4.5}
"""The same in float32: multiplying is more of the work, and is what both do."""
OTHERWISE = {"float32": 3.7, "bfloat16": 15.0, "float16": 15.0}
"""So many times as long as this machine's own precision a token takes in the other one: float32
beside a bfloat16 unit, or 16 bits emulated on a processor without one."""


@dataclass(frozen=True)
class Shape:
    """A decoder's sizes."""

    layers: int
    hidden: int
    inner: int
    """Width of the feed-forward part."""
    keys: int
    """Width of keys and values."""
    vocabulary: int
    tied: bool

    @property
    def embedding(self) -> int:
        """Weights that read and write the vocabulary."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def linear(self) -> int:
        """Weights of all layers."""
        attention = 2 * self.hidden * (self.hidden + self.keys)
        return self.layers * (attention + 3 * self.hidden * self.inner)

    def adapter(self, rank: int) -> int:
        """Weights of an adapter on every linear layer."""
        attention = 2 * (2 * self.hidden) + 2 * (self.hidden + self.keys)
        return self.layers * rank * (attention + 3 * (self.hidden + self.inner))


def shape_of(base: Path) -> Shape:
    """Read a model folder's sizes."""
    config = json.loads((base / "config.json").read_text())
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    head = int(config.get("head_dim") or hidden // heads)
    return Shape(
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        inner=int(config.get("intermediate_size") or 4 * hidden),
        keys=head * int(config.get("num_key_value_heads") or heads),
        vocabulary=int(config["vocab_size"]),
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def method_of(settings: Mapping[str, Any]) -> str:
    """Return which way of training a recipe's fields describe."""
    if not settings.get("use_peft"):
        return "full"
    if settings.get("load_in_4bit"):
        return "qlora"
    return "dora" if settings.get("use_dora") else "lora"


def computed_in(settings: Mapping[str, Any]) -> str:
    """Return the precision in which a recipe's fields have a training compute on this machine.

    Its weights' own, or bfloat16 where full-precision weights are computed with in that.
    """
    narrower = str(settings.get("bf16", "auto")).lower()
    if narrower == "true" or (narrower == "auto" and precision() == "bfloat16"):
        return "bfloat16"
    dtype = str(settings.get("dtype") or "float32")
    return precision() if dtype == "auto" else dtype


def slowdown(settings: Mapping[str, Any]) -> float:
    """Return how many tokens this machine reads while a recipe learns one."""
    computed = computed_in(settings)
    usual = (SLOWDOWN_FLOAT32 if computed == "float32" else SLOWDOWN)[method_of(settings)]
    return usual if computed == precision() else usual * OTHERWISE.get(computed, 1.0)


def memory_mb(
    shape: Shape, method: str, tokens: int, rank: int = 16, computed: str = "bfloat16"
) -> float:
    """Return the peak memory of a training.

    Args:
        shape: the model's sizes.
        method: lora, qlora, dora or full.
        tokens: that pass forward and backward at once.
        rank: of the adapter.
        computed: the precision; weights that are not trained are held in it, too.
    """
    wide = 4 if computed == "float32" else 2  # bytes
    whole = shape.embedding + shape.linear
    if method == "full":
        held = 16.0 * whole  # float32 weights, gradients and two moments
    else:
        frozen = NF4_BYTES * shape.linear + wide * shape.embedding
        adapter = 4 * wide * shape.adapter(rank)  # it, its gradients and two moments
        held = (frozen if method == "qlora" else wide * whole) + adapter
    per_token = wide * shape.layers * (12 * shape.hidden + 5 * shape.inner)
    scratch = HELD * per_token * tokens
    if method == "dora":  # each layer's weights are made anew to be normed
        scratch += wide * shape.linear
    if method == "qlora":
        scratch += 2 * wide * shape.hidden * shape.inner
    return LIBRARIES_MB + (held + scratch) / 2**20


def fits(memory: Memory | None, method: str) -> bool:
    """Tell whether a method's training fits; where nothing is known it is taken to."""
    return memory is None or memory.needed_mb[method] < memory.available_mb


def estimate_training(
    recipe: Recipe,
    base: Path,
    lengths: Sequence[int],
    read_per_second: float,
    overrides: Mapping[str, str],
) -> TrainingEstimate:
    """Return what a training will take.

    Args:
        recipe: what is run.
        base: folder of the model that is trained.
        lengths: tokens of each row, prompt and answers.
        read_per_second: prompt tokens that this model reads in a second, in full batches.
        overrides: recipe fields that are changed.
    """
    settings = yaml.safe_load(recipe.path.read_text(encoding="utf-8")) | dict(overrides)
    method, computed = method_of(settings), computed_in(settings)
    batch = int(_number(settings, "per_device_train_batch_size", 8))
    at_once = batch * max(lengths)
    if recipe.rows == "answers":  # those programs take a batch in parts
        at_once = max(max(lengths), min(TOKENS_AT_ONCE, at_once))
    rank = int(_number(settings, "lora_r", 16))
    tokens = _number(settings, "num_train_epochs", 3) * sum(lengths)
    steps = int(_number(settings, "max_steps", -1))
    if steps > 0:
        together = batch * _number(settings, "gradient_accumulation_steps", 1)
        tokens = steps * together * sum(lengths) / len(lengths)
    return TrainingEstimate(
        seconds=START_SECONDS + slowdown(settings) * tokens / read_per_second,
        memory_mb=memory_mb(shape_of(base), method, at_once, rank, computed),
        available_mb=available_memory_mb(),
        tokens=round(tokens),
        precision=computed,
    )


def _number(settings: Mapping[str, Any], name: str, usual: float) -> float:
    value = settings.get(name, usual)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TrainingError(f"{name}: got `{value}`, wanted a number") from None
