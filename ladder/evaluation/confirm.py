"""Answer the held-out test set, once, and the examples that repeat training examples."""

from __future__ import annotations

from ladder.evaluation.measure import units_of
from ladder.evaluation.units import as_units
from ladder.evidence import Candidate, Confirmation, Estimate
from ladder.gate.verdict import judge_score, too_many_failed
from ladder.inference.answer import answer
from ladder.inference.evaluator import Climb
from ladder.inference.failures import describe, inconclusive

MOST_LEAKED = 200


def score_with_leaks(climb: Climb, candidate: Candidate) -> Estimate | None:
    """Return the score over the rows that were counted and the leaked rows.

    None without leaks, or where too many requests failed.
    """
    shares = climb.task.use.strata
    known = [row for row in climb.splits.leaked if not shares or row.stratum in shares]
    leaked = known[:MOST_LEAKED]
    if not leaked:
        return None
    outcomes = answer(climb, candidate, leaked, "the rows that repeat training rows")
    if inconclusive(outcomes, climb.task.gate):
        return None
    scored = [(outcome.sample, outcome.scores[0]) for outcome in outcomes if outcome.scores]
    counted = climb.gate_scores[candidate.rung]
    scored += [(row, counted[row.id]) for row in climb.splits.gate if row.id in counted]
    return as_units(scored, climb.task.use.strata).estimate(climb.task.gate.confidence)


def confirm(climb: Climb, candidate: Candidate) -> Confirmation:
    """Answer the sealed rows once.

    The verdict is `none` where too many requests failed: then nothing is confirmed.
    """
    outcomes = answer(climb, candidate, climb.splits.sealed, "confirming on the sealed rows")
    units = units_of(climb, outcomes)
    gate = climb.task.gate
    verdict = judge_score(units.scores, gate.min_score, 1 - gate.confidence, units.weights)
    failed = sum(not outcome.scores for outcome in outcomes)
    if failed and (not units.scores or too_many_failed(failed, len(outcomes), gate.max_error_rate)):
        reason = describe("the sealed rows", outcomes)
        verdict = verdict.model_copy(update={"verdict": "none", "reason": reason})
    score = units.estimate(gate.confidence)
    return Confirmation(score=score, verdict=verdict, rows=len(outcomes))
