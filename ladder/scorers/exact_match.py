"""The whole answer equals the target."""

from __future__ import annotations

from ladder.scorers.base import Score, Scorer, fold


def exact_match(*, lowercase: bool = False) -> Scorer:
    """Compare after folding white space, and case if asked; punctuation is never folded."""

    def score(answer: str, target: str) -> Score:
        same = fold(answer, lowercase=lowercase) == fold(target, lowercase=lowercase)
        return Score(float(same), "equal" if same else "differs from the target")

    return score
