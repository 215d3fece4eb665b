"""Search texts for queries: BM25, embeddings, or both fused by rank.

BM25 as in Robertson and Zaragoza (2009), by bm25s; fusion is reciprocal rank fusion (Cormack,
Clarke and Buettcher, 2009).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ladder.errors import MissingExtraError

Method = Literal["bm25", "dense", "hybrid"]
FUSION_CONSTANT = 60
WORD = r"(?u)\b\w\w+\b"
K1, B = 1.2, 0.75
SIMILARITY_DECIMALS = 6
"""Two runs of an embedder agree on so many: equal texts stay equal, whatever they ran beside."""


def search(
    texts: Sequence[str],
    queries: Sequence[str],
    depth: int,
    method: Method = "bm25",
    embedder: Path | None = None,
) -> list[list[int]]:
    """Return, for each query, the positions of the best texts, best first.

    Args:
        texts: what to search in.
        queries: what to search for.
        depth: how many positions to return (fewer where there are fewer texts).
        method: bm25, dense (embeddings) or hybrid (both, fused).
        embedder: folder of a sentence-transformers model, for dense and hybrid.
    """
    if not texts or not queries:
        return [[] for _ in queries]
    depth = min(depth, len(texts))
    rankings = []
    if method in ("bm25", "hybrid"):
        rankings.append(_lexical(texts, queries, depth, found_only=method == "hybrid"))
    if method in ("dense", "hybrid"):
        if embedder is None:
            raise MissingExtraError(
                "an embedding model", "naming one in the task: models: {embedding: …}"
            )
        rankings.append(_dense(texts, queries, depth, embedder))
    return rankings[0] if len(rankings) == 1 else fused(rankings, depth)


def _lexical(
    texts: Sequence[str], queries: Sequence[str], depth: int, *, found_only: bool
) -> list[list[int]]:
    """Rank by BM25. With `found_only`, texts that share no word with the query have no rank."""
    import bm25s

    words_of = words(texts)
    if not any(words_of):  # nothing to search by: bm25s cannot build an empty index
        return [[] if found_only else list(range(depth)) for _ in queries]
    index = bm25s.BM25(k1=K1, b=B)
    index.index(words_of, show_progress=False)
    found = []
    for asked in words(queries):
        scores = index.get_scores(asked) if asked else np.zeros(len(texts))
        order = np.lexsort((np.arange(len(texts)), -scores))[:depth]  # ties by position
        found.append([int(at) for at in order if scores[at] > 0 or not found_only])
    return found


def words(texts: Sequence[str]) -> list[list[str]]:
    """Return the words that texts are searched by: lower case, English stems, all of them."""
    import bm25s
    from Stemmer import Stemmer

    return bm25s.tokenize(  # type: ignore[no-any-return]
        list(texts),
        token_pattern=WORD,
        return_ids=False,
        show_progress=False,
        stopwords=None,
        stemmer=Stemmer("english"),
    )


def _dense(
    texts: Sequence[str], queries: Sequence[str], depth: int, embedder: Path
) -> list[list[int]]:
    model = open_embedder(embedder)
    similar = similarity(embed(model, queries), embed(model, texts))
    return np.argsort(-similar, axis=1, kind="stable")[:, :depth].tolist()  # type: ignore[no-any-return]


def open_embedder(folder: Path) -> Any:
    """Open a sentence-transformers model.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise MissingExtraError(
            "sentence-transformers", 'pip install "escalation-ladder[dense]"'
        ) from None
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def embed(model: Any, texts: Sequence[str]) -> Any:
    """Return one vector of length 1 for each text, float32 (texts, dimension)."""
    return model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)


def similarity(queries: Any, vectors: Any) -> Any:
    """Return the cosine of each query with each vector, float64 (queries, vectors)."""
    exact = queries.astype(np.float64) @ vectors.astype(np.float64).T
    return exact.round(SIMILARITY_DECIMALS)


def fused(rankings: Sequence[list[list[int]]], depth: int) -> list[list[int]]:
    """Fuse rankings of the same queries by reciprocal rank."""
    together = []
    for lists in zip(*rankings, strict=True):
        scores: dict[int, float] = defaultdict(float)
        for ranked in lists:
            for rank, position in enumerate(ranked):
                scores[position] += 1 / (FUSION_CONSTANT + rank + 1)
        together.append(sorted(scores, key=lambda position: (-scores[position], position))[:depth])
    return together
