"""Near-duplicates: rows that say the same thing, so that no split holds the answer of another.

Equal after folding case, punctuation and space; or character 5-gram Jaccard of at least 0.8, found
by MinHash and verified exactly (Broder, 1997). Texts too short for 5-grams are compared whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

GRAM = 5
LIKE = 0.8
CANDIDATES_FROM = 0.6
"""MinHash misses some pairs near its threshold, so candidates are asked for well below LIKE."""
PERMUTATIONS = 64

_NOT_WORD = re.compile(r"[\W_]+")


def folded(text: str) -> str:
    """Fold case, punctuation and space. A text of punctuation alone is kept as it is."""
    return _NOT_WORD.sub(" ", text.casefold()).strip() or text.strip()


def like_pairs(
    texts: Sequence[str], advance: Callable[[int], object] = lambda done: None
) -> list[tuple[int, int]]:
    """Return the pairs (i, j), i < j, of near-duplicate texts.

    Args:
        texts: the texts to compare with each other.
        advance: called with the number of texts done, for a progress bar.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=CANDIDATES_FROM, num_perm=PERMUTATIONS)
    grams: list[frozenset[str]] = []
    first: dict[str, int] = {}
    pairs = []
    for here, text in enumerate(map(folded, texts)):
        grams.append(_grams(text))
        if text in first:  # only the first of equal texts enters the index
            pairs.append((first[text], here))
        else:
            first[text] = here
            signature = MinHash(num_perm=PERMUTATIONS, seed=1)
            signature.update_batch([gram.encode() for gram in grams[here]])
            found = sorted(index.query(signature))
            pairs += [(there, here) for there in found if _jaccard(grams[there], grams[here])]
            index.insert(here, signature)
        advance(here + 1)
    return pairs


def clusters(size: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return the cluster of each of `size` rows, named by its first row."""
    parent = list(range(size))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for left, right in pairs:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return [root(row) for row in range(size)]


def _grams(text: str) -> frozenset[str]:
    if len(text) < GRAM:
        return frozenset([text])
    return frozenset(text[at : at + GRAM] for at in range(len(text) - GRAM + 1))


def _jaccard(left: frozenset[str], right: frozenset[str]) -> bool:
    return len(left & right) >= LIKE * len(left | right)
