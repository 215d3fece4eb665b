"""Run the arms of a diagnosis: the same rows, one thing changed."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.diagnosis.rules import Arms, diagnose
from ladder.evidence import Candidate, Diagnosis, Retrieval, Verdict
from ladder.rungs.asking import Outcome, answer
from ladder.rungs.base import Climb
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer
from ladder.scorers.contains import contains

MOST_ORACLE_ROWS = 60


def explain(
    climb: Climb, candidate: Candidate, verdict: Verdict, outcomes: Sequence[Outcome]
) -> Diagnosis:
    """Return why a candidate did not pass."""
    answered = [outcome for outcome in outcomes if outcome.scores]
    arms = Arms(
        production={o.sample.id: o.scores[0] for o in answered},
        lenient={o.sample.id: _lenient(climb, o) for o in answered},
        oracle=_oracle(climb, candidate, [o.sample for o in answered]),
    )
    gate = climb.task.gate
    return diagnose(candidate.rung, verdict, arms, gate.min_score, gate.confidence)


def _lenient(climb: Climb, outcome: Outcome) -> float:
    """Score an answer read leniently: the one label it names, or the target inside it."""
    text, scorer = outcome.text, climb.scorers[0][1]
    if isinstance(scorer, ModelScorer):  # a judge reads leniently as it is
        return outcome.scores[0]
    labels = [label for label in climb.splits.labels if label.casefold() in text.casefold()]
    # A label that is part of a longer one that is named too does not count as named.
    named = [a for a in labels if not any(a != b and a in b for b in labels)]
    if len(named) == 1:
        return scorer(named[0], outcome.sample.target).value
    if climb.splits.labels:
        return outcome.scores[0]
    return max(outcome.scores[0], contains()(text, outcome.sample.target).value)


def _oracle(
    climb: Climb, candidate: Candidate, samples: Sequence[Sample]
) -> dict[str, float] | None:
    """Answer with the documents that hold the answer; None where they are not known."""
    known = [
        sample
        for sample in samples
        if any(doc_id in climb.library.passages_of for doc_id in sample.doc_ids)
    ][:MOST_ORACLE_ROWS]
    if not known or candidate.model.startswith("head:"):
        return None
    given = candidate.model_copy(update={"retrieval": Retrieval(source="gold", k=1)})
    outcomes = answer(climb, given, known, "the same rows with the right documents")
    return {o.sample.id: o.scores[0] for o in outcomes if o.scores} or None
