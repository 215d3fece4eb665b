"""Word overlap with the target (Rajpurkar et al., 2016, SQuAD, section 6.1)."""

from __future__ import annotations

import re
import string
from collections import Counter

from ladder.scorers.base import Score, Scorer

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain_words(text: str) -> list[str]:
    """Lower-case, drop punctuation, split: for prose only."""
    return text.lower().translate(_PUNCTUATION).split()


def squad_tokens(text: str) -> list[str]:
    """Return the words without articles: SQuAD's normalisation, for prose only."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def token_f1(*, lowercase: bool = True, squad: bool = True) -> Scorer:
    """Return the harmonic mean of word precision and recall.

    Args:
        lowercase: fold case when `squad` is off (SQuAD's own normalisation always does).
        squad: drop punctuation and articles as SQuAD does. Turn it off for code and logic, where
            they carry the meaning: words are then split at white space only.
    """

    def tokens(text: str) -> list[str]:
        if squad:
            return squad_tokens(text)
        return (text.lower() if lowercase else text).split()

    def score(answer: str, target: str) -> Score:
        got, wanted = tokens(answer), tokens(target)
        if not got or not wanted:
            return Score(float(got == wanted), "one of the two is empty")
        shared = sum((Counter(got) & Counter(wanted)).values())
        value = 2 * shared / (len(got) + len(wanted))
        return Score(value, f"{shared} of {len(wanted)} target words")

    return score
