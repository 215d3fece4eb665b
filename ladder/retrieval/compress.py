"""Leave out sentences that hardly ever hold an answer. Pure.

Extractive pruning keeps what was written and so can be traced; pruning token by token lags behind
it (Jha et al., 2024, "Characterizing prompt compression"). A document of which no sentence is
worth keeping is left out whole.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from ladder.samples.rows import Document

KEPT = 0.95
"""The share of the sentences that hold an answer which the cut is to keep."""
LEAST_KNOWN = 30
"""Sentences known to hold an answer, from which on a cut can be set."""
SENTENCE_END = re.compile(
    r"(?<=[.!?;؟؛۔።])\s+(?=\S)|(?<=[。！？；｡।॥។။།])\s*(?=[^\s」』）》〉”’])|\n+"
)
"""In scripts that put no space between words there is none between sentences either."""


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text."""
    yield from (part.strip() for part in SENTENCE_END.split(text) if part.strip())


def cut_for(useful: Sequence[float]) -> float | None:
    """Return the score below which sentences are left out; None where too few are known.

    Split conformal prediction (Vovk, Gammerman and Shafer, 2005): a new sentence that holds its
    answer scores at least this with a chance of `KEPT` or more, whatever the scores mean.

    Args:
        useful: scores of sentences that are known to hold the answer of their question.
    """
    if len(useful) < LEAST_KNOWN:
        return None
    place = math.floor((1 - KEPT) * (len(useful) + 1))
    return sorted(useful)[place - 1] if place else -math.inf


def shortened(
    documents: Sequence[Document], scores: Mapping[str, float], cut: float
) -> list[Document]:
    """Return documents without the sentences that score below the cut; nothing may be left.

    Args:
        documents: in their order.
        scores: sentence -> how likely it holds the answer; of every sentence of the documents.
        cut: see `cut_for`.
    """
    left = []
    for document in documents:
        kept = [sentence for sentence in sentences(document.text) if scores[sentence] >= cut]
        if kept:
            left.append(replace(document, text=" ".join(kept)))
    return left


def rarity(texts: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return how rare each word is, as BM25 weighs it.

    Args:
        texts: the words of each text.
    """
    counts = Counter(word for text in texts for word in set(text))
    n = len(texts)
    return {word: math.log1p((n - c + 0.5) / (c + 0.5)) for word, c in counts.items()}


def share_of_words(
    query: Collection[str], sentence: Collection[str], rare: Mapping[str, float]
) -> float:
    """Return the share of a query's words that a sentence has, each weighed by its rarity."""
    weight = {word: rare.get(word, 0.0) for word in query}
    total = math.fsum(weight.values())
    return math.fsum(weight[word] for word in weight if word in sentence) / total if total else 0.0
