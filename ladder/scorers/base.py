"""What a scorer is: a function from answer and target to a Score, or one that asks a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ladder.language.words import composed


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


@runtime_checkable
class FittedScorer(Scorer, Protocol):
    """A scorer that reads something off the task's own targets before it scores."""

    def fitted(self, targets: Sequence[str]) -> Scorer:
        """Return the scorer for these targets; it must not depend on their order."""
        ...


def best_score(scorer: Scorer, answer: str, targets: Sequence[str]) -> Score:
    """Return an answer's score against the target that it comes nearest to.

    The maximum over the right answers, as SQuAD counts (Rajpurkar et al., 2016, section 6.1).
    """
    return max((scorer(answer, target) for target in targets), key=lambda score: score.value)


@runtime_checkable
class ModelScorer(Protocol):
    """Scores by asking a model: it words the question and reads the reply.

    It opens no engine itself. Whoever holds the engines asks, so that its questions go through the
    same cache, rules and spending limit as every other one.
    """

    @property
    def model(self) -> str | None:
        """An engine reference; None for the task's base model."""
        ...

    @property
    def choices(self) -> tuple[str, ...]:
        """The replies to choose from where the engine can score them; empty: it answers freely."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens that a free reply may have."""
        ...

    def messages(self, question: str, target: str, answer: str) -> tuple[tuple[str, str], ...]:
        """Return (role, content) of what to ask about an answer; the target may be empty."""
        ...

    def read(self, reply: str) -> Score | None:
        """Return the score that a reply gives; None where it gives none."""
        ...


def fitted(scorer: Scorer | ModelScorer, targets: Sequence[str]) -> Scorer | ModelScorer:
    """Return a scorer made ready for a task's targets, where it is one that can be."""
    return scorer.fitted(targets) if isinstance(scorer, FittedScorer) else scorer


def fold(text: str, *, lowercase: bool) -> str:
    """Fold white space, how accents are encoded (NFC) and what nobody sees; case if wanted.

    Punctuation stays: in code it carries the meaning.
    """
    folded = composed(text)
    return composed(folded.casefold()) if lowercase else folded
