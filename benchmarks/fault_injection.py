"""Break a healthy pipeline in one known way, to see whether the diagnosis names it. Pure.

Each fault changes the rows, the candidate or the search, and nothing else; what it should be
called stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from ladder.evidence import Candidate, CauseName
from ladder.samples.data import Data
from ladder.samples.rows import Sample

COPIES = 5
PADDED_TEXTS = 12
MIDDLE_TEXTS = 5
WRAPPED_SHOTS = 3
FLIPPED = 0.5
"""Share of the judged rows whose target is made wrong."""

MakeIndex = Callable[..., Any]
"""(texts, way, embedder) -> an index with `search(queries, depth)`."""


@dataclass(frozen=True)
class Pipeline:
    """What answers, and what it is judged on."""

    splits: Data
    candidate: Candidate
    make_index: MakeIndex
    weaker: str = ""
    """A model that lacks the skill, for the fault that needs one."""
    wrapped: str = "That must be {target}, as far as I can tell."
    """What an answer looks like where the format is broken."""


@dataclass(frozen=True)
class Fault:
    """One way to break a pipeline, and the cause it should be called."""

    name: str
    cause: CauseName
    inject: Callable[[Pipeline, Random], Pipeline]


def without_gold(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Take out of the index every document that a judged row needs."""
    needed = {doc_id for row in pipeline.splits.gate for doc_id in row.doc_ids}
    left = tuple(d for d in pipeline.splits.documents if d.source not in needed)
    return replace(pipeline, splits=replace(pipeline.splits, documents=left))


def copied(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Index every document several times, as a pipeline does that never deletes."""
    copies = tuple(
        replace(document, id=f"{document.id}-copy-{copy}", cut_from="") if copy else document
        for document in pipeline.splits.documents
        for copy in range(COPIES)
    )
    return replace(pipeline, splits=replace(pipeline.splits, documents=copies))


def shuffled_ranks(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Give the texts that a search finds its scores in another order."""
    made, seed = pipeline.make_index, luck.random()

    class Shuffled:
        """Finds the same texts, in no order."""

        def __init__(self, *given: Any) -> None:
            self.inner = made(*given)

        def search(self, queries: Sequence[str], depth: int) -> list[list[tuple[int, float]]]:
            found = []
            for query, ranking in zip(queries, self.inner.search(queries, depth), strict=True):
                places = [at for at, _ in ranking]
                Random(f"{seed} {query}").shuffle(places)
                found.append([(at, score) for at, (_, score) in zip(places, ranking, strict=True)])
            return found

    Shuffled.__name__ = f"shuffled {seed}"
    return replace(pipeline, make_index=Shuffled)


def padded(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Hand over far more texts than hold the answer."""
    return _reading(pipeline, k=PADDED_TEXTS)


def in_the_middle(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Put the best text between the others."""
    return _reading(pipeline, order="best in the middle", k=MIDDLE_TEXTS)


def wrong_source(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Send every question to the other source."""
    retrieval = pipeline.candidate.retrieval
    documents = retrieval is not None and retrieval.source == "documents"
    return _reading(pipeline, source="examples" if documents else "documents")


def broken_format(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Show examples whose answers are wrapped in a sentence, and let the model write as they do."""
    wrapped = tuple(
        replace(row, target=pipeline.wrapped.format(target=row.target))
        for row in pipeline.splits.train
    )
    update = {
        "decoding": "free",
        "calibration": "none",
        "shots": tuple(row.id for row in wrapped[:WRAPPED_SHOTS]),
    }
    broken = _with(pipeline, pipeline.candidate.but(**update))
    return replace(broken, splits=replace(pipeline.splits, train=wrapped))


def weak_model(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Put a model in place that lacks the skill."""
    return _with(pipeline, pipeline.candidate.but(model=pipeline.weaker))


def flipped_labels(pipeline: Pipeline, luck: Random) -> Pipeline:
    """Make the targets of many judged rows wrong."""
    labels = pipeline.splits.labels

    def flipped(row: Sample) -> Sample:
        others = [label for label in labels if label != row.target]
        return replace(row, target=luck.choice(others)) if luck.random() < FLIPPED else row

    gate = tuple(flipped(row) for row in pipeline.splits.gate)
    return replace(pipeline, splits=replace(pipeline.splits, gate=gate))


def _reading(pipeline: Pipeline, **update: object) -> Pipeline:
    retrieval = pipeline.candidate.retrieval
    if retrieval is None:
        raise ValueError("this fault needs a pipeline that reads")
    changed = retrieval.but(**update)
    return _with(pipeline, pipeline.candidate.but(retrieval=changed))


def _with(pipeline: Pipeline, candidate: Candidate) -> Pipeline:
    return replace(pipeline, candidate=candidate)


FAULTS = (
    Fault("gold deleted", "missing", without_gold),
    Fault("copies x5", "redundancy", copied),
    Fault("ranks shuffled", "ranking", shuffled_ranks),
    Fault("distractors", "distraction", padded),
    Fault("gold in the middle", "position", in_the_middle),
    Fault("format broken", "format", broken_format),
    Fault("weak model", "skill", weak_model),
    Fault("labels flipped", "labels", flipped_labels),
    Fault("wrong route", "routing", wrong_source),
)
