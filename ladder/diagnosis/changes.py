"""The ablations of a diagnosis as candidates: a system with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evidence import Ablation, Candidate, CauseName, Retrieval
from ladder.inference.evaluator import Evaluator
from ladder.inference.forms import as_it_takes

FEWER, MORE = 3, 3
"""How many times fewer, and more, texts an ablation puts in context."""
MOST_TEXTS = 12
RERANK_DEPTH = 30
LOOKED_AT = 200
"""Rows that are asked for a known right document before there is said to be none."""

SHOWS: dict[Ablation, CauseName] = {
    "constrained": "format",
    "unique": "redundancy",
    "rerank": "ranking",
    "more": "ranking",
    "fewer": "distraction",
    "compress": "distraction",
    "reorder": "position",
    "other source": "routing",
}
"""Changes that a system can be shipped with, and the cause that each shows when it helps."""

IN_WORDS: dict[Ablation, str] = {
    "constrained": "label log-likelihood, calibrated on dev",
    "unique": "repeats left out",
    "rerank": "reranked",
    "more": "more texts put in context",
    "fewer": "fewer texts put in context",
    "compress": "sentences that hardly ever answer left out",
    "reorder": "documents in another order",
    "other source": "the other source read",
}


def changes(evaluator: Evaluator, candidate: Candidate) -> dict[Ablation, Candidate]:
    """Return what a candidate could be shipped as instead, by the one thing that is changed."""
    found: dict[Ablation, Candidate] = {}
    constrained = _constrained(evaluator, candidate)
    if constrained is not None:
        found["constrained"] = constrained
    retrieval = candidate.retrieval
    if retrieval is None or retrieval.source == "gold":
        return found
    for ablation, changed in _other_retrievals(evaluator, retrieval):
        found[ablation] = candidate.but(retrieval=changed)
    return found


def _constrained(evaluator: Evaluator, candidate: Candidate) -> Candidate | None:
    """Return the same system held to the labels; None: it is already, or nothing can hold it.

    By the calibrated log-likelihood of whole labels, not token by token: a model that was about to
    begin otherwise says at its first token what it usually begins with, whatever was asked.
    """
    can = evaluator.engine(candidate).abilities
    if candidate.decoding != "free" or not (evaluator.data.labels and can.scores_choices):
        return None
    narrow = candidate.retrieval is not None and candidate.retrieval.narrow
    calibration = "none" if narrow else "batch"  # the labels that are scored differ by row
    return candidate.but(decoding="scored", calibration=calibration, votes=1, rewrite=False)


def _other_retrievals(evaluator: Evaluator, old: Retrieval) -> Iterator[tuple[Ablation, Retrieval]]:
    def changed(**update: object) -> Retrieval:
        return old.but(**update)

    reads_documents = old.source != "examples"
    if not old.unique and old.k > 1:
        yield "unique", changed(unique=True)
    if not old.rerank and evaluator.task.models.reranker:
        yield "rerank", changed(rerank=RERANK_DEPTH)
    if old.k * MORE <= MOST_TEXTS:
        yield "more", changed(k=old.k * MORE)
    if old.k > 1:
        yield "fewer", changed(k=max(1, old.k // FEWER))
    if reads_documents and not old.compress and evaluator.reader.cuts:
        yield "compress", changed(compress=True)
    if reads_documents and old.k > 1:
        other = "best first" if old.order == "best last" else "best last"
        yield "reorder", changed(order=other)
    if evaluator.data.documents and evaluator.data.train and old.source != "both":
        other = "documents" if old.source == "examples" else "examples"
        yield "other source", changed(source=other, narrow=False)


def diagnostic_ablations(evaluator: Evaluator, candidate: Candidate) -> dict[Ablation, Candidate]:
    """Return the ablations that explain and cannot be shipped."""
    ablations: dict[Ablation, Candidate] = {"no-op control": candidate.but(no_op=True)}
    gold = oracle(evaluator, candidate)
    if gold is not None:
        ablations["oracle"] = gold
        constrained = _constrained(evaluator, gold)
        if constrained is not None:
            ablations["constrained oracle"] = constrained
    if candidate.retrieval is not None:
        ablations["no context"] = candidate.but(retrieval=None)
    teacher = evaluator.task.models.teacher
    if teacher is not None and teacher != candidate.model:
        ablations["strong"] = _by(evaluator, teacher, candidate)
        if gold is not None:  # an answer that breaks the form says nothing against a target
            held = ablations.get("constrained oracle", gold)
            ablations["strong oracle"] = _by(evaluator, teacher, held)
    return ablations


def oracle(evaluator: Evaluator, candidate: Candidate) -> Candidate | None:
    """Return the same system, given the documents that hold the answer; None: none is known."""
    rows = (*evaluator.data.dev, *evaluator.data.gate)[:LOOKED_AT]
    if not any(evaluator.reader.right_passages(row) for row in rows):
        return None
    return candidate.but(retrieval=Retrieval(source="gold", k=1))


def _by(evaluator: Evaluator, model: str, candidate: Candidate) -> Candidate:
    """Return the same system with another model, in a form that this model takes."""
    once = {"model": model, "adapter": None, "votes": 1, "rewrite": False}
    strong = as_it_takes(evaluator, candidate.but(**once))
    can = evaluator.engine(strong).abilities
    if not can.scores_choices and candidate.decoding in ("scored", "constrained"):
        strong = strong.but(decoding="free", calibration="none")
    return strong
