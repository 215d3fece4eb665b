"""A scorer: right where the answer starts with the target."""

from __future__ import annotations

from ladder.scorers.base import Score, Scorer


def starts_with() -> Scorer:
    """Return the scorer."""

    def score(answer: str, target: str) -> Score:
        return Score(float(bool(target) and answer.startswith(target)))

    return score
