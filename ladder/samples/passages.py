"""Cut long documents into passages that fit beside a question. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.language.words import count_words

LONG_WORDS = 350
"""Documents up to this length stay whole."""
PASSAGE_WORDS = 220
OVERLAP = 0.1
"""The share of a passage that the one before it has said: an answer is not cut in two."""
CHARACTERS_PER_WORD = 6
"""With the space after it; for what is no prose and has no spaces."""


def passages(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each passage of a text, in characters.

    Cut by semchunk, at the widest break that makes the parts fit: paragraphs before sentences,
    sentences before words.
    """
    if _words(text) <= LONG_WORDS:
        yield 0, len(text)
        return
    import semchunk

    cut = semchunk.chunkerify(_words, PASSAGE_WORDS, memoize=False)
    _, places = cut(text, offsets=True, overlap=OVERLAP)
    yield from places


def _words(text: str) -> int:
    return max(count_words(text), len(text) // CHARACTERS_PER_WORD)
