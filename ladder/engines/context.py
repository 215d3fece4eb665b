"""Which requests a model cannot read, before any is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ladder.engines.base import Abilities, Request
from ladder.errors import EngineError

TOKENS_A_TURN = 4
"""What marks a turn takes in most chat templates, where the template is not at hand."""


class Counts(Protocol):
    """What is known of an engine without asking it: what it can do, and how it counts."""

    @property
    def abilities(self) -> Abilities:
        """What the engine can do."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return the engine's count."""
        ...


def beyond_context(
    engine: Counts, requests: Sequence[Request], context: int | None = None
) -> list[int]:
    """Return the positions of requests whose prompt and answer do not fit the model together.

    A local model's prompts are cut by its own tokenizer and template, without its weights; of
    others the texts are counted (`Engine.count_tokens`). What a template refuses is not counted.

    Args:
        engine: who would answer; a cached engine is looked through.
        requests: with the tokens that each answer may have.
        context: tokens that fit, where that is known better; None: as the engine says.
    """
    most = context or engine.abilities.context
    return [
        at
        for at, request in enumerate(requests)
        if prompt_tokens(engine, request) + request.max_tokens > most
    ]


def prompt_tokens(engine: Counts, request: Request) -> int:
    """Return the tokens of a request's prompt: exact where the engine makes the prompt itself."""
    inner = getattr(engine, "engine", engine)
    encode = getattr(inner, "encode", None)
    if encode is not None:
        try:
            return len(encode(request))
        except EngineError:
            return 0
    if not request.messages:
        return engine.count_tokens(request.text)
    turns = [content for _, content in request.messages]
    return sum(map(engine.count_tokens, turns)) + TOKENS_A_TURN * len(turns)
