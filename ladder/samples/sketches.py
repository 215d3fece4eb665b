"""Which of very many texts may be near-duplicates: MinHash and banding, in linear time.

The exact search of `duplicates` compares more the more texts there are. Beyond `MANY` each text has
a sketch of its 5-grams: of each of 168 hash functions the smallest value (Broder, 1997). It is cut
into bands; texts that have a band in common are candidates (Indyk and Motwani, 1998), and
those of which most values agree are then compared exactly: no pair is said to be alike that is not.
A pair whose Jaccard is s is missed with the chance (1 - s^R)^B: at 0.8, the least that counts, one
in 4,900.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MANY = 100_000
"""Texts from which on pairs are looked for by sketches."""
BANDS, ROWS = 28, 6
AT_ONCE = 4_000
"""Texts that are sketched together."""
KEPT, AGREEING = 64, 32
"""Of so many functions one byte is kept (Li and Koenig, 2010); of a pair at 0.8 fewer agree with a
chance below one in a million."""
_PRIME = np.uint64(0x9E3779B97F4A7C15)

Sketches = NDArray[np.uint32]


def recall(alike: float) -> float:
    """Return the chance that a pair is found, by its Jaccard."""
    return 1 - float((1 - alike**ROWS) ** BANDS)


def candidates(
    texts: Sequence[str], gram: int, advance: Callable[[int], object] = lambda done: None
) -> Iterator[tuple[int, int]]:
    """Yield (i, j), i < j, of texts that have a band in common, each pair once.

    Args:
        texts: no two of them equal; those shorter than a gram are like no other.
        gram: characters of one.
        advance: called with the number of texts done, for a progress bar.
    """
    bands = np.empty((BANDS, len(texts)), np.uint32)
    bytes_of = np.empty((len(texts), KEPT), np.uint8)
    for start in range(0, len(texts), AT_ONCE):
        sketches = _sketches(texts[start : start + AT_ONCE], gram)
        bands[:, start : start + len(sketches)] = _bands(sketches)
        bytes_of[start : start + len(sketches)] = sketches[:, :KEPT]
        advance(start + len(sketches))
    short = np.fromiter((len(text) < gram for text in texts), bool, len(texts))
    found = np.unique(np.concatenate([_agreeing(_sharing(b, short), bytes_of) for b in bands]))
    for pair in found.tolist():
        yield pair >> 32, pair & 0xFFFFFFFF


def _agreeing(pairs: NDArray[np.uint64], bytes_of: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the pairs of which most values agree."""
    kept = [pairs[:0]]
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE]
        left, right = part >> np.uint64(32), part & np.uint64(0xFFFFFFFF)
        agree = (bytes_of[left] == bytes_of[right]).sum(axis=1)
        kept.append(part[agree >= AGREEING])
    return np.concatenate(kept)


def _sketches(texts: Sequence[str], gram: int) -> Sketches:
    """Return the sketch of each text, (texts, BANDS * ROWS)."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.cumsum(lengths)
    hashed = np.zeros(max(len(codes) - gram + 1, 0), np.uint64)
    for at in range(gram):
        hashed = hashed * _PRIME + codes[at : len(codes) - gram + 1 + at].astype(np.uint64)
    hashed ^= hashed >> np.uint64(29)
    counts = np.maximum(lengths - gram + 1, 0)
    inside = np.repeat(ends - lengths, counts) + _counting(counts)
    mine = hashed[inside]
    made = np.full((len(texts), BANDS * ROWS), 0xFFFFFFFF, np.uint32)
    there = counts > 0
    starts = (np.cumsum(counts) - counts)[there]
    for number, (factor, shift) in enumerate(_functions()):
        values = ((mine * factor + shift) >> np.uint64(32)).astype(np.uint32)
        if len(starts):
            made[there, number] = np.minimum.reduceat(values, starts)
    return made


def _counting(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 to n - 1 for each n."""
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) - np.repeat(before, counts)


def _functions() -> list[tuple[np.uint64, np.uint64]]:
    """Return multiply-shift hash functions, the same in every process (Dietzfelbinger, 1997)."""
    draw = np.random.default_rng(0)
    numbers = draw.integers(1, 2**63, (BANDS * ROWS, 2), dtype=np.uint64)
    return [(factor | np.uint64(1), shift) for factor, shift in numbers]


def _bands(sketches: Sketches) -> NDArray[np.uint32]:
    """Return each band of each sketch as one number, (BANDS, texts); few share one by chance."""
    parts = sketches.reshape(len(sketches), BANDS, ROWS).astype(np.uint64)
    made = np.zeros(parts.shape[:2], np.uint64)
    for at in range(ROWS):
        made = (made ^ parts[:, :, at]) * _PRIME
        made ^= made >> np.uint64(31)
    return (made >> np.uint64(32)).astype(np.uint32).T


def _sharing(band: NDArray[np.uint32], short: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return the pairs of texts with the same number, as i << 32 | j."""
    order = np.argsort(band, kind="stable")
    order = order[~short[order]]
    numbers = band[order]
    edges = np.flatnonzero(np.diff(numbers)) + 1
    starts = np.concatenate(([0], edges))
    sizes = np.diff(np.concatenate((starts, [len(order)])))
    pairs = [np.empty(0, np.uint64)]
    for size in np.unique(sizes[sizes > 1]).tolist():
        at = starts[sizes == size, None] + np.arange(size)
        here = np.sort(order[at], axis=1).astype(np.uint64)
        left, right = np.triu_indices(size, 1)
        pairs.append((here[:, left] << np.uint64(32) | here[:, right]).ravel())
    return np.concatenate(pairs)
