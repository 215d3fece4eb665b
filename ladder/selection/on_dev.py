"""Systems beside each other on the dev set: what a later rung builds on is chosen here.

Each rung's winner was chosen on these examples, so the scores flatter them all, and most where many
candidates raced. The eval examples would not, but what they choose they can no longer judge: a
student of the teacher that was luckiest on them is lucky on them too (`gate.budget`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ladder.evaluation.comparing import compare_outcomes
from ladder.evidence import Candidate
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.inference.outcome import Outcome
from ladder.samples.rows import Sample

WHAT = "comparing rungs on the dev examples"


def dev_scores(evaluator: Evaluator, candidates: Sequence[Candidate]) -> list[float]:
    """Return each candidate's mean score over the dev examples that all of them have a score for.

    What their races asked is cached. Without such an example all scores are 0.

    Raises:
        NoVerdictError: too many requests failed to tell.
    """
    dev = evaluator.data.dev
    heard = [_answered(evaluator, candidate, dev) for candidate in candidates]
    columns = [[outcome.score for outcome in row] for row in zip(*heard, strict=True)]
    shared = [column for column in columns if None not in column]
    return [
        math.fsum(score for column in shared if (score := column[at]) is not None)
        / max(1, len(shared))
        for at in range(len(candidates))
    ]


def better_on_dev(
    evaluator: Evaluator, new: Candidate, old: Candidate, rows: Sequence[Sample]
) -> bool:
    """Tell whether one system is proven better than another on dev examples, paired.

    Raises:
        NoVerdictError: too many requests failed to tell.
    """
    first, second = (_answered(evaluator, candidate, rows) for candidate in (new, old))
    confidence = evaluator.task.gate.confidence
    return compare_outcomes(old.description, first, second, confidence).claim == "better"


def _answered(evaluator: Evaluator, candidate: Candidate, rows: Sequence[Sample]) -> list[Outcome]:
    outcomes = answer(evaluator, candidate, rows, f"{candidate.rung} on the dev examples")
    require_conclusive(outcomes, evaluator.task.gate, WHAT)
    return outcomes
