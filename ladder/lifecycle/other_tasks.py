"""What a release would do to other tasks: their rows with the champion's and the new model."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.errors import Problem, TaskError
from ladder.evidence import Candidate, NotWorse
from ladder.gate.non_inferiority import Pairs, not_worse_by
from ladder.inference.answer import answer
from ladder.inference.failures import require_conclusive
from ladder.inference.outcome import Outcome
from ladder.lifecycle.answering import Certified, Desk, scored
from ladder.lifecycle.plan import refuse_other_endpoint
from ladder.task import ModelRef


def others_not_worse(
    desk: Desk, others: Sequence[Certified], two: tuple[Certified, Certified], margin: float
) -> list[NotWorse]:
    """Answer the eval rows of other tasks, as they are certified, with both models.

    Args:
        desk: where.
        others: certified answers of other tasks; the model and the adapter are exchanged, all else
            stays.
        two: the candidate and the champion.
        margin: how much worse would be too much.

    Raises:
        TaskError: one of the systems has no model to be exchanged.
        NoVerdictError: too many requests failed to tell.
    """
    return [_other(desk, other, two, margin) for other in others]


def _other(
    desk: Desk, other: Certified, two: tuple[Certified, Certified], margin: float
) -> NotWorse:
    new, old = (_answered(desk, other, system) for system in two)
    both = [
        (a.sample, a.score, b.score)
        for a, b in zip(new, old, strict=True)
        if a.score is not None and b.score is not None
    ]
    grouped = any(row.group for row, _, _ in both)
    groups = [row.unit for row, _, _ in both] if grouped else ()
    pairs = Pairs([a for _, a, _ in both], [b for _, _, b in both], groups)
    return not_worse_by(other.task.name, pairs, margin, 1 - other.task.gate.confidence)


def _answered(desk: Desk, other: Certified, system: Certified) -> list[Outcome]:
    """Return the answers of another task with a system's model."""
    asks, model = other.plan.candidate, system.plan.candidate
    if asks is None or model is None:
        lacking = other if asks is None else system
        wanted = "an answer by a model: --also exchanges it"
        raise TaskError([Problem(str(lacking.path), "a control without a model", wanted)])
    exchanged = asks.but(model=_from(system, model), adapter=model.adapter)
    refuse_other_endpoint(other.path, other.plan.but(candidate=exchanged), other.task)
    evaluator = desk.evaluator(other, desk.data(other))
    title = f"asking {other.task.name}"
    found = answer(evaluator, exchanged, evaluator.data.gate, title, scored=False)
    require_conclusive(found, other.task.gate, title)
    return scored(evaluator, found)


def _from(system: Certified, candidate: Candidate) -> ModelRef:
    """Return a model's reference that holds from any folder: those of files are relative."""
    model = candidate.model
    there = system.task.folder / model.name
    if model.kind in ("hf", "replay", "head", "encoder") and there.exists():
        return ModelRef(str(model).replace(model.name, str(there.resolve()), 1))
    return model
