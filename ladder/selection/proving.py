"""Does a costlier or much-searched system win on rows that did not choose it?

The dev examples chose the challenger, so they flatter it. Training examples that neither system
shows are unseen by both and cost no held-out example; the eval examples stay untouched until the
rung is measured.
"""

from __future__ import annotations

from ladder.evaluation.comparing import compare_outcomes
from ladder.evidence import Candidate, Comparison
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.samples.rows import Sample
from ladder.samples.splits import group_end

MOST_PROVING_ROWS = 120
MOST_SHOWN = 16
"""Rows that an incumbent may show of those at the front, beside the ones that prove."""


def learning_rows(evaluator: Evaluator) -> tuple[Sample, ...]:
    """Return the training examples that a search may read: those behind the ones that prove."""
    train = evaluator.data.observed
    return train[group_end(train, min(MOST_PROVING_ROWS + MOST_SHOWN, len(train) // 2)) :]


def proving_rows(evaluator: Evaluator, *candidates: Candidate) -> list[Sample]:
    """Return training examples that chose nothing and that none of the candidates shows."""
    shown = {shot for candidate in candidates for shot in candidate.shots}
    if any(candidate.instruction for candidate in candidates):  # it may be written from these
        shown |= {sample.id for sample in learning_rows(evaluator)}
    return [sample for sample in evaluator.data.observed if sample.id not in shown][
        :MOST_PROVING_ROWS
    ]


def compare_unseen(
    evaluator: Evaluator, incumbent: Candidate, challenger: Candidate
) -> Comparison | None:
    """Compare a challenger with the incumbent on fresh training examples; None without such rows.

    Raises:
        NoVerdictError: too many requests failed to tell.
    """
    rows = proving_rows(evaluator, incumbent, challenger)
    with evaluator.models.asking("proof"):
        old = answer(evaluator, incumbent, rows, "fresh training examples, as it is")
        new = answer(evaluator, challenger, rows, "fresh training examples, the challenger")
    for outcomes in (old, new):
        require_conclusive(outcomes, evaluator.task.gate, "comparing on fresh training examples")
    both = zip(new, old, strict=True)
    if not any(a.score is not None and b.score is not None for a, b in both):
        return None
    return compare_outcomes(incumbent.description, new, old, evaluator.task.gate.confidence)
