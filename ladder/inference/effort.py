"""How much requests have to do, beside each other: what the time left of a step is told by."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.engines.base import Request
from ladder.evidence import Candidate

SIGNS_A_TOKEN = 4.0
WRITTEN = 10.0
"""A token that is written takes as long as so many that are read (benchmarks/forecast.py)."""
SHARE_OF_MOST = 0.3
"""Of the tokens that an answer may have, it has about so much."""


def kind_of_work(candidate: Candidate, requests: Sequence[Request]) -> str:
    """Return a name for what takes equally long for equally much work."""
    how = "scored" if any(request.choices for request in requests) else "written"
    return f"{candidate.model} {candidate.adapter or ''} {how}"


def efforts(requests: Sequence[Request], votes: int = 1) -> list[float]:
    """Return how much work each request is: tokens read, about, those written weighed as such.

    What all prompts begin with is read once, and shared by all of them.

    Args:
        requests: asked together.
        votes: how often each is asked.
    """
    texts = [_text(request) for request in requests]
    shared = _shared(texts)
    found = []
    for request, text in zip(requests, texts, strict=True):
        signs = len(text) - shared + shared / len(texts) + sum(map(len, request.choices))
        written = 0.0 if request.choices else WRITTEN * SHARE_OF_MOST * request.max_tokens
        found.append(votes * (1.0 + signs / SIGNS_A_TOKEN + written))
    return found


def _text(request: Request) -> str:
    return request.text or "\n".join(content for _, content in request.messages)


def _shared(texts: Sequence[str]) -> int:
    """Return how many first signs all texts share."""
    low, high = min(texts, default=""), max(texts, default="")
    pairs = enumerate(zip(low, high, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(low), len(high)))
