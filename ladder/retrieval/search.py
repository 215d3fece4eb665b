"""Search texts for queries, by words (BM25) or by meaning (embeddings).

BM25 as in Robertson and Zaragoza (2009), by bm25s, over English stems (Porter2, by PyStemmer).
Words that a search usually throws away are kept: in short questions they carry meaning ("who",
"how many"), and BM25 weighs them low by itself. A search is made once for a query and goes deep;
`selection` makes every setting from what it found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from ladder.engines.embedding import embed, open_embedder
from ladder.errors import MissingExtraError

Way = Literal["bm25", "dense"]
Ranking = list[tuple[int, float]]
"""Positions of texts with their scores, best first; of equals the earlier one first."""

WORD = r"(?u)\b\w\w+\b"
K1, B = 1.2, 0.75
SIMILARITY_DECIMALS = 6
"""Two runs of an embedder agree on so many: equal texts stay equal, whatever they ran beside."""


class Index(Protocol):
    """Texts made ready to be searched."""

    def search(self, queries: Sequence[str], depth: int) -> list[Ranking]:
        """Return the best `depth` texts for each query."""
        ...


def make_index(texts: Sequence[str], way: Way = "bm25", embedder: Path | None = None) -> Index:
    """Return an index of texts.

    Args:
        texts: what to search in.
        way: by words, or by meaning.
        embedder: folder of a sentence-transformers model, for `dense`.
    """
    if way == "bm25":
        return LexicalIndex(texts)
    if embedder is None:
        raise MissingExtraError("an embedding model", "naming one: models: {embedding: …}")
    return DenseIndex(texts, embedder)


class LexicalIndex:
    """BM25 over all texts, in memory."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        self.size = len(texts)
        of_texts = words(texts)
        self.scorer: Any = None
        if any(of_texts):  # bm25s cannot build an empty index
            self.scorer = bm25s.BM25(k1=K1, b=B)
            self.scorer.index(of_texts, show_progress=False)

    def search(self, queries: Sequence[str], depth: int) -> list[Ranking]:
        """Return the best texts; those that share no word with the query score 0."""
        found = []
        for asked in words(queries):
            scored = asked and self.scorer is not None
            scores = self.scorer.get_scores(asked) if scored else np.zeros(self.size)
            found.append(best(scores, depth))
        return found


class DenseIndex:
    """Cosines of embeddings, every one of them: no approximation."""

    def __init__(self, texts: Sequence[str], embedder: Path) -> None:
        self.model = open_embedder(embedder)
        self.vectors = embed(self.model, texts)

    def search(self, queries: Sequence[str], depth: int) -> list[Ranking]:
        """Return the texts nearest in meaning."""
        if not len(self.vectors) or not queries:
            return [[] for _ in queries]
        asked = embed(self.model, queries)
        return [best(scores, depth) for scores in similarity(asked, self.vectors)]


def similarity(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the cosine of each query with each vector, float64 (queries, vectors)."""
    exact = queries.astype(np.float64) @ vectors.astype(np.float64).T
    return np.asarray(exact.round(SIMILARITY_DECIMALS))


def words(texts: Sequence[str]) -> list[list[str]]:
    """Return the stems of each text's words, in order."""
    import bm25s
    import Stemmer

    found: list[list[str]] = bm25s.tokenize(
        list(texts),
        token_pattern=WORD,
        stopwords=None,
        stemmer=Stemmer.Stemmer("english"),
        return_ids=False,
        show_progress=False,
    )
    return found


def best(scores: np.ndarray, depth: int) -> Ranking:
    """Return the highest `depth` scores with their positions; of equals the earlier one first."""
    depth = min(depth, len(scores))
    if depth < len(scores) // 4:  # only what reaches the last place needs to be put in order
        least = np.partition(scores, -depth)[-depth]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    order = places[np.lexsort((places, -scores[places]))][:depth]
    return [(int(at), float(scores[at])) for at in order]
