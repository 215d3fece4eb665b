"""A student beside its teacher: what it keeps of the score, and what it saves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ladder.evaluation.comparing import compare, comparison
from ladder.evaluation.measure import measure
from ladder.evidence import CONTROL, AgainstTeacher, Attempt, Comparison, Measurement
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.inference.outcome import Outcome, Scores, scores_of
from ladder.task import RungName
from ladder.training.teacher import teacher_of


def against_teacher(
    evaluator: Evaluator,
    student: Measurement,
    outcomes: Sequence[Outcome],
    best: Attempt | None,
    scores: Mapping[str, Scores],
    rung: RungName,
) -> AgainstTeacher | None:
    """Compare a measured student with its teacher, on the eval examples that both answered.

    A teacher that the task names is measured on the student's rows; its answers are cached.

    Args:
        evaluator: the task, its data, models and scorers.
        student: how it was measured.
        outcomes: its answers.
        best: the attempt before it that is best on the dev set: the teacher that the task does not
            name.
        scores: rung, or `control` -> its scores on the eval set.
        rung: the student's.
    """
    named = evaluator.task.models.teacher
    own = scores_of(outcomes)
    if named is not None:
        rows = [outcome.sample for outcome in outcomes if outcome.score is not None]
        if not rows:
            return None
        measured, _, answered = measure(
            evaluator,
            teacher_of(evaluator, best, rung),
            rows,
            all_rows=True,
            title="measuring the teacher",
        )
        require_conclusive(answered, evaluator.task.gate, "measuring the teacher")
        theirs = scores_of(answered)
        over = over_control(evaluator, rung, theirs, scores.get(CONTROL, {}))
        return beside(evaluator, named.label, (student, own), (measured, theirs), over)
    if best is None or best.measurement is None:
        return None
    other = scores.get(best.rung, {})
    return beside(
        evaluator, best.rung, (student, own), (best.measurement, other), best.over_control
    )


def over_control(
    evaluator: Evaluator, rung: RungName, teacher: Scores, control: Scores
) -> Comparison | None:
    """Compare a teacher that is no rung with the control; None where they share no row.

    Args:
        evaluator: its eval set says which rows belong together.
        rung: the student's.
        teacher: its scores.
        control: those of what answers without a language model.
    """
    confidence = evaluator.task.gate.confidence
    found = compare(rung, teacher, {CONTROL: control}, evaluator.data.gate, confidence)
    return found[0] if found else None


Measured = tuple[Measurement, Scores]
"""A measurement, and the score of each row that was answered."""


def beside(
    evaluator: Evaluator, name: str, student: Measured, teacher: Measured, over: Comparison | None
) -> AgainstTeacher | None:
    """Return what a student keeps and saves; None where the teacher has nothing right.

    Args:
        evaluator: its eval set says which rows belong together.
        name: the teacher's.
        student: how it was measured, and its scores.
        teacher: the same.
        over: the teacher against the control.
    """
    unit = {sample.id: sample.unit for sample in evaluator.data.gate}
    grouped = any(sample.group for sample in evaluator.data.gate)
    both = [row for row in student[1] if row in teacher[1]]
    first, second = ([scores[row] for row in both] for scores in (student[1], teacher[1]))
    whole = math.fsum(second) / max(1, len(second))
    if not whole:
        return None
    groups = [unit[row] for row in both] if grouped else ()
    gap = comparison(name, first, second, evaluator.task.gate.confidence, groups)
    own, other = student[0], teacher[0]
    return AgainstTeacher(
        teacher=name,
        kept=1 + gap.difference / whole,
        low=1 + gap.low / whole,
        high=1 + gap.high / whole,
        n=gap.n,
        cheaper=_ratio(other.cost_usd_per_1k, own.cost_usd_per_1k),
        cheaper_busy=_ratio(other.cost_busy_usd_per_1k, own.cost_busy_usd_per_1k),
        faster=_ratio(
            other.latency_ms.p50 if other.latency_ms else None,
            own.latency_ms.p50 if own.latency_ms else None,
        ),
        over_control=over,
    )


def _ratio(teacher: float | None, student: float | None) -> float | None:
    return teacher / student if teacher is not None and student else None
