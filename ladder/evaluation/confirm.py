"""Answer the held-out test set, once, and the examples that repeat training examples."""

from __future__ import annotations

from ladder.evaluation.measure import units_of
from ladder.evaluation.openings import openings
from ladder.evaluation.units import as_units
from ladder.evidence import Candidate, Confirmation, Estimate
from ladder.gate.verdict import judge_score, too_many_failed
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import failures, too_many_lost
from ladder.inference.outcome import Outcome, Scores

MOST_LEAKED = 200


def score_with_leaks(
    evaluator: Evaluator, candidate: Candidate, counted: Scores
) -> Estimate | None:
    """Return the score over the rows that were counted and the leaked rows.

    None without leaks, or where too many requests failed.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what is measured.
        counted: its scores on the eval set, without the leaked examples.
    """
    shares = evaluator.task.use.strata
    known = [row for row in evaluator.data.leaked if not shares or row.stratum in shares]
    leaked = known[:MOST_LEAKED]
    if not leaked:
        return None
    outcomes = answer(evaluator, candidate, leaked, "the rows that repeat training examples")
    if too_many_lost(outcomes, evaluator.task.gate):
        return None
    scored = [(outcome.sample, outcome.score) for outcome in outcomes if outcome.score is not None]
    scored += [(row, counted[row.id]) for row in evaluator.data.gate if row.id in counted]
    return as_units(scored, evaluator.task.use.strata).estimate(evaluator.task.gate.confidence)


def confirm(evaluator: Evaluator, candidate: Candidate) -> tuple[Confirmation, tuple[Outcome, ...]]:
    """Count for how many systems the held-out test examples were read, and answer them once.

    Returns:
        what they say, and the answers. The verdict is `none` where too many requests failed: then
        nothing is confirmed.
    """
    identity = evaluator.engine(candidate).identity
    fixed = candidate.model_dump(mode="json", exclude={"build", "description"})
    opened = openings(evaluator, [identity, fixed, evaluator.task.goal])
    outcomes = answer(
        evaluator, candidate, evaluator.data.sealed, "confirming on the held-out test examples"
    )
    units = units_of(evaluator, outcomes)
    gate = evaluator.task.gate
    verdict = judge_score(units.scores, gate.min_score, 1 - gate.confidence, units.weights)
    failed = sum(outcome.score is None for outcome in outcomes)
    lost = failed and (
        not units.scores or too_many_failed(failed, len(outcomes), gate.max_error_rate)
    )
    confirmation = Confirmation(
        score=units.estimate(gate.confidence),
        verdict=verdict.but(verdict="none") if lost else verdict,
        rows=len(outcomes),
        failures=failures(outcomes) if lost else None,
        openings=opened,
    )
    return confirmation, tuple(outcomes)
