"""Canary prompts: does a model still answer as it did when its passport was written?

The first token's log-probabilities move with every change of weights, adapter, tokenizer, template
or kernel, and cost one forward pass. They also move by themselves, with the batch that a prompt
shares: so that noise is measured by repeating, when they are taken and again when they are checked.

A check asks in the very batches of the record. Where processor, threads and libraries are those of
the record too, the same model computes the same to the last digit: there hardly any move is allowed
(`conditions_of`), and one that other batches could explain elsewhere is still found.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ladder.engines.base import Request
from ladder.evidence import Canaries, Canary
from ladder.files import digest_of
from ladder.hardware import hardware, processor_flags, versions

if TYPE_CHECKING:
    import torch

    from ladder.engines.local import LocalEngine

Prompt = str | tuple[tuple[str, str], ...]

PROMPTS = 8
TOP = 5
"""Tokens kept of each prompt: the likeliest."""
MARGIN = 4
"""Tolerance over the noise seen: other threads and machines add to what other batches show."""
LEAST_TOLERANCE = 0.01
"""Nats. In float32 the noise of one machine is far below what another one adds."""
ARITHMETIC = ("torch", "transformers", "peft")
SETTINGS = ("MKL_", "ONEDNN_", "DNNL_")
"""What names of environment variables begin with that choose among kernels."""
LEAST_REPEATED = 0.001
"""Nats. The same, where nothing is different that arithmetic hangs on: records have 4 decimals."""
LEAST_EFFECT = 1e-4
"""Nats. An adapter that moves no likely token by so much answers as its base does."""


@dataclass(frozen=True)
class Drift:
    """How far the canaries are from what was recorded."""

    largest: float
    """Nats."""
    tolerance: float
    asked: int
    moved: int
    """Prompts of which a token moved by more than the tolerance."""
    far: int
    """Of these: by more than other batches and machines explain."""

    @property
    def holds(self) -> bool:
        """No canary moved by more than the tolerance."""
        return self.moved == 0


@dataclass(frozen=True)
class Effect:
    """What an adapter does to its base."""

    largest: float
    """The most that a likely first token moves, nats."""
    noise: float
    """What it moves by itself, nats."""

    @property
    def is_there(self) -> bool:
        """Whether it is more than noise."""
        return self.largest > MARGIN * self.noise + LEAST_EFFECT


def choose_prompts(rows: Sequence[Mapping[str, Any]]) -> list[Prompt]:
    """Return a few distinct prompts of training examples, from the shorter half of them."""
    prompts = {prompt for row in rows if (prompt := _prompt(row.get("prompt")))}
    ordered = sorted(prompts, key=lambda prompt: (len(str(prompt)), str(prompt)))
    shorter = ordered[: max(PROMPTS, (len(ordered) + 1) // 2)]
    step = max(1, len(shorter) // PROMPTS)
    return shorter[::step][:PROMPTS]


def _prompt(given: Any) -> Prompt | None:
    if isinstance(given, str):
        return given
    if not isinstance(given, (list, tuple)):
        return None
    try:
        return tuple((str(turn["role"]), str(turn["content"])) for turn in given)
    except (KeyError, TypeError):
        return None


def take_canaries(engine: LocalEngine, prompts: Sequence[Prompt]) -> Canaries:
    """Record what an engine's model answers to prompts, and the noise of that."""
    seen = _measure(engine, prompts)
    values, tokens = seen.mean.topk(min(TOP, seen.mean.shape[-1]), dim=-1)
    return Canaries(
        prompts=tuple(
            Canary(
                prompt=prompt,
                digest=digest_of(prompt),
                logprobs={
                    int(token): round(float(value), 4)
                    for token, value in zip(tokens[at], values[at], strict=True)
                },
            )
            for at, prompt in enumerate(prompts)
        ),
        noise=round(seen.noise, 4),
        tolerance=round(tolerance(seen.noise), 4),
        precision=engine.fingerprint()["precision"],
        device=str(engine.model.device.type),
        conditions=conditions_of(engine),
        repeated=round(seen.repeated, 4),
    )


