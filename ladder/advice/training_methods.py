"""Which way of training a task would take, each with the measurement for or against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ladder.evidence import Attempt, Memory, TrainingMethod, TrainingMethodName
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
    """Return every method with its reason; exactly one is chosen.

    Args:
        task: the user's job.
        attempts: what was measured.
        chosen: the recommended attempt, if there is one.
        rows: training rows.
        memory: what each method needs on this machine; none where the weights are elsewhere.
        trains: rung -> what it trains (`rungs.protocol.Trains`).
    """
    adapter = next((a for a in attempts if trains.get(a.rung) == "base"), None)
    student = next((a for a in attempts if trains.get(a.rung) == "student"), None)
    picked = _picked(task, trains.get(chosen.rung) if chosen else None, memory)
    reasons: dict[TrainingMethodName, str] = {
        "none": _why_no_training(attempts, chosen, trains),
        "lora": _why_lora(adapter, memory),
        "qlora": _why_qlora(memory),
        "dora": _why_dora(task, adapter),
        "full": _why_full(rows, memory),
        "preference": _why_preference(task),
        "distill": _why_distill(task, attempts, student),
    }
    return tuple(
        TrainingMethod(name=name, chosen=name == picked, reason=reason)
        for name, reason in reasons.items()
    )


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


def _why_no_training(
    attempts: Sequence[Attempt], chosen: Attempt | None, trains: Mapping[RungName, str]
) -> str:
    bases = {rung for rung, what in trains.items() if what == "base"}
    untrained = [rung for rung, what in trains.items() if what == "nothing"]
    refused = [a for a in attempts if a.diagnosis and bases & set(a.diagnosis.refuses)]
    if refused and refused[0].diagnosis:
        return refused[0].diagnosis.sentence
    if chosen is not None and chosen.rung in untrained:
        word = "passes" if chosen.status == "passed" else "leans to pass, inconclusive"
        return f"{chosen.rung} {word} with {score_of(chosen)}: nothing has to be trained"
    tried = [a for a in attempts if a.rung in untrained and a.measurement]
    if not tried:
        return f"neither {' nor '.join(untrained)} was measured"
    best = max(tried, key=lambda a: a.measurement.score.mean if a.measurement else 0.0)
    return f"the best without training is {best.rung} with {score_of(best)}, {best.status}"


def _why_lora(lora: Attempt | None, memory: Memory | None) -> str:
    needs = "" if memory is None else f"; {_needs('lora', memory)}"
    if lora is None or lora.measurement is None:
        why = lora.reason if lora is not None else "not in the task's rungs, or not climbed to"
        return f"not measured ({why}){needs}"
    build = lora.measurement.build
    took = f"{build.seconds / 60:.1f} min and {build.peak_memory_mb / 1024:.1f} GB"
    return f"measured: {score_of(lora)}, {lora.status}; its training took {took}{needs}"


def _why_qlora(memory: Memory | None) -> str:
    if memory is None:
        return "the base's weights are not on this machine: nothing to hold in 4 bits"
    if fits(memory, "lora"):
        return f"not needed, since LoRA fits; {_needs('qlora', memory)}, and half the speed"
    return f"LoRA does not fit; {_needs('qlora', memory)}"


def _why_dora(task: Task, lora: Attempt | None) -> str:
    if lora is None or lora.measurement is None:
        return "a stronger adapter at twice LoRA's time: to be tried where LoRA misses by a little"
    short = task.gate.min_score - lora.measurement.score.mean
    if short <= 0:
        return f"LoRA holds the score ({score_of(lora)}): twice its time buys nothing"
    if short <= NEAR:
        return (
            f"LoRA misses by {short:.2f}: worth a try (training: {{recipe: dora}}), twice its time"
        )
    return f"LoRA misses by {short:.2f}, more than another adapter closes"


def _why_full(rows: int, memory: Memory | None) -> str:
    enough = (
        f"{rows:,} rows are few for all weights"
        if rows < FEW_FOR_ALL
        else f"{rows:,} rows could teach all weights"
    )
    return enough if memory is None else f"{enough}; {_needs('full', memory)}"


def _why_preference(task: Task) -> str:
    there = task.data.preferences
    if there:
        return f"{there} is there: `ladder train dpo` moves how often the preferred answer is given"
    return (
        f"no preferred and rejected answers are given (data.preferences), and {task.score[0].name} "
        "scores answers by themselves"
    )


def _why_distill(task: Task, attempts: Sequence[Attempt], student: Attempt | None) -> str:
    if student is not None and student.measurement is not None:
        return f"measured: {score_of(student)}, {student.status}"
    limits = []
    for attempt in attempts:
        found = attempt.verdict.limits if attempt.verdict else ()
        limits += [
            f"{attempt.rung} misses {limit.limit}: {limit.reason}"
            for limit in found
            if limit.limit in ("max_cost_usd_per_1k", "max_p95_ms") and limit.verdict == "fail"
        ]
    if limits:
        return limits[-1]
    asked = task.gate.max_p95_ms is not None or task.gate.max_cost_usd_per_1k is not None
    return (
        "no measured system misses its cost or latency limit"
        if asked
        else "the gate limits neither cost nor latency: nothing asks for a smaller model"
    )


def _needs(name: str, memory: Memory) -> str:
    needed, there = memory.needed_mb[name] / 1024, memory.available_mb / 1024
    return f"about {needed:.1f} GB needed, {there:.1f} GB free"


def score_of(attempt: Attempt) -> str:
    """Return a measured attempt's score with its interval, in words."""
    if attempt.measurement is None:
        return "no score"
    score = attempt.measurement.score
    return f"score {score.mean:.2f} ({score.low:.2f}–{score.high:.2f}, n = {score.n})"
