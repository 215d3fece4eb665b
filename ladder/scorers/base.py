"""What a scorer is: a function from answer and target to a Score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Score:
    """A value in 0..1 and why."""

    value: float
    reason: str = ""


class Scorer(Protocol):
    """Compares one answer with its target."""

    def __call__(self, answer: str, target: str) -> Score:
        """Return the score; both texts may be empty, neither raises."""
        ...


def fold(text: str, *, lowercase: bool) -> str:
    """Fold white space, and case if wanted. Punctuation stays: in code it carries the meaning."""
    folded = " ".join(text.split())
    return folded.casefold() if lowercase else folded