def tolerance(noise: float) -> float:
    """Return what a log-probability may move by, nats."""
    return max(LEAST_TOLERANCE, MARGIN * noise)


def conditions_of(engine: LocalEngine) -> str:
    """Return the digest of what a model's arithmetic hangs on, beside the model itself.

    Empty on a GPU: that it repeats itself from one process to the next was seen on processors only.
    """
    import torch

    if engine.model.device.type != "cpu":
        return ""
    libraries = {name: versions().get(name) for name in ARITHMETIC}
    settings = {name: os.environ[name] for name in os.environ if name.startswith(SETTINGS)}
    machine = [hardware(), sorted(processor_flags()), torch.get_num_threads()]
    return digest_of([*machine, engine.fingerprint()["precision"], libraries, settings])


def check_canaries(engine: LocalEngine, recorded: Canaries, *, exported: bool = False) -> Drift:
    """Ask the canaries again and compare.

    Under the conditions of the record the tolerance is what repeating moves. Under others it is the
    recorded one, or that of this machine's own noise where that is larger (a model recorded in
    float32 and loaded in bfloat16).

    Args:
        engine: asks.
        recorded: what was answered then.
        exported: it is the model in another form, whose arithmetic is another.
    """
    seen = _measure(engine, [canary.prompt for canary in recorded.prompts])
    explained = max(recorded.tolerance, tolerance(seen.noise))
    allowed = explained
    if not exported and recorded.conditions and recorded.conditions == conditions_of(engine):
        repeated = MARGIN * max(recorded.repeated, seen.repeated)
        allowed = min(explained, max(LEAST_REPEATED, repeated))
    moves = []
    for at, canary in enumerate(recorded.prompts):
        found = [float(seen.mean[at, token]) for token in canary.logprobs]
        pairs = zip(found, canary.logprobs.values(), strict=True)
        moves.append(max(abs(a - b) for a, b in pairs))
    moved, far = (sum(not move <= most for move in moves) for most in (allowed, explained))
    return Drift(max(moves), allowed, len(moves), moved, far)


class _Seen(NamedTuple):
    """What a model answers to prompts."""

    mean: torch.Tensor
    """Log-probabilities over all batches: [prompts, vocabulary]."""
    noise: float
    """How far other batches move the likeliest, nats."""
    repeated: float
    """How far the same batch moves them when it is asked again, nats."""


def _measure(engine: LocalEngine, prompts: Sequence[Prompt]) -> _Seen:
    import torch

    requests = [
        Request(text=prompt) if isinstance(prompt, str) else Request(messages=prompt)
        for prompt in prompts
    ]
    half = (len(requests) + 1) // 2
    together = engine.first_logprobs(requests)
    alone = torch.cat([engine.first_logprobs([request]) for request in requests])
    turned = list(reversed(requests))
    parts = [engine.first_logprobs(part) for part in (turned[:half], turned[half:]) if part]
    runs = torch.stack([together, alone, torch.cat(parts).flip(0)])
    mean = runs.mean(0)
    spread = runs.amax(0) - runs.amin(0)
    likeliest = mean.topk(min(TOP, mean.shape[-1]), dim=-1).indices
    again = (engine.first_logprobs(requests) - together).abs()
    noise, repeated = (float(each.gather(-1, likeliest).max()) for each in (spread, again))
    return _Seen(mean, noise, repeated)


def effect_of(engine: LocalEngine, base: LocalEngine, prompts: Sequence[Prompt]) -> Effect:
    """Tell how far an adapter moves the likeliest first tokens of its base."""
    with_it, without = _measure(engine, prompts), _measure(base, prompts)
    likeliest = without.mean.topk(min(TOP, without.mean.shape[-1]), dim=-1).indices
    gaps = (with_it.mean - without.mean).abs().gather(-1, likeliest)
    return Effect(float(gaps.max()), max(with_it.noise, without.noise))
