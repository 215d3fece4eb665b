"""Whom a student learns from."""

from __future__ import annotations

from ladder.errors import MissingExtraError
from ladder.evidence import Attempt, Candidate
from ladder.task import RungName, Task


def teacher_of(task: Task, best: Attempt | None, rung: RungName) -> Candidate:
    """Return the system to learn from: the task's, or the best measured so far.

    Raises:
        MissingExtraError: there is neither.
    """
    if task.models.teacher is None:
        if best is None or best.candidate is None:
            raise MissingExtraError("a teacher", "naming one in the task: models: {teacher: …}")
        return best.candidate
    chat = Candidate(rung=rung, description="teacher", model=task.models.teacher, form="chat")
    retrieval = best.candidate.retrieval if best and best.candidate else None
    return chat.but(retrieval=retrieval)
