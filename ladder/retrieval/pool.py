"""From what a search found to what is put in context: every setting without another search. Pure.

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
from ladder.language.words import comparable, running_words
from ladder.retrieval.repeats import Said
from ladder.retrieval.search import Ranking, Way

FUSION_CONSTANT = 60
REPEATED = 0.8
"""A text of which earlier ones have said so much is a repeat."""
DIVERSE_POOL = 50
"""Texts that compete for a diverse selection."""

USUAL_DEPTH = 16
"""Texts that are put in order at once: few settings hand over more."""

TextOf = Callable[[int], str]


def ways(method: str) -> tuple[Way, ...]:
    """Return the searches that a method needs."""
    return {"bm25": ("bm25",), "dense": ("dense",), "hybrid": ("bm25", "dense")}[method]  # type: ignore[return-value]


class Pool:
    """What was found for one question: the matrix from which every setting is made.

    How alike its texts are, and in which order a setting puts them, is worked out once; a smaller
    k is the beginning of a larger one.
    """

    def __init__(self, found: dict[Way, Ranking], text_of: TextOf) -> None:
        """Keep what was found.

        Args:
            found: what each way of searching found.
            text_of: position -> text.
        """
        self.found = found
        self.text_of = text_of
        self.reranked: dict[int, float] = {}
        """Position -> a reranker's score."""
        self._orders: dict[tuple[object, ...], list[int]] = {}
        self._diverse: dict[tuple[object, ...], list[int]] = {}
        self._likeness: dict[tuple[int, ...], np.ndarray] = {}

    def select(self, how: Retrieval) -> list[int]:
        """Return positions of the texts to hand over, best first."""
        if not how.diversity:
            return self._ranked(how, how.k)[: how.k]
        key = (*_order_key(how), how.diversity)
        chosen = self._diverse.get(key, [])
        if len(chosen) < min(how.k, len(self)):
            depth = max(how.k, USUAL_DEPTH)
            pool = tuple(self._ranked(how, max(DIVERSE_POOL, depth)))
            if pool not in self._likeness:
                self._likeness[pool] = likeness([self.text_of(at) for at in pool])
            chosen = diverse(pool, how.diversity, depth, self._likeness[pool])
            self._diverse[key] = chosen
        return chosen[: how.k]

    def __len__(self) -> int:
        return max((len(ranking) for ranking in self.found.values()), default=0)

    def first(self, how: Retrieval, count: int) -> list[int]:
        """Return the first positions before any reranking: what a reranker has to read."""
        return self._ranked(how.but(rerank=0), count)[:count]

    def _ranked(self, how: Retrieval, depth: int) -> list[int]:
        """Return at least `depth` positions where there are so many, before any diversity."""
        key = _order_key(how)
        known = self._orders.get(key, [])
        if len(known) < min(depth, len(self)):
            order: Iterable[int] = in_order(self.found, how)
            if how.unique:
                order = without_repeats(order, self.text_of)
            if how.rerank:
                order = iter(order)
                first = list(islice(order, how.rerank))
                order = chain(sorted(first, key=lambda at: -self.reranked.get(at, -np.inf)), order)
            known = self._orders[key] = list(islice(order, max(depth, DIVERSE_POOL)))
        return known


def _order_key(how: Retrieval) -> tuple[object, ...]:
    return (how.method, how.lexical_weight, how.unique, how.rerank)


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


def diverse(pool: Sequence[int], diversity: float, k: int, alike: np.ndarray) -> list[int]:
    """Choose texts that are relevant and unlike those chosen before.

    Relevance falls evenly with the rank from 1 to 0.

    Args:
        pool: positions, best first.
        diversity: 0..1, the weight of being unlike.
        k: how many to choose.
        alike: how alike the texts of the pool are, all with all.
    """
    relevance = 1 - np.arange(len(pool)) / max(1, len(pool))
    chosen: list[int] = []
    nearest = np.zeros(len(pool))
    taken = np.zeros(len(pool))
    while len(chosen) < min(k, len(pool)):
        place = int(np.argmax((1 - diversity) * relevance - diversity * nearest - taken))
        chosen.append(place)
        taken[place] = np.inf
        nearest = np.maximum(nearest, alike[place])
    return [pool[place] for place in chosen]


def likeness(texts: Sequence[str]) -> np.ndarray:
    """Return the share of common words (Jaccard) of texts, all with all."""
    sets = [set(running_words(comparable(text))) for text in texts]
    number = {word: at for at, word in enumerate(sorted(set().union(*sets)))}
    there = np.zeros((len(texts), max(1, len(number))), dtype=np.float32)
    for row, own in enumerate(sets):
        there[row, [number[word] for word in own]] = 1
    common = there @ there.T
    sizes = there.sum(axis=1)
    either = np.maximum(1, sizes[:, None] + sizes[None, :] - common)
    return np.asarray(common / either)
