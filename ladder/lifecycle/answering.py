"""What a release check asks of one system: the rows, how long they take, and the fixed prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ladder.climb.opening import make_bench
from ladder.climb.preflight import refuse_at_once
from ladder.engines.base import Completion
from ladder.evaluation.control import answers_of_way, measure_way
from ladder.evaluation.cost import cost_of
from ladder.evaluation.latency import judged_latency, rows_to_time
from ladder.evaluation.reliability import reliability
from ladder.evidence import Candidate, LimitVerdict, Reliability, RevalidationPlan, System
from ladder.gate.verdict import judge_cost, judge_errors
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.inference.judge import score_all
from ladder.inference.outcome import Outcome
from ladder.lifecycle.forgetting import plain_answers
from ladder.lifecycle.own_rows import with_own_rows
from ladder.lifecycle.plan import (
    find_plan,
    learn_abilities,
    load_plan,
    refuse_other_endpoint,
    system_of,
    task_of,
    with_secrets,
)
from ladder.models.cache import Cache
from ladder.models.staying import stay_here
from ladder.progress import Watch
from ladder.samples.data import Data
from ladder.samples.loading import load_data
from ladder.samples.rows import Sample
from ladder.task import Task
from ladder.trust.code import Granted

LIMITS = ("max_p95_ms", "max_cost_usd_per_1k", "max_error_rate")
"""Of a gate, beside the score."""


@dataclass(frozen=True)
class Certified:
    """A plan with the task that it belongs to."""

    path: Path
    plan: RevalidationPlan
    task: Task

    @property
    def system(self) -> System:
        """What a record says of it."""
        return system_of(self.path, self.plan, self.task.name)


def open_certified(path: Path, granted: Granted) -> Certified:
    """Read a plan, or that of a run's folder, with its task; nothing is asked.

    Raises:
        TaskError: one of them is missing or wrong, or the plan asks a model that the task does not.
    """
    path = find_plan(path)
    plan = load_plan(path)
    task = task_of(path, plan, granted)
    plan = with_secrets(plan, path, task)
    refuse_other_endpoint(path, plan, task)
    refuse_at_once(task)
    stay_here(task)
    return Certified(path, plan, task)


@dataclass(frozen=True)
class Asked:
    """What one system answered, and what that took."""

    outcomes: tuple[Outcome, ...]
    """One for each row, in their order; unscored."""
    p95_ms: float | None
    usd_per_1k: float | None
    limits: tuple[LimitVerdict, ...]
    """Latency, cost and errors, against the gate of its task."""
    plain: tuple[str, ...] | None
    """Answers to the fixed prompts; None: it reads no instructions."""
    base_plain: tuple[str, ...] | None = None
    """The base's, without the adapter."""


@dataclass(frozen=True)
class Desk:
    """Where systems are asked: one after the other, so that no two need memory at once."""

    cache: Cache
    folder: Path
    watch: Watch

    def evaluator(self, certified: Certified, data: Data) -> Evaluator:
        """Return what rows are answered with; abilities of endpoints that are asked are known."""
        artefacts = self.folder / "artefacts"
        bench = make_bench(certified.task, data, self.cache, self.folder, artefacts, self.watch)
        learn_abilities(bench, certified.plan)
        return bench.evaluator

    def data(self, certified: Certified) -> Data:
        """Return the data of a system's task, with the training examples that it reads."""
        data = load_data(certified.task, self.cache, self.watch)
        return with_own_rows(data, certified.path, certified.plan)


def asked(
    desk: Desk, certified: Certified, rows: Sequence[Sample], name: str, gate: dict[str, float]
) -> Asked:
    """Ask a certified system all there is to ask, and let go of its models.

    Args:
        desk: where.
        certified: the system.
        rows: the rows to answer.
        name: `champion` or `candidate`.
        gate: limits of latency, cost and errors to hold it to.

    Raises:
        NoVerdictError: too many requests failed to tell.
    """
    task = certified.task.with_gate(**gate)
    data = replace(desk.data(certified), gate=tuple(rows))
    evaluator = desk.evaluator(replace(certified, task=task), data)
    candidate = certified.plan.candidate
    if candidate is None:
        return _by_way(evaluator, certified.plan.control, rows)
    outcomes = answer(evaluator, candidate, rows, f"asking the {name}", scored=False)
    require_conclusive(outcomes, task.gate, f"asking the {name}")
    answered = [outcome for outcome in outcomes if outcome.completion.error is None]
    timed = rows_to_time(data, rows) if answered else []
    latency, late, _ = judged_latency(evaluator, candidate, timed, 1 - task.gate.confidence)
    usd = cost_of(evaluator, candidate, answered, latency).get("cost_usd_per_1k")
    limits = [judge_errors(len(rows) - len(answered), len(rows), task.gate.max_error_rate)]
    limits += [late] if late else []
    if task.gate.max_cost_usd_per_1k is not None:
        limits.append(judge_cost(usd, task.gate.max_cost_usd_per_1k))
    engine = evaluator.engine(candidate)
    plain = plain_answers(evaluator, engine, f"asking the {name} fixed prompts")
    return Asked(
        outcomes=tuple(outcomes),
        p95_ms=latency.p95 if latency else None,
        usd_per_1k=usd,
        limits=tuple(limits),
        plain=tuple(plain) if plain is not None else None,
        base_plain=_of_base(evaluator, candidate) if name == "candidate" else None,
    )


def _of_base(evaluator: Evaluator, candidate: Candidate) -> tuple[str, ...] | None:
    if candidate.adapter is None:
        return None
    base = evaluator.models.engine(candidate.model)
    found = plain_answers(evaluator, base, "asking the base fixed prompts")
    return tuple(found) if found is not None else None


def _by_way(evaluator: Evaluator, way: str, rows: Sequence[Sample]) -> Asked:
    texts = answers_of_way(evaluator, way, rows)
    measured, verdict = measure_way(evaluator, way, 1 - evaluator.task.gate.confidence)
    return Asked(
        outcomes=tuple(
            Outcome(row, text, Completion(text)) for row, text in zip(rows, texts, strict=True)
        ),
        p95_ms=next((each.got for each in verdict.limits if each.limit == "max_p95_ms"), None),
        usd_per_1k=measured.cost_usd_per_1k,
        limits=tuple(limit for limit in verdict.limits if limit.limit in LIMITS),
        plain=None,
    )


def scored(evaluator: Evaluator, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return outcomes with the scores that a task's scorers give them.

    A request that failed by the system's own fault, such as a prompt that is too long, is a wrong
    answer: it would fail in production too. What failed for another reason has no score.
    """
    answered = [at for at, outcome in enumerate(outcomes) if outcome.completion.error is None]
    pairs = [(outcomes[at].sample, outcomes[at].text) for at in answered]
    found = dict(zip(answered, score_all(evaluator, pairs), strict=True))
    made = []
    for at, outcome in enumerate(outcomes):
        if at in found:
            score = found[at]
            made.append(
                replace(outcome, score=score.score, others=score.others, unjudged=score.fault)
            )
        else:
            made.append(replace(outcome, score=0.0 if outcome.completion.is_own_fault else None))
    require_conclusive(made, evaluator.task.gate, "scoring")
    return made


def calibration(
    desk: Desk, certified: Certified, outcomes: Sequence[Outcome]
) -> Reliability | None:
    """Return the calibration of a system's scored answers; None where they have no chances."""
    candidate = certified.plan.candidate
    if candidate is None or not any(o.completion.choice_logprobs for o in outcomes):
        return None
    evaluator = desk.evaluator(certified, desk.data(certified))
    return reliability(evaluator, candidate, outcomes)
