"""What a candidate's search put in context for the eval examples that were measured."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.evaluation.units import as_units
from ladder.evidence import Estimate, Retrieval, RetrievalHealth
from ladder.inference.evaluator import Evaluator
from ladder.retrieval.health import calibrated, calibration_error, inequality, recall, redundancy
from ladder.retrieval.retriever import Source, sources
from ladder.samples.rows import Sample

RECALL_AT = (1, 3, 5)
JUDGED_TEXTS = 10
"""Of each row's texts, the first so many are given a chance of being right."""
LEAST_LEARNT, MOST_LEARNT = 30, 300


def retrieval_health(
    evaluator: Evaluator, retrieval: Retrieval | None, rows: Sequence[Sample]
) -> tuple[RetrievalHealth, ...]:
    """Return the health of each source that a candidate searches: documents, examples."""
    evaluator.retriever.prepare(retrieval, rows)
    found = sources(retrieval)
    return tuple(_health(evaluator, retrieval, name, rows) for name in found if retrieval)


def _health(
    evaluator: Evaluator, retrieval: Retrieval, source: Source, rows: Sequence[Sample]
) -> RetrievalHealth:
    retriever = evaluator.retriever
    ids = _ids(evaluator, source)
    texts = retriever.read_texts[source]
    deep = retrieval.but(k=max(retrieval.k, *RECALL_AT))
    found = {row.id: retriever.nearest(deep, source, row) for row in rows}
    handed = [positions[: retrieval.k] for positions in found.values()]
    known = _known(evaluator, source, rows)
    ranked = [[ids[at] for at in found[row.id]] for row in known]
    return RetrievalHealth.model_validate(
        {
            "source": source,
            "k": retrieval.k,
            "language": "" if retrieval.method == "dense" else retriever.languages[source],
            "recall": {
                k: _share(evaluator, known, recall(ranked, [row.doc_ids for row in known], k))
                for k in RECALL_AT
                if known
            },
            "redundancy": redundancy([[texts[at] for at in at_row] for at_row in handed]),
            "inequality": inequality(handed, len(texts)),
            "calibration_error": _calibration_error(evaluator, retrieval, source, known),
        }
    )


def _ids(evaluator: Evaluator, source: Source) -> list[str]:
    if source == "documents":
        return [document.source for document in evaluator.data.documents]
    return [sample.id for sample in evaluator.data.train]


def _known(evaluator: Evaluator, source: Source, rows: Sequence[Sample]) -> list[Sample]:
    """Return the rows of which a right document is known and there."""
    there = evaluator.reader.passages_of if source == "documents" else {}
    return [row for row in rows if any(doc_id in there for doc_id in row.doc_ids)]


def _calibration_error(
    evaluator: Evaluator, retrieval: Retrieval, source: Source, rows: Sequence[Sample]
) -> float | None:
    """Return how far off chances read from the scores are; learnt on training examples."""
    learn = _known(evaluator, source, evaluator.data.train)[:MOST_LEARNT]
    if len(learn) < LEAST_LEARNT or not rows:
        return None
    scores, right = _judged(evaluator, retrieval, source, learn)
    unseen, really = _judged(evaluator, retrieval, source, rows)
    return calibration_error(calibrated(scores, right, unseen), really)


def _judged(
    evaluator: Evaluator, retrieval: Retrieval, source: Source, rows: Sequence[Sample]
) -> tuple[list[float], list[bool]]:
    """Return, for the first texts of each row, their share of the row's scores, and whether right.

    A BM25 score means nothing by itself: it grows with the length of the question.
    """
    ids = _ids(evaluator, source)
    evaluator.retriever.prepare(retrieval, rows)
    shares, right = [], []
    for row in rows:
        found = evaluator.retriever.candidates(retrieval, source, row)[:JUDGED_TEXTS]
        total = sum(score for _, score in found) or 1.0
        shares += [score / total for _, score in found]
        right += [ids[at] in row.doc_ids for at, _ in found]
    return shares, right


def _share(evaluator: Evaluator, rows: Sequence[Sample], hits: Sequence[bool]) -> Estimate:
    scored = [(row, float(hit)) for row, hit in zip(rows, hits, strict=True)]
    return as_units(scored, evaluator.task.use.strata).estimate(evaluator.task.gate.confidence)
