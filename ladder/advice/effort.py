"""What a decision took, and what other plans for the same decision take at least. Pure.

The other plans are bounded from below by what is known of them:

- Of a rung that was not climbed nothing is: neither its trainings nor its races, and where it is
  unavailable it is not climbed by any plan. Nothing is charged.
- An eval or dev example that was not read is one call. Its tokens are not known: it is charged with
  those of the shortest request that was answered, and so many examples are charged with nothing as
  may fail (`gate.max_error_rate`), and one more. This could be too much only if the examples that
  were not read were shorter on average than the shortest that was.
- What depends on how a verdict falls out is not certain where other examples are read: which misses
  are diagnosed and whether any are, what is timed, what is confirmed, and what a judge is asked of
  all these. It is left out. So a bound may be below what this decision took.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from ladder.economy.cost import together
from ladder.evidence import Asked, Attempt, DataReport, Effort, Measurement, PlanName, Purpose
from ladder.gate.planning import fixed_rows, plausible_scores
from ladder.task import RungName, Task

POWER = 0.8
BY_VERDICT: frozenset[Purpose] = frozenset(
    {"diagnosis", "context curve", "latency", "confirmation", "judge"}
)
"""Purposes of which another plan may need less: they hang on the rows that are read and on how the
verdicts fall out. A judge is asked for all of them."""


def effort(
    task: Task,
    data: DataReport,
    attempts: Sequence[Attempt],
    needed: Mapping[Purpose, Asked],
    trainings: Sequence[RungName],
    *,
    asked: Asked | None = None,
    every: bool = False,
) -> Effort:
    """Return what the decision took by purpose, and what three other plans take at least.

    Args:
        task: the user's job.
        data: how many examples there are to choose and to measure by.
        attempts: what was measured.
        needed: purpose -> what it took (`models.Models.needed`).
        trainings: the rungs that train.
        asked: what was asked in this run (`models.Models.asked`); the rest was kept from earlier.
        every: every rung was measured on every eval example: that plan is this decision.
    """
    climbed = {attempt.rung for attempt in attempts if attempt.measurement}
    plans: dict[PlanName, Asked] = {}
    if climbed:
        everything = _every_rung(task, data, attempts, needed, every=every)
        plans |= {"every rung": everything} if everything else {}
        plans["every candidate"] = _every_candidate(task, data, attempts, needed)
        plans["fixed rows"] = _fixed(task, data, attempts, needed)
    return Effort(
        by_purpose=dict(needed),
        asked=asked,
        plans={name: Asked(calls=each.calls, tokens=each.tokens) for name, each in plans.items()},
        trainings_made=len(climbed & set(trainings)),
        training_avoided=tuple(r for r in trainings if r in task.rungs and r not in climbed),
    )


def _every_rung(
    task: Task,
    data: DataReport,
    attempts: Sequence[Attempt],
    needed: Mapping[Purpose, Asked],
    *,
    every: bool,
) -> Asked | None:
    """Return what `--all` takes at least: the climbed rungs read the rest of their eval examples.

    None where a rung was climbed above one that was refused: with that one measured too, another
    system might have taught it.
    """
    if every:
        return _in_all(needed)
    refused = False
    for attempt in attempts:
        if refused and attempt.measurement:
            return None
        refused = refused or attempt.refused_after is not None
    unread = (_unread(task, data.gate - m.requests, m.tokens.least) for m in _measured(attempts))
    return reduce(together, unread, _certain(needed))


def _every_candidate(
    task: Task, data: DataReport, attempts: Sequence[Attempt], needed: Mapping[Purpose, Asked]
) -> Asked:
    """Return what the same races take at least where nobody leaves them; all else as it was."""
    left: dict[str, tuple[int, int]] = {}
    for line in (line for attempt in attempts for line in attempt.race if line.candidate):
        rows = max(0, data.dev - line.n - line.errors)
        asks = line.asks or line.candidate
        left[asks] = min(left.get(asks, (rows, line.least)), (rows, line.least))
    unread = (_unread(task, rows, least) for rows, least in left.values())
    return reduce(together, unread, _in_all(needed))


def _fixed(
    task: Task, data: DataReport, attempts: Sequence[Attempt], needed: Mapping[Purpose, Asked]
) -> Asked:
    """Return what the climbed rungs take at least, measured on a number of examples fixed before.

    They find a system halfway between the gate and 1 good with a power of 80 %, in one look, with
    the error shared by the rungs alone; where there are fewer examples, all are read. Where that is
    fewer than a rung has read, which of its tokens are spared is not known: so many of the shortest
    count.
    """
    [_, hoped, _] = plausible_scores(task.gate.min_score)
    wanted = fixed_rows(hoped, task.gate, len(task.rungs), POWER)
    rows = min(data.gate, wanted or data.gate)
    measured = list(_measured(attempts))
    if all(rows >= m.requests for m in measured):
        unread = (_unread(task, rows - m.requests, m.tokens.least) for m in measured)
        return reduce(together, unread, _certain(needed))
    kept: dict[Purpose, Asked] = {
        name: each for name, each in needed.items() if name != "measuring"
    }
    return reduce(together, (_first(task, rows, m) for m in measured), _certain(kept))


def _first(task: Task, rows: int, m: Measurement) -> Asked:
    """Return what the first eval examples of a rung take at least."""
    if rows < m.requests:
        return _unread(task, rows, m.tokens.least)
    answered = (m.requests - m.errors) * (m.tokens.input_mean + m.tokens.output_mean)
    read = Asked(calls=m.requests, tokens=math.floor(answered))
    return together(read, _unread(task, rows - m.requests, m.tokens.least))


def _unread(task: Task, rows: int, least: int) -> Asked:
    """Return what examples that were not read take at least; nothing where there are none."""
    may_fail = 1 + math.ceil(rows * task.gate.max_error_rate)
    return Asked(calls=max(0, rows), tokens=max(0, rows - may_fail) * least)


def _certain(needed: Mapping[Purpose, Asked]) -> Asked:
    """Return what was needed whatever a verdict says."""
    return _in_all({name: each for name, each in needed.items() if name not in BY_VERDICT})


def _in_all(needed: Mapping[Purpose, Asked]) -> Asked:
    return reduce(together, needed.values(), Asked())


def _measured(attempts: Sequence[Attempt]) -> Iterator[Measurement]:
    return (attempt.measurement for attempt in attempts if attempt.measurement)
