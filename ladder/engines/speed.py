"""How fast a local model answers on this machine: a few seconds' probe, kept by whoever asks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from ladder.engines.base import Engine, Request
from ladder.hardware import precision

PROMPT_WORDS, PROMPTS, ANSWER_TOKENS = 150, 12, 24
LOADING_SECONDS = 5.0
"""Importing torch, and reading the weights of a 135M model."""
SMALL_MODEL_MB = 269
"""Weights of a 135M model, as files in bfloat16."""


@dataclass(frozen=True)
class Speed:
    """Tokens a second."""

    read: float
    """Prompt tokens in full batches."""
    write: float
    """Answer tokens in full batches."""
    read_alone: float
    """Prompt tokens of single requests."""
    write_alone: float


TWO_CORES = Speed(read=3500, write=350, read_alone=1800, write_alone=30)
"""A 135M model in bfloat16 on two CPU cores (measured: benchmarks/forecast.py)."""
TWO_PLAIN_CORES = Speed(read=950, write=155, read_alone=750, write_alone=27)
"""The same in float32, on cores without bfloat16: by what a core of both kinds took."""


def two_cores() -> Speed:
    """Return the speed of a 135M model on two cores of this kind, for where nothing is probed."""
    return TWO_CORES if precision() == "bfloat16" else TWO_PLAIN_CORES


def probing_seconds(weights_mb: float) -> float:
    """Return about how long `probe` takes on two cores of this kind, with nothing beside it.

    Args:
        weights_mb: of the model's files; a small one's, where they are not known (0).
    """
    speed = two_cores()
    batches = PROMPTS * (2 * PROMPT_WORDS / speed.read + ANSWER_TOKENS / speed.write)
    alone = 2 * PROMPT_WORDS / speed.read_alone + ANSWER_TOKENS / speed.write_alone
    return (LOADING_SECONDS + batches + alone) * (weights_mb or SMALL_MODEL_MB) / SMALL_MODEL_MB


def probe(engine: Engine) -> Speed:
    """Measure an engine's speed with made-up prompts; `two_cores` where there is no torch."""
    if find_spec("torch") is None:
        return two_cores()
    prompts = [f"{at} " + "what the guest wrote " * (PROMPT_WORDS // 4) for at in range(PROMPTS)]
    list(engine.complete(_reading(prompts[:1])))  # warm-up: loads the weights
    read, size = _timed(engine, _reading(prompts))
    wrote, _ = _timed(engine, _writing(prompts))
    alone, _ = _timed(engine, _reading(prompts[:1]))
    wrote_alone, _ = _timed(engine, _writing(prompts[:1]))
    answers = ANSWER_TOKENS * PROMPTS
    return Speed(
        read=size / read,
        write=answers / max(1e-6, wrote - read),
        read_alone=size / PROMPTS / alone,
        write_alone=ANSWER_TOKENS / max(1e-6, wrote_alone - alone),
    )


def _reading(prompts: Sequence[str]) -> list[Request]:
    return [Request(text=prompt, choices=("good", "bad")) for prompt in prompts]


def _writing(prompts: Sequence[str]) -> list[Request]:
    return [Request(text=prompt, max_tokens=ANSWER_TOKENS) for prompt in prompts]


def _timed(engine: Engine, requests: Sequence[Request]) -> tuple[float, int]:
    """Return seconds and prompt tokens."""
    started = time.perf_counter()
    tokens = sum(completion.tokens_in for _, completion in engine.complete(requests))
    return time.perf_counter() - started, tokens
