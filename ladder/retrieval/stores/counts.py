"""What BM25 knows of a collection: how many texts hold each word, and how long texts are. Pure.

With it any one text is scored exactly as `search` scores it among all the others (Robertson and
Zaragoza, 2009, in the variant of Lucene), in the same arithmetic as bm25s: float32 weights, added
up in the order of the query. Equal scores are then equal to the last bit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ladder.retrieval.search import K1, B


@dataclass
class WordCounts:
    """The counts of a collection of texts, each given as its words."""

    texts: int = 0
    words: int = 0
    texts_with: Counter[str] = field(default_factory=Counter)
    """Word -> how many texts hold it; words of no text are left out."""

    def add(self, words: Sequence[str]) -> None:
        """Count a text in."""
        self.texts += 1
        self.words += len(words)
        self.texts_with.update(set(words))

    def remove(self, words: Sequence[str]) -> None:
        """Count a text out that was counted in."""
        self.texts -= 1
        self.words -= len(words)
        for word in set(words):
            self.texts_with[word] -= 1
            if not self.texts_with[word]:
                del self.texts_with[word]

    @property
    def mean_words(self) -> float:
        """The mean length of a text."""
        return self.words / self.texts if self.texts else 0.0

    def known(self, words: Sequence[str]) -> list[str]:
        """Return the words, repeats included, that some text holds."""
        return [word for word in words if word in self.texts_with]

    def rarity(self, word: str) -> np.float32:
        """Return the inverse document frequency of a word."""
        held = self.texts_with[word]
        return np.float32(math.log(1 + (self.texts - held + 0.5) / (held + 0.5)))

    def score(self, query: Sequence[str], text: Sequence[str]) -> float:
        """Return the BM25 score of a text that is counted in."""
        often = Counter(text)
        score = np.float32(0)
        for word in query:
            if often[word]:
                saturated = saturation(often[word], len(text), self.mean_words)
                score += np.float32(float(self.rarity(word)) * saturated)
        return float(score)

    def as_json(self) -> dict[str, object]:
        """Return the counts as JSON-able values."""
        return {"texts": self.texts, "words": self.words, "texts_with": dict(self.texts_with)}

    @classmethod
    def from_json(cls, kept: Mapping[str, object]) -> WordCounts:
        """Return the counts that `as_json` gave."""
        return cls(int(kept["texts"]), int(kept["words"]), Counter(kept["texts_with"]))  # type: ignore[call-overload]


def saturation(often: int, length: int, mean_length: float) -> float:
    """Return the share of a word's rarity that a text earns by holding it so often."""
    return often / (K1 * ((1 - B) + B * length / mean_length) + often)
