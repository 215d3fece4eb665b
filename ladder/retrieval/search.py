"""Search texts for queries, by words (BM25) or by meaning (embeddings).

BM25 as in Robertson and Zaragoza (2009), by bm25s, over the stems of the texts' language where that
is known (`language.stems`), and over characters where no spaces part words (`language.words`).
Words that a search usually throws away are kept: in short questions they carry meaning ("who",
"how many"), and BM25 weighs them low by itself. A search is made once for a query and goes deep;
`selection` makes every setting from what it found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from ladder.engines.embedding import AT_ONCE, embed, embed_chunks, open_embedder
from ladder.errors import MissingExtraError
from ladder.language.stems import NO_LANGUAGE, language_of, stemmer_of
from ladder.language.words import search_terms

Way = Literal["bm25", "dense"]
Ranking = list[tuple[int, float]]
"""Positions of texts with their scores, best first; of equals the earlier one first."""

EmbedMany = Callable[[Path, Sequence[str]], np.ndarray]
"""(folder of an embedding model, texts) -> their vectors, those of `embedding.embed_chunks`."""

K1, B = 1.2, 0.75
SIMILARITY_DECIMALS = 6
"""Two runs of an embedder agree on so many: equal texts stay equal, whatever they ran beside."""


class Index(Protocol):
    """Texts made ready to be searched."""

    def search(self, queries: Sequence[str], depth: int) -> list[Ranking]:
        """Return the best `depth` texts for each query."""
        ...


def make_index(
    texts: Sequence[str],
    way: Way = "bm25",
    embedder: Path | None = None,
    language: str | None = None,
    many: EmbedMany | None = None,
) -> Index:
    """Return an index of texts.

    Args:
        texts: what to search in.
        way: by words, or by meaning.
        embedder: folder of a sentence-transformers model, for `dense`.
        language: whose stems `bm25` searches by; None: that of the texts, where it is clear.
        many: embeds many texts, where that is done elsewhere.
    """
    if way == "bm25":
        return LexicalIndex(texts, language)
    if embedder is None:
        raise MissingExtraError("an embedding model", "naming one: models: {embedding: …}")
    return DenseIndex(texts, embedder, many)


class LexicalIndex:
    """BM25 over all texts, in memory."""

    def __init__(self, texts: Sequence[str], language: str | None = None) -> None:
        import bm25s

        self.size = len(texts)
        self.language = language or language_of(texts) or NO_LANGUAGE
        of_texts = terms(texts, self.language)
        self.scorer: Any = None
        if any(of_texts):  # bm25s cannot build an empty index
            self.scorer = bm25s.BM25(k1=K1, b=B)
            self.scorer.index(of_texts, show_progress=False)

    def search(self, queries: Sequence[str], depth: int) -> list[Ranking]:
        """Return the best texts; those that share no word with the query score 0."""
        found = []
        for asked in terms(queries, self.language):
            scored = asked and self.scorer is not None
            scores = self.scorer.get_scores(asked) if scored else np.zeros(self.size)
            found.append(best(scores, depth))
        return found


class DenseIndex:
    """Cosines of embeddings, every one of them: no approximation."""

    def __init__(self, texts: Sequence[str], embedder: Path, many: EmbedMany | None = None) -> None:
        self.model = open_embedder(embedder)
        if many is not None and len(texts) > AT_ONCE:
            self.vectors = many(embedder, texts)
        else:
            self.vectors = embed_chunks(self.model, texts)

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


def terms(texts: Sequence[str], language: str) -> list[list[str]]:
    """Return what each text is found by, in order (`language.words.search_terms`).

    Args:
        texts: any.
        language: ISO 639-1 code of the language whose stems are taken, or none.
    """
    stem = stemmer_of(language)
    return [search_terms(text, stem) for text in texts]


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
