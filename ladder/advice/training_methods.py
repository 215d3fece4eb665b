"""Which way of training a task would take, each with the measurement for or against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ladder.evidence import Attempt, Ground, Memory, Need, TrainingMethod, TrainingMethodName
from ladder.task import RungName, Task
from ladder.training.estimate import fits

NEAR = 0.05
"""A score this far below its limit may be closed by a stronger adapter."""
FEW_FOR_ALL = 5_000
"""Rows under which training all weights gains nothing over an adapter (Biderman et al., 2024,
"LoRA Learns Less and Forgets Less": the difference shows on tens of thousands)."""


def training_methods(
    task: Task,
    attempts: Sequence[Attempt],
    chosen: Attempt | None,
    rows: int,
    memory: Memory | None,
    trains: Mapping[RungName, str],
) -> tuple[TrainingMethod, ...]:
    """Return every method with what speaks for or against it; exactly one is chosen.

    Args:
        task: the user's job.
        attempts: what was measured.
        chosen: the recommended attempt, if there is one.
        rows: training examples.
        memory: what each method needs on this machine; none where the weights are elsewhere.
        trains: rung -> what it trains (`rungs.protocol.Trains`).
    """
    adapter = next((a for a in attempts if trains.get(a.rung) == "base"), None)
    student = next((a for a in attempts if trains.get(a.rung) == "student"), None)
    picked = _picked(task, trains.get(chosen.rung) if chosen else None, memory)
    found = (
        _no_training(attempts, chosen, trains),
        _lora(adapter, memory),
        _qlora(memory),
        _dora(task, adapter),
        _full(rows, memory),
        _preference(task),
        _distill(task, attempts, student),
    )
    return tuple(way.but(chosen=way.name == picked) for way in found)


def _picked(task: Task, trains: str | None, memory: Memory | None) -> TrainingMethodName:
    """Return the method of the recommended rung, by what it trains."""
    if trains == "student":
        return "distill"
    if trains == "base":
        named = task.training.recipe
        if named in ("lora", "qlora", "dora", "full"):
            return named  # type: ignore[return-value]
        return "lora" if fits(memory, "lora") else "qlora"
    return "none"


def _no_training(
    attempts: Sequence[Attempt], chosen: Attempt | None, trains: Mapping[RungName, str]
) -> TrainingMethod:
    bases = {rung for rung, what in trains.items() if what == "base"}
    untrained = tuple(rung for rung, what in trains.items() if what == "nothing")
    refused = [a for a in attempts if a.diagnosis and bases & set(a.diagnosis.refuses)]
    tried = [a for a in attempts if a.rung in untrained and a.measurement]
    none = TrainingMethod(name="none", chosen=False)
    if refused:
        return none.but(ground="training refused", rung=refused[0].rung)
    if chosen is not None and chosen.rung in untrained:
        return none.but(ground="untrained rung chosen", rung=chosen.rung)
    if not tried:
        return none.but(ground="no untrained rung measured", untrained=untrained)
    best = max(tried, key=lambda a: a.measurement.score.mean if a.measurement else 0.0)
    return none.but(ground="best untrained rung", rung=best.rung)


def _lora(adapter: Attempt | None, memory: Memory | None) -> TrainingMethod:
    return TrainingMethod(
        name="lora",
        chosen=False,
        ground="measured" if adapter and adapter.measurement else "not measured",
        rung=adapter.rung if adapter else None,
        memory=_need("lora", memory),
    )


def _qlora(memory: Memory | None) -> TrainingMethod:
    ground: Ground = "lora fits" if fits(memory, "lora") else "lora does not fit"
    if memory is None:
        ground = "weights elsewhere"
    return TrainingMethod(name="qlora", chosen=False, ground=ground, memory=_need("qlora", memory))


def _dora(task: Task, adapter: Attempt | None) -> TrainingMethod:
    found = TrainingMethod(name="dora", chosen=False, ground="stronger adapter", near=NEAR)
    if adapter is None or adapter.measurement is None:
        return found
    short = task.gate.min_score - adapter.measurement.score.mean
    return found.but(rung=adapter.rung, short=short)


def _full(rows: int, memory: Memory | None) -> TrainingMethod:
    return TrainingMethod(
        name="full",
        chosen=False,
        ground="rows for all weights",
        rows=rows,
        least_rows=FEW_FOR_ALL,
        memory=_need("full", memory),
    )


def _preference(task: Task) -> TrainingMethod:
    found = task.data.preferences
    ground: Ground = "preferences given" if found else "no preferences given"
    return TrainingMethod(name="preference", chosen=False, ground=ground, file=found or None)


def _distill(task: Task, attempts: Sequence[Attempt], student: Attempt | None) -> TrainingMethod:
    found = TrainingMethod(name="distill", chosen=False)
    if student is not None and student.measurement is not None:
        return found.but(ground="measured", rung=student.rung)
    missed = [
        (attempt.rung, limit.limit)
        for attempt in attempts
        for limit in (attempt.verdict.limits if attempt.verdict else ())
        if limit.limit in ("max_cost_usd_per_1k", "max_p95_ms") and limit.verdict == "fail"
    ]
    if missed:
        rung, limit = missed[-1]
        return found.but(ground="limit missed", rung=rung, limit=limit)
    asked = task.gate.max_p95_ms is not None or task.gate.max_cost_usd_per_1k is not None
    return found.but(ground="limits held" if asked else "no limits")


def _need(name: str, memory: Memory | None) -> Need | None:
    if memory is None:
        return None
    return Need(needed_mb=memory.needed_mb[name], available_mb=memory.available_mb)
