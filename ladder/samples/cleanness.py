"""What a person should know of leaks between the rows that teach and the eval set."""

from __future__ import annotations

from ladder.evidence import WordOverlap
from ladder.samples.data import Data
from ladder.samples.duplicates import describe_pairs
from ladder.samples.overlap import find_overlap

MOST_LISTED = 20
LEAST_SHARE = 0.5
"""Of a row's runs of words: below this a shared run is a phrase, not a copy."""


def leaks_and_look_alikes(data: Data) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the held-out examples that repeat training examples, and those that are a template's.

    Each is listed as `held-out example ~ training example (kind, Jaccard)`, the likest first.
    """
    known = (*data.train, *data.dev, *data.leaked)
    text = {sample.id: sample.input for sample in known}
    pairs = data.contaminated
    texts = [text[one] for pair in pairs for one in pair]
    found = describe_pairs(texts, [(2 * at, 2 * at + 1) for at in range(len(pairs))])
    leaks: list[str] = []
    alikes: list[str] = []
    for (held, train), how in sorted(
        zip(pairs, found, strict=True), key=lambda both: -both[1].jaccard
    ):
        line = f"{held} ~ {train} ({how.kind}, {how.jaccard:.2f})"
        (alikes if how.kind == "template" else leaks).append(line)
    return tuple(leaks), tuple(alikes)


def overlap_with_known(splits: Data) -> WordOverlap:
    """Return the runs of words that held-out examples share with training ones and documents."""
    held = (*splits.gate, *splits.sealed)
    known = [(sample.id, sample.input) for sample in (*splits.train, *splits.dev)]
    known += [(document.id, document.text) for document in splits.documents]
    found = find_overlap([sample.input for sample in held], [text for _, text in known])
    top = tuple(
        f"{held[pair.held].id} ~ {known[pair.known][0]}: {pair.share:.0%}"
        for pair in found.pairs[:MOST_LISTED]
        if pair.share >= LEAST_SHARE
    )
    return WordOverlap(
        words=found.n,
        rows=found.rows,
        checkable=found.checkable,
        overlapping=found.overlapping,
        top=top,
    )
