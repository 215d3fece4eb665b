"""From what a search found to what is handed over: every setting without another search. Pure.

In this order, because each step can undo the one after it but not the one before: ways fused by
rank (reciprocal rank fusion, Cormack, Clarke and Buettcher, 2009), repeats left out, the first
few ordered anew by a reranker, then maximal marginal relevance (Carbonell and Goldstein, 1998).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

import numpy as np

from ladder.evidence import Retrieval
from ladder.retrieval.repeats import Said
from ladder.retrieval.search import Ranking, Way

FUSION_CONSTANT = 60
REPEATED = 0.8
"""A text of which earlier ones have said so much is a repeat."""
DIVERSE_POOL = 50
"""Texts that compete for a diverse selection."""

TextOf = Callable[[int], str]


def ways(method: str) -> tuple[Way, ...]:
    """Return the searches that a method needs."""
    return {"bm25": ("bm25",), "dense": ("dense",), "hybrid": ("bm25", "dense")}[method]  # type: ignore[return-value]


def select(
    found: Mapping[Way, Ranking],
    how: Retrieval,
    text_of: TextOf,
    reranked: Mapping[int, float] | None = None,
) -> list[int]:
    """Return positions of the texts to hand over, best first.

    Args:
        found: what each way of searching found.
        how: the settings.
        text_of: position -> text.
        reranked: position -> a reranker's score, for the first `how.rerank` texts.
    """
    order: Iterable[int] = in_order(found, how)
    if how.unique:
        order = without_repeats(order, text_of)
    if how.rerank and reranked is not None:
        scores = reranked
        order = iter(order)
        first = list(islice(order, how.rerank))
        order = chain(sorted(first, key=lambda at: -scores.get(at, -np.inf)), order)
    if how.diversity:
        pool = list(islice(order, max(DIVERSE_POOL, how.k)))
        return diverse(pool, how.diversity, how.k, text_of)
    return list(islice(order, how.k))


def in_order(found: Mapping[Way, Ranking], how: Retrieval) -> list[int]:
    """Return positions best first: of one way, or of both fused by rank."""
    if len(ways(how.method)) == 1:
        return [at for at, _ in found[ways(how.method)[0]]]
    weight = {"bm25": how.lexical_weight, "dense": 1 - how.lexical_weight}
    scores: dict[int, float] = defaultdict(float)
    for way in ways(how.method):
        # A text that shares no word with the query has no rank by words.
        ranked = [at for at, score in found[way] if way == "dense" or score > 0]
        for rank, at in enumerate(ranked, start=1):
            scores[at] += weight[way] / (FUSION_CONSTANT + rank)
    return sorted(scores, key=lambda at: (-scores[at], at))


def without_repeats(order: Iterable[int], text_of: TextOf) -> Iterator[int]:
    """Leave out texts that the ones before them have said already."""
    said = Said()
    for at in order:
        text = text_of(at)
        if said.share(text) < REPEATED:
            said.add(text)
            yield at


def diverse(pool: Sequence[int], diversity: float, k: int, text_of: TextOf) -> list[int]:
    """Choose texts that are relevant and unlike those chosen before.

    Relevance falls evenly with the rank from 1 to 0; likeness is the share of common words
    (Jaccard).

    Args:
        pool: positions, best first.
        diversity: 0..1, the weight of being unlike.
        k: how many to choose.
        text_of: position -> text.
    """
    if not pool:
        return []
    relevance = 1 - np.arange(len(pool)) / len(pool)
    likeness = _likeness([text_of(at) for at in pool])
    chosen: list[int] = []
    nearest = np.zeros(len(pool))
    open_places = np.ones(len(pool), dtype=bool)
    while len(chosen) < min(k, len(pool)):
        worth = (1 - diversity) * relevance - diversity * nearest
        place = int(np.argmax(np.where(open_places, worth, -np.inf)))
        chosen.append(place)
        open_places[place] = False
        nearest = np.maximum(nearest, likeness[place])
    return [pool[place] for place in chosen]


def _likeness(texts: Sequence[str]) -> np.ndarray:
    """Return the Jaccard likeness of the word sets of texts, all with all."""
    sets = [set(text.casefold().split()) for text in texts]
    number = {word: at for at, word in enumerate(sorted(set().union(*sets)))}
    there = np.zeros((len(texts), max(1, len(number))), dtype=np.float32)
    for row, own in enumerate(sets):
        there[row, [number[word] for word in own]] = 1
    common = there @ there.T
    sizes = there.sum(axis=1)
    either = np.maximum(1, sizes[:, None] + sizes[None, :] - common)
    return np.asarray(common / either)
