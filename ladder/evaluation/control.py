"""The reference without a language model: always printed, never a rung."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ladder.economy.machines import machine_cost
from ladder.engines.base import Completion
from ladder.errors import Problem, TaskError
from ladder.evaluation.calibration import Beyond, calibration_of
from ladder.evaluation.latency import latency_alone, rows_to_time
from ladder.evaluation.openings import openings
from ladder.evaluation.out_of_scope import beside
from ladder.evaluation.units import as_units
from ladder.evaluation.ways import LINEAR, Fit, Linear, Predictor, linear, ways_of
from ladder.evidence import (
    Calibration,
    Confirmation,
    Control,
    ControlLine,
    Latency,
    Measurement,
    TokenUse,
    Verdict,
)
from ladder.files import digest_of
from ladder.gate.budget import Budget, budget_of, budget_of_check
from ladder.gate.judged import RIGHT_FROM
from ladder.gate.looks import judge_in_looks
from ladder.gate.verdict import combine, judge_cost, judge_errors, judge_latency, judge_score
from ladder.inference.evaluator import Evaluator
from ladder.inference.judge import gated_scores
from ladder.inference.outcome import Outcome, Scores
from ladder.language.stems import VERSION
from ladder.samples.rows import Sample

TIMED = 200
"""Rows answered one at a time where the gate limits latency."""


def measure_control(evaluator: Evaluator) -> tuple[Control | None, Scores]:
    """Answer the eval set without a model; None where there are no training examples.

    Of several ways the dev set chooses the one that the gate judges; what is shown as the best is
    the best on the eval set.
    """
    train, gate = evaluator.data.train, evaluator.data.gate
    if not train:
        return None, {}
    ways = ways_of(evaluator.data)
    kept = {}
    with evaluator.watch.step("measuring the control", len(ways)) as advance:
        for done, (name, fit) in enumerate(ways.items(), start=1):
            kept[name] = _answered(evaluator, name, fit)
            advance(done, name)
    scores = {
        name: gated_scores(evaluator, list(zip(gate, kept[name]["answers"], strict=True)))
        for name in ways
    }
    lines = tuple(_line(evaluator, name, kept[name]["seconds"], scores[name]) for name in ways)
    best = max(lines, key=lambda line: line.score.mean)
    measured = _known(evaluator.data.gate, scores[best.name])
    found = Control(lines=lines)
    if evaluator.task.stops_at_control:
        name = _chosen_on_dev(evaluator, {name: kept[name]["on_dev"] for name in ways})
        line = lines[list(ways).index(name)]
        budget = budget_of(evaluator.task.gate, evaluator.data.systems(evaluator.task))
        verdict = _judged(evaluator, ways[name], scores[name], line, budget)
        found = found.but(judged=name, verdict=verdict)
    return found, {sample.id: score for sample, score in measured}


def answers_of_way(evaluator: Evaluator, name: str, samples: Sequence[Sample]) -> list[str]:
    """Return what a way answers to samples.

    Raises:
        TaskError: the task's data allow no such way any more.
    """
    return fitted_way(evaluator, name)([sample.input for sample in samples])


def fitted_way(evaluator: Evaluator, name: str) -> Predictor:
    """Return a way, fitted to the training examples.

    Raises:
        TaskError: the task's data allow no such way any more.
    """
    _refuse_other_way(evaluator, name)
    return ways_of(evaluator.data)[name](evaluator.data.train)


def outcomes_of(
    evaluator: Evaluator, predict: Predictor, rows: Sequence[Sample]
) -> tuple[Outcome, ...]:
    """Return what a fitted way answers to rows, with the gated scores."""
    answers = predict([row.input for row in rows])
    scores = gated_scores(evaluator, list(zip(rows, answers, strict=True)))
    return tuple(
        Outcome(row, text, Completion(text), score)
        for row, text, score in zip(rows, answers, scores, strict=True)
    )


def confirm_control(
    evaluator: Evaluator, name: str, predict: Predictor
) -> tuple[Confirmation, tuple[Outcome, ...]]:
    """Answer the held-out test set once, the way of a name, which is fitted; with its answers."""
    sealed, gate = evaluator.data.sealed, evaluator.task.gate
    opened = openings(evaluator, ["control", name, evaluator.data.digests])
    outcomes = outcomes_of(evaluator, predict, sealed)
    known = _known(sealed, [outcome.score for outcome in outcomes])
    units = as_units(known, evaluator.task.use.strata)
    confirmation = Confirmation(
        score=units.estimate(gate.confidence),
        verdict=judge_score(units.scores, gate.min_score, 1 - gate.confidence, units.weights),
        rows=len(sealed),
        openings=opened,
    )
    return confirmation, outcomes


def measure_way(evaluator: Evaluator, name: str, error: float) -> tuple[Measurement, Verdict]:
    """Answer the eval set anew, the way of a name, and judge it by every limit of the gate.

    Args:
        evaluator: the task, its data and scorers.
        name: of the way.
        error: that this check may spend.

    Raises:
        TaskError: the task's data allow no such way any more.
    """
    data, started = evaluator.data, time.perf_counter()
    scores = scores_of_way(evaluator, name, data.gate)
    seconds = time.perf_counter() - started
    line = _line(evaluator, name, seconds / len(data.gate), scores)
    measurement = Measurement(
        score=line.score,
        tokens=TokenUse(input_mean=0.0, output_mean=0.0),
        cost_usd_per_1k=line.cost_usd_per_1k,
        cost_busy_usd_per_1k=line.cost_busy_usd_per_1k,
        errors=sum(score is None for score in scores),
        requests=len(scores),
        seconds=round(seconds, 3),
    )
    budget = budget_of_check(evaluator.task.gate, error)
    return measurement, _judged(evaluator, ways_of(evaluator.data)[name], scores, line, budget)


def scores_of_way(evaluator: Evaluator, name: str, rows: Sequence[Sample]) -> list[float | None]:
    """Answer rows anew, the way of a name, and return the gated score of each.

    Raises:
        TaskError: the task's data allow no such way any more.
    """
    answers = answers_of_way(evaluator, name, rows)
    return list(gated_scores(evaluator, list(zip(rows, answers, strict=True))))


def _refuse_other_way(evaluator: Evaluator, name: str) -> None:
    if name not in ways_of(evaluator.data) or not evaluator.data.train:
        where = f"{evaluator.task.source}: data"
        got = f"rows that do not allow the certified way, {name}"
        raise TaskError([Problem(where, got, "labelled training examples", "Assess it anew.")])


def _answered(evaluator: Evaluator, name: str, fit: Fit) -> dict[str, Any]:
    """Return a way's answers to dev and eval set, and the seconds of a row once it is fitted."""
    train, dev, gate = evaluator.data.train, evaluator.data.dev, evaluator.data.gate
    rows = [(s.id, s.input, s.target) for s in (*train, *gate)]
    about = [VERSION, digest_of(rows), digest_of([s.input for s in dev]), name]

    def compute() -> dict[str, Any]:
        predict = fit(train)
        started = time.perf_counter()
        answers = predict([sample.input for sample in gate])
        seconds = (time.perf_counter() - started) / len(gate)
        on_dev = predict([sample.input for sample in dev]) if dev else []
        found = {"answers": answers, "seconds": seconds, "on_dev": on_dev}
        if not isinstance(predict, Linear) or not dev:
            return found
        sets = {"chances": gate, "chances_on_dev": dev}
        told = {of: predict.chances([row.input for row in rows]) for of, rows in sets.items()}
        return {**found, **told}

    found: dict[str, Any] = evaluator.models.cache.remember("control and chances", about, compute)
    return found


