"""What a model is asked to see whether it is the same: texts of our own, nobody's data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from string import ascii_lowercase
from typing import Any

from ladder.engines.base import Request

TEXTS = (
    "x",
    "The weather today is",
    "Name a colour.",
    "3, 1, 4, 1, 5,",
    "def add(a, b):",
    "Bonjour, je m'appelle",
    "Yes or no?",
    "Once upon a time",
)
"""Short, unlike each other, and without a sure next word: where many tokens are likely a small
change of the weights moves the most."""
INSTRUCTION = "Answer in one word."


def chats(*, system: bool) -> list[tuple[tuple[str, str], ...]]:
    """Return the texts as turns of chats, every other one under an instruction."""
    return [
        (*([("system", INSTRUCTION)] if system and at % 2 else []), ("user", text))
        for at, text in enumerate(TEXTS)
    ]


def told_tokens(top: int) -> list[Request]:
    """Return requests for the likeliest first tokens."""
    return [Request(messages=turns, max_tokens=1, top_logprobs=top) for turns in chats(system=True)]


def told_labels(labels: Sequence[str]) -> list[Request]:
    """Return requests for a label to each text: what decides has a probability for each."""
    return [Request(messages=turns, choices=tuple(labels)) for turns in chats(system=True)]


def one_token(many: int) -> Iterator[Request]:
    """Yield requests of one token each, of which some may lie on the border of two answers."""
    for at, signs in enumerate(product(ascii_lowercase, repeat=2)):
        if at * many // 676 != (at - 1) * many // 676:  # evenly over the alphabet
            yield Request(messages=(("user", "".join(signs)),), max_tokens=1)


def as_record(request: Request) -> dict[str, Any]:
    """Return a request as it is kept."""
    return {name: value for name, value in asdict(request).items() if value}


def request_of(kept: dict[str, Any]) -> Request:
    """Return a kept request.

    Raises:
        TypeError: it is none.
        ValueError: a turn of it is none.
    """
    turns = tuple((str(role), str(text)) for role, text in kept.get("messages", ()))
    texts = {name: tuple(map(str, kept.get(name, ()))) for name in ("stop", "choices")}
    return Request(**{**kept, "messages": turns, **texts})
