"""The target stands in the answer, as whole words."""

from __future__ import annotations

from ladder.scorers.base import Score, Scorer
from ladder.scorers.token_f1 import plain_words, squad_tokens


def contains() -> Scorer:
    """Look for the target's words in order, next to each other, after SQuAD normalisation."""

    def score(answer: str, target: str) -> Score:
        words, wanted = squad_tokens(answer), squad_tokens(target)
        if not wanted:  # the target is an article, such as the option letter "A"
            words, wanted = plain_words(answer), plain_words(target)
        size = len(wanted)
        found = bool(size) and any(
            words[at : at + size] == wanted for at in range(len(words) - size + 1)
        )
        return Score(float(found), "contained" if found else "the target is not in the answer")

    return score