def control_calibration(evaluator: Evaluator) -> Calibration | None:
    """Return what the probabilities of the linear control are worth; None where there is none.

    Of the ways without a language model it alone tells how likely it is right.
    """
    train, dev, gate = evaluator.data.train, evaluator.data.dev, evaluator.data.gate
    if not train or not dev or LINEAR not in ways_of(evaluator.data):
        return None
    kept = _answered(evaluator, LINEAR, linear)
    if "chances" not in kept:
        return None
    on_dev = _judged_chances(evaluator, dev, kept["on_dev"], kept["chances_on_dev"])
    unseen = _judged_chances(evaluator, gate, kept["answers"], kept["chances"])
    if not unseen[0]:
        return None
    beyond = _chances_beyond(evaluator, len(on_dev[0]), len(unseen[0]))
    return calibration_of(on_dev, unseen, evaluator.task.gate.confidence, beyond=beyond)


def _chances_beyond(evaluator: Evaluator, dev: int, eval_rows: int) -> Beyond:
    """Return the chances of the linear control's answers to out-of-scope inputs."""
    train, (choosing, judging) = evaluator.data.train, beside(evaluator.data, dev, eval_rows)
    rows = [sample.input for sample in (*choosing, *judging)]
    if not rows:
        return (), ()
    learnt = digest_of([(sample.id, sample.input, sample.target) for sample in train])

    def compute() -> list[float]:
        predict = linear(train)
        return predict.chances(rows) if isinstance(predict, Linear) else [math.nan] * len(rows)

    about = [VERSION, learnt, digest_of(rows)]
    found: list[float] = evaluator.models.cache.remember("control beyond scope", about, compute)
    return found[: len(choosing)], found[len(choosing) :]


