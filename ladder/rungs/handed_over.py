"""What a candidate's search handed over for the rows that judge it."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.evidence import Estimate, Retrieval, RetrievalHealth
from ladder.retrieval.health import inequality, recall, redundancy
from ladder.rungs.base import Climb
from ladder.rungs.units import as_units
from ladder.samples.rows import Sample

RECALL_AT = (1, 3, 5)


def retrieval_health(
    climb: Climb, retrieval: Retrieval | None, rows: Sequence[Sample]
) -> tuple[RetrievalHealth, ...]:
    """Return the health of each source that a candidate searches: documents, examples."""
    if retrieval is None or retrieval.source == "gold":
        return ()
    climb.prepare(retrieval, tuple(rows))
    both = ("documents", "examples")
    sources = both if retrieval.source == "both" else (retrieval.source,)
    return tuple(_health(climb, retrieval, source, rows) for source in sources)


def _health(
    climb: Climb, retrieval: Retrieval, source: str, rows: Sequence[Sample]
) -> RetrievalHealth:
    if source == "documents":
        ids = [document.source for document in climb.splits.documents]
        texts = [document.text for document in climb.splits.documents]
    else:
        ids = [sample.id for sample in climb.splits.train]
        texts = [sample.input for sample in climb.splits.train]
    deep = retrieval.model_copy(update={"k": max(retrieval.k, *RECALL_AT)})
    found = {row.id: climb.nearest(deep, source, row) for row in rows}
    handed = [positions[: retrieval.k] for positions in found.values()]
    here = climb.passages_of if source == "documents" else {}
    known = [row for row in rows if any(doc_id in here for doc_id in row.doc_ids)]
    ranked = [[ids[at] for at in found[row.id]] for row in known]
    return RetrievalHealth.model_validate(
        {
            "source": source,
            "k": retrieval.k,
            "recall": {
                k: _share(climb, known, recall(ranked, [row.doc_ids for row in known], k))
                for k in RECALL_AT
                if known
            },
            "redundancy": redundancy([[texts[at] for at in at_row] for at_row in handed]),
            "inequality": inequality(handed, len(texts)),
        }
    )


def _share(climb: Climb, rows: Sequence[Sample], hits: Sequence[bool]) -> Estimate:
    scored = [(row, float(hit)) for row, hit in zip(rows, hits, strict=True)]
    return as_units(scored, climb.task.use.strata).estimate(climb.task.gate.confidence)
