"""What a decision took, and what other plans for the same decision take at least. Pure.

The other plans are counted from what was measured, and only where it is certain: of a rung that was
not climbed nothing is known but its eval examples, at the tokens of the cheapest rung that was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from ladder.economy.cost import together
from ladder.evidence import Asked, Attempt, DataReport, Effort, Measurement, PlanName, Purpose
from ladder.gate.planning import fixed_rows, plausible_scores
from ladder.task import RungName, Task

POWER = 0.8


def effort(
    task: Task,
    data: DataReport,
    attempts: Sequence[Attempt],
    needed: Mapping[Purpose, Asked],
    trainings: Sequence[RungName],
) -> Effort:
    """Return what the decision took by purpose, and three other plans.

    Args:
        task: the user's job.
        data: how many examples there are to choose and to measure by.
        attempts: what was measured.
        needed: purpose -> what it took (`models.Models.needed`).
        trainings: the rungs that train.
    """
    made = reduce(together, needed.values(), Asked())
    climbed = {attempt.rung for attempt in attempts if attempt.measurement}
    plans: dict[PlanName, Asked] = {
        "every rung": together(made, _rest(task, data, attempts)),
        "every candidate": together(made, _every_candidate(data, attempts)),
        "fixed rows": together(made, _fixed(task, data, attempts)),
    }
    return Effort(
        by_purpose=dict(needed),
        plans={name: Asked(calls=each.calls, tokens=each.tokens) for name, each in plans.items()}
        if climbed
        else {},
        trainings_made=len(climbed & set(trainings)),
        training_avoided=tuple(r for r in trainings if r in task.rungs and r not in climbed),
    )


def _rest(task: Task, data: DataReport, attempts: Sequence[Attempt]) -> Asked:
    """Return the eval examples that were not read, on every rung of the task."""
    measured = dict(_measured(attempts))
    least = min(map(_tokens, measured.values()), default=0.0)
    calls, tokens = 0, 0.0
    for rung in task.rungs:
        m = measured.get(rung)
        rows = max(0, data.gate - (m.requests if m else 0))
        calls += rows
        tokens += rows * (_tokens(m) if m else least)
    return Asked(calls=calls, tokens=round(tokens))


def _every_candidate(data: DataReport, attempts: Sequence[Attempt]) -> Asked:
    """Return the dev examples that candidates left their races without."""
    left: dict[str, tuple[int, float]] = {}
    for line in (line for attempt in attempts for line in attempt.race if line.candidate):
        rows = max(0, data.dev - line.n - line.errors)
        asks = line.asks or line.candidate
        left[asks] = min(left.get(asks, (rows, line.tokens)), (rows, line.tokens))
    tokens = sum(rows * each for rows, each in left.values())
    return Asked(calls=sum(rows for rows, _ in left.values()), tokens=round(tokens))


def _fixed(task: Task, data: DataReport, attempts: Sequence[Attempt]) -> Asked:
    """Return what measuring takes more, or less, with so many eval examples fixed beforehand.

    They find a system halfway between the gate and 1 good with a power of 80 %, in one look, with
    the error shared by the rungs alone; where there are fewer examples, all are read.
    """
    [_, hoped, _] = plausible_scores(task.gate.min_score)
    wanted = fixed_rows(hoped, task.gate, len(task.rungs), POWER)
    rows = min(data.gate, wanted or data.gate)
    calls, tokens = 0, 0.0
    for _, m in _measured(attempts):
        calls += rows - m.requests
        tokens += (rows - m.requests) * _tokens(m)
    return Asked(calls=calls, tokens=round(tokens))


def _measured(attempts: Sequence[Attempt]) -> Iterator[tuple[RungName, Measurement]]:
    for attempt in attempts:
        if attempt.measurement:
            yield attempt.rung, attempt.measurement


def _tokens(measured: Measurement) -> float:
    return measured.tokens.input_mean + measured.tokens.output_mean