def _judged_chances(
    evaluator: Evaluator, rows: Sequence[Sample], answers: Sequence[str], chances: Sequence[float]
) -> tuple[list[float], list[bool]]:
    """Return the chance of each answer that has a score, and whether it is right."""
    scores = gated_scores(evaluator, list(zip(rows, answers, strict=True)))
    known = [(c, s >= RIGHT_FROM) for c, s in zip(chances, scores, strict=True) if s is not None]
    return [chance for chance, _ in known], [right for _, right in known]


def _chosen_on_dev(evaluator: Evaluator, answers: Mapping[str, Sequence[str]]) -> str:
    """Return the way that scores best on the dev set; of equals, and without one, the last.

    A row of which a judge gave no grade to some way's answer is left out for all of them: it tells
    nothing of who is better.
    """
    dev = evaluator.data.dev
    if len(answers) == 1 or not dev:
        return list(answers)[-1]
    scores = {
        name: gated_scores(evaluator, list(zip(dev, said, strict=True)))
        for name, said in answers.items()
    }
    columns = zip(*scores.values(), strict=True)
    shared = [row for row, column in enumerate(columns) if None not in column]

    def total(name: str) -> float:
        return math.fsum(score for row in shared if (score := scores[name][row]) is not None)

    return max(reversed(list(answers)), key=total)


def _judged(
    evaluator: Evaluator,
    fit: Fit,
    scores: Sequence[float | None],
    line: ControlLine,
    budget: Budget,
) -> Verdict:
    """Judge a way by every limit of the gate, in one look at the whole eval set.

    Args:
        evaluator: the task, its data and scorers.
        fit: makes what answers.
        scores: of each row of the eval set.
        line: what was measured of it.
        budget: what it may spend.
    """
    gate, rows = evaluator.task.gate, evaluator.data.gate
    known = _known(rows, scores)
    units = as_units(known, evaluator.task.use.strata)
    score, _ = judge_in_looks(
        lambda _: (units.scores, units.weights), [len(rows)], gate.min_score, budget
    )
    limits = [
        score,
        judge_errors(len(rows) - len(known), len(rows), gate.max_error_rate),
    ]
    if gate.max_p95_ms is not None:
        taken = [1000 * each for each in _timed(evaluator, fit(evaluator.data.train))]
        limits.append(judge_latency(taken, gate.max_p95_ms, budget.levels[0]))
    if gate.max_cost_usd_per_1k is not None:
        limits.append(judge_cost(line.cost_usd_per_1k, gate.max_cost_usd_per_1k))
    return combine(limits)


def control_latency(evaluator: Evaluator, predict: Predictor) -> Latency | None:
    """Return how long single requests of a fitted way take."""
    return latency_alone(evaluator, _timed(evaluator, predict))


def _timed(evaluator: Evaluator, predict: Predictor) -> list[float]:
    """Return the seconds of rows that are answered one at a time."""
    found = []
    for row in rows_to_time(evaluator.data, ())[:TIMED]:
        started = time.perf_counter()
        predict([row.input])
        found.append(time.perf_counter() - started)
    return found


def _known(rows: Sequence[Sample], scores: Sequence[float | None]) -> list[tuple[Sample, float]]:
    """Return the rows that have a score, with it."""
    pairs = zip(rows, scores, strict=True)
    return [(sample, score) for sample, score in pairs if score is not None]


def _line(
    evaluator: Evaluator, name: str, seconds: float, scores: Sequence[float | None]
) -> ControlLine:
    task, known = evaluator.task, _known(evaluator.data.gate, scores)
    paid, busy, basis = machine_cost(seconds, task.hardware, task.use)
    return ControlLine(
        name=name,
        score=as_units(known, task.use.strata).estimate(task.gate.confidence),
        latency_ms=1000 * seconds,
        cost_usd_per_1k=paid,
        cost_busy_usd_per_1k=busy,
        cost_basis=basis,
    )
