"""Answers as they grow: the next token of each, the likeliest or a drawn one, within a schema."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ladder.engines.base import Request
from ladder.engines.local.json_schema import allowed

if TYPE_CHECKING:
    import torch

SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass
class Growing:
    """One answer under way."""

    request: Request
    matcher: Any = None
    """Follows the answer through its schema's grammar; none: the answer is free."""
    draws: np.random.Generator | None = None
    """Where the answer is drawn."""
    tokens: list[int] = field(default_factory=list)

    def take(self, token: int) -> None:
        """Add a token."""
        self.tokens.append(token)
        if self.matcher is not None:
            self.matcher.consume_token(token)

    @property
    def whole(self) -> bool:
        """The schema lets nothing more follow."""
        return self.matcher is not None and bool(self.matcher.is_stopped())

    @property
    def fault(self) -> str | None:
        """Why the grammar gave up on the answer, if it did."""
        failed = self.matcher is not None and self.matcher.is_error()
        return f"the schema could not be followed: {self.matcher.get_error()}" if failed else None


def draws_of(request: Request, prompt: Sequence[int]) -> np.random.Generator | None:
    """Return the random numbers of a request: the same ones in whatever batch it is answered."""
    if request.temperature <= 0:
        return None
    seed = hashlib.sha256(f"{request.sample} {list(prompt)}".encode()).digest()
    return np.random.default_rng(int.from_bytes(seed))


def next_tokens(logits: torch.Tensor, answers: Sequence[Growing]) -> list[int]:
    """Choose the next token of each answer.

    A draw takes the token with the highest logit / temperature + Gumbel noise, which is a draw
    from the softmax (Gumbel-max; Maddison et al., 2014). Rounding that differs between batches
    moves it no more than it moves the likeliest token.

    Args:
        logits: (answers, vocabulary).
        answers: in the order of the rows.
    """
    import torch

    if any(answer.matcher is not None for answer in answers):
        barred = np.zeros(tuple(logits.shape), dtype=np.bool_)
        for row, answer in enumerate(answers):
            if answer.matcher is not None:
                barred[row] = ~allowed(answer.matcher)[: logits.shape[1]]
        logits = logits.masked_fill(torch.from_numpy(barred).to(logits.device), -torch.inf)
    chosen: list[int] = logits.argmax(-1).tolist()
    for row, answer in enumerate(answers):
        if answer.draws is not None:
            noise = answer.draws.standard_exponential(logits.shape[1], dtype=np.float32)
            scaled = logits[row].float().cpu().numpy() / answer.request.temperature
            chosen[row] = int(np.argmax(scaled - np.log(np.maximum(noise, SMALLEST))))
    return chosen
