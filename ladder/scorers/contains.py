"""The target stands in the answer, as whole words."""

from __future__ import annotations

from ladder.language.words import holds, parted_words
from ladder.scorers.base import Score, Scorer
from ladder.scorers.token_f1 import articles_of, word_pair


def contains(*, articles: str = "en") -> Scorer:
    """Look for the target's words in order, next to each other, read as `token_f1` reads them.

    The words of the answer are parted at brackets, colons and the like too: label=refund holds
    refund, and <b>Paris</b> holds Paris.

    Args:
        articles: the language whose articles are left out, or none.
    """
    dropped = articles_of(articles)

    def score(answer: str, target: str) -> Score:
        found = holds(*word_pair(answer, target, dropped)) or holds(
            parted_words(answer), parted_words(target)
        )
        return Score(float(found), "contained" if found else "the target is not in the answer")

    return score
