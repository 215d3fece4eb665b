"""Word n-grams that held-out examples share with what a system may have seen.

`duplicates` compares whole rows. This finds a held-out example that stands inside a longer text: a
document, a teacher's answer. The rule is GPT-3's (Brown et al., 2020, appendix C), 13 words, made
shorter where the rows are. A row shorter than n words has no n-gram: it is unchecked, not clean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladder.language.words import has_no_spaces, running_words
from ladder.samples.duplicates import folded

MOST_WORDS, LEAST_WORDS = 13, 5
"""Fewer than five words in a row are shared by chance and by every template."""
MOST_CHARACTERS, LEAST_CHARACTERS = 20, 8
"""The same where characters stand for words: a Chinese word has about 1.6 of them."""
SHORT_ROWS = 25
"""Percentile of the held-out lengths that n does not exceed: three rows of four are checked."""


@dataclass(frozen=True)
class OverlapPair:
    """A held-out example and the known text that holds most of it."""

    held: int
    known: int
    share: float
    """Of the held-out example's distinct n-grams: 1 says that the known text holds all of them."""


@dataclass(frozen=True)
class Overlap:
    """What was found, and how many rows could be looked at."""

    n: int
    """Words in a row that count as shared."""
    rows: int
    checkable: int
    """Rows of at least n words."""
    overlapping: int
    """Rows that share an n-gram with any known text."""
    pairs: tuple[OverlapPair, ...]
    """The rows that share most, each with the first of the texts that hold most of it."""

    @property
    def coverage(self) -> float:
        """The share of the held-out examples that could be checked at all."""
        return self.checkable / self.rows if self.rows else 0.0


def find_overlap(
    held: Sequence[str],
    known: Iterable[str],
    most: int = 20,
    advance: Callable[[int], object] = lambda done: None,
) -> Overlap:
    """Look for the held-out examples' word n-grams in known texts.

    Memory grows with the held-out examples alone: known texts are read once, one at a time. Words
    are what white space parts once a text is folded; in scripts without spaces, characters.

    Args:
        held: the eval set.
        known: what a system may have seen: training examples, documents, synthetic rows.
        most: pairs to return.
        advance: called with the number of known texts done, for a progress bar.
    """
    lengths = [len(_words(text)) for text in held]
    n = _shared_words(held, lengths)
    index = _Index(held, n)
    share = np.zeros(len(held))
    source = np.zeros(len(held), dtype=np.int64)
    for at, text in enumerate(known):
        rows, shares = index.look_up(text)
        more = shares > share[rows]
        share[rows[more]] = shares[more]
        source[rows[more]] = at
        advance(at + 1)
    found = np.flatnonzero(share)
    top = found[np.argsort(-share[found], kind="stable")][:most]
    return Overlap(
        n=n,
        rows=len(held),
        checkable=sum(length >= n for length in lengths),
        overlapping=len(found),
        pairs=tuple(OverlapPair(int(at), int(source[at]), float(share[at])) for at in top),
    )


def most_held(held: Sequence[str], known: Iterable[str]) -> Iterator[tuple[int, float]]:
    """Yield for each known text the held-out example that it holds most of, and the share of it.

    The share is of the row's distinct word n-grams, as in `find_overlap`; 0 (of row 0) where the
    text holds none of any.
    """
    index = _Index(held, _shared_words(held, [len(_words(text)) for text in held]))
    for text in known:
        rows, shares = index.look_up(text)
        best = int(shares.argmax()) if len(shares) else None
        yield (0, 0.0) if best is None else (int(rows[best]), float(shares[best]))


def words_to_share(lengths: Sequence[int], least: int = LEAST_WORDS, most: int = MOST_WORDS) -> int:
    """Return n: the 25th percentile of the rows' lengths in words, from 5 to 13."""
    short = int(np.percentile(lengths, SHORT_ROWS, method="lower")) if lengths else most
    return max(least, min(most, short))


def _shared_words(held: Sequence[str], lengths: Sequence[int]) -> int:
    if 2 * sum(map(has_no_spaces, held)) > len(held):
        return words_to_share(lengths, LEAST_CHARACTERS, MOST_CHARACTERS)
    return words_to_share(lengths)


def _words(text: str) -> list[str]:
    return running_words(folded(text))


class _Index:
    """Which rows hold an n-gram: two arrays, 12 bytes an n-gram."""

    def __init__(self, texts: Iterable[str], n: int) -> None:
        self.n = n
        grams = [_grams(text, n) for text in texts]
        self.sizes = np.array([len(own) for own in grams], dtype=np.int64)
        every = np.concatenate([np.zeros(0, np.int64), *grams])
        order = np.argsort(every, kind="stable")
        self.grams = every[order]
        self.rows = np.repeat(np.arange(len(grams), dtype=np.int32), self.sizes)[order]

    def look_up(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the rows that share n-grams with a text, and the share of each row's own."""
        grams = _grams(text, self.n)
        starts = np.searchsorted(self.grams, grams, "left")
        ends = np.searchsorted(self.grams, grams, "right")
        hits = [self.rows[a:b] for a, b in zip(starts, ends, strict=True) if b > a]
        if not hits:
            return np.zeros(0, np.int64), np.zeros(0)
        rows, counts = np.unique(np.concatenate(hits), return_counts=True)
        return rows.astype(np.int64), counts / self.sizes[rows]


def _grams(text: str, n: int) -> NDArray[np.int64]:
    """Return the text's distinct word n-grams as 64-bit hashes: a false hit needs 2^32 of them."""
    return np.array(list(set(_hashes(_words(text), n))), dtype=np.int64)


def _hashes(words: Sequence[str], n: int) -> Iterator[int]:
    return (hash(tuple(words[at : at + n])) for at in range(len(words) - n + 1))
