"""Word overlap with the target (Rajpurkar et al., 2016, SQuAD, section 6.1)."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from ladder.language.words import ARTICLES, composed, plain_words
from ladder.scorers.base import Score, Scorer, fold

Words = tuple[str, ...]


def articles_of(language: str) -> frozenset[str]:
    """Return the articles that are left out of a comparison.

    Raises:
        ValueError: they are not known.
    """
    if language not in ARTICLES:
        raise ValueError(f"articles: one of {', '.join(ARTICLES)}")
    return frozenset(ARTICLES[language].split())


def word_pair(answer: str, target: str, articles: frozenset[str]) -> tuple[Words, Words]:
    """Return the words of an answer and of a target, read alike.

    Articles are left out, unless the target is nothing else, such as the option letter "A"; and
    punctuation is, unless the target is nothing else.
    """
    got, wanted = _words(answer), _words(target)
    if not wanted:
        return tuple(composed(answer).split()), tuple(composed(target).split())
    if articles.issuperset(wanted):
        return got, wanted
    return _without(got, articles), _without(wanted, articles)


@lru_cache(maxsize=2048)
def _words(text: str) -> tuple[str, ...]:
    """Return the words of a text; targets and frequent answers are read again and again."""
    return tuple(plain_words(text))


def _without(words: Words, articles: frozenset[str]) -> Words:
    return tuple(word for word in words if word not in articles)


def token_f1(*, lowercase: bool = True, squad: bool = True, articles: str = "en") -> Scorer:
    """Return the harmonic mean of word precision and recall.

    Args:
        lowercase: fold case when `squad` is off (SQuAD's own normalisation always does).
        squad: drop punctuation and articles as SQuAD does. Turn it off for code and logic, where
            they carry the meaning: words are then split at white space only.
        articles: the language whose articles are dropped, or none.
    """
    dropped = articles_of(articles)

    def score(answer: str, target: str) -> Score:
        if squad:
            got, wanted = word_pair(answer, target, dropped)
        else:
            got, wanted = (
                tuple(fold(text, lowercase=lowercase).split()) for text in (answer, target)
            )
        if not got or not wanted:
            return Score(float(got == wanted), "one of the two is empty")
        shared = sum((Counter(got) & Counter(wanted)).values())
        value = 2 * shared / (len(got) + len(wanted))
        return Score(value, f"{shared} of {len(wanted)} target words")

    return score
