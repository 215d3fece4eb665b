"""How fast a local model answers on this machine: a few seconds' probe, kept by whoever asks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from ladder.engines.base import Engine, Request
from ladder.hardware import precision, processor_flags, threads

PROMPT_WORDS, PROMPTS, ANSWER_TOKENS = 150, 12, 24
LONG_WORDS, LONG_PROMPTS = 900, 2
"""Prompts that show what a token costs more behind a long text."""
LOADING_SECONDS = 5.0
"""Importing torch, and reading the weights of a 135M model."""
SMALL_MODEL_MB = 269
"""Weights of a 135M model, as files in bfloat16."""


@dataclass(frozen=True)
class Speed:
    """Tokens a second."""

    read: float
    """Prompt tokens in full batches, of prompts with about `PROMPT_TOKENS`."""
    write: float
    """Answer tokens in full batches."""
    read_alone: float
    """Prompt tokens of single requests."""
    write_alone: float
    attending: float = 0.0
    """Seconds that a prompt token takes more for every token by which its prompt is longer."""

    def reading(self, tokens: float, prompt: int, *, alone: bool = False) -> float:
        """Return the seconds that tokens of a prompt take.

        Args:
            tokens: to be read; those that other prompts share may be left out.
            prompt: tokens of the whole prompt.
            alone: one request at a time.
        """
        longer = max(0, prompt - PROMPT_TOKENS)
        return tokens * (1 / (self.read_alone if alone else self.read) + self.attending * longer)


PROMPT_TOKENS = PROMPT_WORDS
"""Of a probe's prompt, whose words are a token each."""
TWO_CORES = {
    "amx_bf16": Speed(read=3500, write=350, read_alone=1800, write_alone=30, attending=4e-7),
    "bfloat16": Speed(read=1240, write=220, read_alone=1030, write_alone=30, attending=5e-7),
    "float32": Speed(read=950, write=155, read_alone=750, write_alone=27, attending=5e-7),
}
"""A 135M model on two cores: with tiles for bfloat16, with vector units for it, without either
(measured with `probe`; `attending` on the second kind only)."""
MOST_TIMES = 4
"""More than eight cores make a small model hardly faster."""


def usual_speed() -> Speed:
    """Return the speed of a 135M model on cores of this kind, for where nothing is probed."""
    tiles = precision() == "bfloat16" and "amx_bf16" in processor_flags()
    speed = TWO_CORES["amx_bf16" if tiles else precision()]
    times = min(MOST_TIMES, threads() / 2)
    return Speed(
        read=times * speed.read,
        write=times * speed.write,
        read_alone=times * speed.read_alone,
        write_alone=min(1.0, times) * speed.write_alone,  # the memory's speed, not the cores'
        attending=speed.attending / times,
    )


def probing_seconds(weights_mb: float) -> float:
    """Return about how long `probe` takes on cores of this kind, with nothing beside it.

    Args:
        weights_mb: of the model's files; a small one's, where they are not known (0).
    """
    speed = usual_speed()
    batches = PROMPTS * (2 * PROMPT_WORDS / speed.read + ANSWER_TOKENS / speed.write)
    batches += LONG_PROMPTS * speed.reading(LONG_WORDS, LONG_WORDS)
    alone = 2 * PROMPT_WORDS / speed.read_alone + ANSWER_TOKENS / speed.write_alone
    return (LOADING_SECONDS + batches + alone) * (weights_mb or SMALL_MODEL_MB) / SMALL_MODEL_MB


def probe(engine: Engine) -> Speed:
    """Measure an engine's speed with made-up prompts; `usual_speed` where there is no torch."""
    if find_spec("torch") is None:
        return usual_speed()
    prompts = _prompts(PROMPTS, PROMPT_WORDS)
    list(engine.complete(_reading(prompts[:1])))  # warm-up: loads the weights
    read, size = _timed(engine, _reading(prompts))
    far, long = _timed(engine, _reading(_prompts(LONG_PROMPTS, LONG_WORDS)))
    longer = long / LONG_PROMPTS - size / PROMPTS
    wrote, _ = _timed(engine, _writing(prompts))
    alone, _ = _timed(engine, _reading(prompts[:1]))
    wrote_alone, _ = _timed(engine, _writing(prompts[:1]))
    answers = ANSWER_TOKENS * PROMPTS
    return Speed(
        read=size / read,
        write=answers / max(1e-6, wrote - read),
        read_alone=size / PROMPTS / alone,
        write_alone=ANSWER_TOKENS / max(1e-6, wrote_alone - alone),
        attending=max(0.0, (far / long - read / size) / longer) if longer > 0 else 0.0,
    )


def _prompts(count: int, words: int) -> list[str]:
    return [f"{at} " + "what the guest wrote " * (words // 4) for at in range(count)]


def _reading(prompts: Sequence[str]) -> list[Request]:
    return [Request(text=prompt, choices=("good", "bad")) for prompt in prompts]


def _writing(prompts: Sequence[str]) -> list[Request]:
    return [Request(text=prompt, max_tokens=ANSWER_TOKENS) for prompt in prompts]


def _timed(engine: Engine, requests: Sequence[Request]) -> tuple[float, int]:
    """Return seconds and prompt tokens."""
    started = time.perf_counter()
    tokens = sum(completion.tokens_in for _, completion in engine.complete(requests))
    return time.perf_counter() - started, tokens
