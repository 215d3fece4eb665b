"""What identifies a trained artefact: its passport and its canaries."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.values import Record


class Canary(Record):
    """A prompt whose answer's first token shows whether a model still answers as it did."""

    prompt: str | tuple[tuple[str, str], ...]
    """A text to continue, or the (role, content) turns of a chat."""
    digest: str
    """Of the prompt."""
    logprobs: dict[int, float]
    """Token -> log-probability (nats) of beginning the answer: the likeliest ones."""


class Canaries(Record):
    """What a model answered to a few prompts, and how much that varies by itself."""

    prompts: tuple[Canary, ...]
    noise: float
    """The most that a log-probability moved when the same prompts were batched otherwise, nats."""
    tolerance: float
    """What it may move by later, nats: a multiple of the noise."""
    precision: str
    device: str
    conditions: str = ""
    """Digest of what the arithmetic hangs on beside the model: processor, threads, libraries;
    empty: not known."""
    repeated: float = 0.0
    """The most that a log-probability moved when the same batch was asked again, nats."""


class Passport(Record):
    """What a trained artefact is, and what it was made of: passport.json in its folder."""

    schema_version: Literal[1] = 1
    ladder_version: str
    created: str
    """UTC, ISO 8601."""
    kind: Literal["adapter", "encoder", "model", "head", "other"]
    """`encoder`, which fills in fields, `head`, a linear classifier, and `other` have no canaries:
    they write no tokens."""
    parts: dict[str, str]
    """Part of the artefact (weights, config, tokenizer, chat template) -> digest."""
    base: str
    """Name of the model that it was trained from."""
    base_folder: str
    """Where that lay."""
    base_parts: dict[str, str]
    data: str
    """Digest of the training examples."""
    recipe: str
    recipe_digests: dict[str, str]
    """Recipe file and programs -> digest."""
    overrides: dict[str, str] = {}
    """Recipe fields that were changed for this training."""
    precision: str = ""
    """In which it was trained: of the weights, and of the arithmetic where that is another."""
    prompt: str = ""
    """What all its prompts share, with {input} in place of what differs; `chat` where they are
    messages under the base's chat template; empty where they share nothing."""
    versions: dict[str, str]
    canaries: Canaries | None = None
