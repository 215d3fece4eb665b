"""The models of a task: opened once, counted, and kept to the rules."""

from __future__ import annotations

from typing import Protocol

from ladder.engines.base import Abilities
from ladder.errors import Problem, TaskError
from ladder.task import Task, model_parts


class _Able(Protocol):
    @property
    def abilities(self) -> Abilities: ...


def may_be_asked(task: Task, engine: _Able) -> bool:
    """Tell whether the rows may be sent to an engine."""
    return engine.abilities.local or task.rules.data_may_leave


def keep_here(task: Task, model: str, engine: _Able) -> None:
    """Keep the rows on this machine unless the task lets them go.

    Raises:
        TaskError: the engine is elsewhere, and rules.data_may_leave is not set.
    """
    if not may_be_asked(task, engine):
        raise TaskError([must_stay(f"{task.source}: models", model)])


def model_name(reference: str) -> str:
    """Return kind and name of a model, without the address: it may hold a password."""
    return ":".join(model_parts(reference)[:2])


def must_stay(where: str, model: str) -> Problem:
    """Return what is wrong with a model or a store that is elsewhere."""
    fix = "Set `rules: {data_may_leave: true}` if the rows may be sent there."
    return Problem(where, f"the remote endpoint {model}", "one on this machine", fix)
