"""Whom a student learns from."""

from __future__ import annotations

from ladder.errors import MissingExtraError
from ladder.evidence import Attempt, Candidate
from ladder.inference.evaluator import Evaluator
from ladder.inference.forms import as_it_takes
from ladder.task import RungName


def teacher_of(evaluator: Evaluator, best: Attempt | None, rung: RungName) -> Candidate:
    """Return the system to learn from: the task's, or the best on the dev set.

    Raises:
        MissingExtraError: there is neither.
    """
    teacher = evaluator.task.models.teacher
    if teacher is None:
        if best is None or best.candidate is None:
            raise MissingExtraError("a teacher", "naming one in the task: models: {teacher: …}")
        return best.candidate
    chat = Candidate(rung=rung, description="teacher", model=teacher, form="chat")
    retrieval = best.candidate.retrieval if best and best.candidate else None
    return as_it_takes(evaluator, chat).but(retrieval=retrieval)
