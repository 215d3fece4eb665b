"""Measure one candidate on held-out examples: score in looks, then latency and cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from ladder.evaluation.cost import cost_of, throughput, token_use
from ladder.evaluation.latency import judged_latency, rows_to_time
from ladder.evaluation.people import human_score
from ladder.evaluation.recorded import note_look
from ladder.evaluation.units import Units, as_units
from ladder.evidence import Candidate, CommonMiss, LimitVerdict, Measurement
from ladder.evidence import Verdict as VerdictRecord
from ladder.gate.bounds import estimate
from ladder.gate.budget import Budget, budget_of, budget_of_check
from ladder.gate.judged import RIGHT_FROM
from ladder.gate.looks import judge_in_looks, looks
from ladder.gate.verdict import combine, judge_cost, judge_errors
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import commonest, kinds_of
from ladder.inference.outcome import Outcome
from ladder.progress import CandidateStarted, Look
from ladder.samples.rows import Sample

FEWEST_MISSES = 5
MOST_OF_ANSWER = 80
"""Characters."""


def measure(
    evaluator: Evaluator,
    candidate: Candidate,
    rows: Sequence[Sample],
    *,
    all_rows: bool = False,
    failed_clearly: int = 0,
    title: str = "",
    error: float | None = None,
) -> tuple[Measurement, VerdictRecord, list[Outcome]]:
    """Measure a candidate against the task's gate.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what is measured.
        rows: held-out examples; read from the front, in looks.
        all_rows: read all of them, even when the verdict is clear before.
        failed_clearly: how many systems in a row before it did, so that it has their shares too.
        title: what the progress bar says.
        error: that a single check may spend; default: a climb's, which its systems share.

    Returns:
        the measurement, the verdict, and the outcomes of the rows that were read.
    """
    gate = evaluator.task.gate
    counts = (len(rows),) if all_rows else looks(len(rows))
    budget = _budget(evaluator, failed_clearly, error)
    started = time.perf_counter()
    asking = evaluator.models.asking
    with asking("measuring"):
        outcomes, score, seen = _in_looks(evaluator, candidate, rows, (counts, budget), title)
    errors = sum(outcome.score is None for outcome in outcomes)
    limits = [score, judge_errors(errors, len(outcomes), gate.max_error_rate)]
    answered = [outcome for outcome in outcomes if outcome.score is not None]
    read = [outcome.sample for outcome in outcomes]
    timed = rows_to_time(evaluator.data, read) if answered else []
    with asking("latency"):
        latency, latency_limit, untimed = judged_latency(
            evaluator, candidate, timed, budget.levels[0]
        )
    limits += [latency_limit] if latency_limit else []
    cost = cost_of(evaluator, candidate, answered, latency)
    if gate.max_cost_usd_per_1k is not None:
        limits.append(judge_cost(cost.get("cost_usd_per_1k"), gate.max_cost_usd_per_1k))
    measurement = Measurement(
        **_scored(evaluator, outcomes),
        **cost,
        latency_ms=latency,
        untimed=untimed,
        requests_per_second=throughput(evaluator.engine(candidate).abilities, answered),
        tokens=token_use(answered),
        errors=errors,
        error_kinds=dict(kinds_of(outcomes).most_common()),
        commonest_error=commonest(outcomes),
        common_miss=common_miss(outcomes),
        requests=len(outcomes),
        looks=seen,
        seconds=round(time.perf_counter() - started, 3),
        build=candidate.build,
        fingerprint=evaluator.engine(candidate).fingerprint(),
        negotiated=evaluator.engine(candidate).abilities.negotiated,
        served_by=evaluator.engine(candidate).abilities.served_by,
    )
    return measurement, combine(limits), outcomes


def _budget(evaluator: Evaluator, failed_clearly: int, error: float | None) -> Budget:
    gate = evaluator.task.gate
    if error is not None:
        return budget_of_check(gate, error)
    return budget_of(gate, evaluator.data.systems(evaluator.task), failed_clearly)


def _in_looks(
    evaluator: Evaluator,
    candidate: Candidate,
    rows: Sequence[Sample],
    plan: tuple[Sequence[int], Budget],
    title: str,
) -> tuple[list[Outcome], LimitVerdict, tuple[int, ...]]:
    """Answer rows until the verdict on the score is clear.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what is measured.
        rows: held-out examples; read from the front.
        plan: the counts of rows at which is looked, and the error that all looks may spend.
        title: what the progress bar says.

    Returns:
        the outcomes, the verdict on the score, and the counts that were looked at.
    """
    gate, outcomes = evaluator.task.gate, list[Outcome]()
    counts, budget = plan
    watch = evaluator.watch
    watch.tell(CandidateStarted(candidate.digest, candidate.description, "measure"))

    def failed() -> int:
        return sum(outcome.score is None for outcome in outcomes)

    with watch.step(title, len(rows), at_most=len(counts) > 1) as advance:

        def read(count: int) -> tuple[Sequence[float], Sequence[float] | None]:
            advance(len(outcomes), part=(count - len(outcomes)) / max(1, len(rows)))
            asked = f"look {counts.index(count) + 1} of {len(counts)}, rows to {count}"
            outcomes.extend(answer(evaluator, candidate, rows[len(outcomes) : count], asked))
            advance(len(outcomes))
            found = units_of(evaluator, outcomes)
            return found.scores, found.weights

        def looked(count: int, verdict: LimitVerdict) -> None:
            note_look(evaluator, candidate, count, verdict.verdict)
            watch.tell(_look(evaluator, candidate, outcomes, counts, verdict.verdict))

        verdict, seen = judge_in_looks(
            read, counts, gate.min_score, budget, failed, gate.max_error_rate, looked
        )
    return outcomes, verdict, seen


def _look(
    evaluator: Evaluator,
    candidate: Candidate,
    outcomes: Sequence[Outcome],
    counts: Sequence[int],
    decision: str,
) -> Look:
    """Return what an interim look has seen, for whoever watches."""
    gate = evaluator.task.gate
    score = units_of(evaluator, outcomes).estimate(gate.confidence)
    return Look(
        rung=candidate.rung,
        number=counts.index(len(outcomes)) + 1,
        of=len(counts),
        rows=len(outcomes),
        n=score.n,
        score=score.mean,
        low=score.low,
        high=score.high,
        min_score=gate.min_score,
        decision=decision,
    )


def _scored(evaluator: Evaluator, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the fields of a measurement that say how good the answers are."""
    confidence, units = evaluator.task.gate.confidence, units_of(evaluator, outcomes)
    known = [(o.sample, o.text, o.score) for o in outcomes if o.score is not None]
    answered = [outcome for outcome in outcomes if outcome.score is not None]
    by_people, labels = human_score(evaluator, known)
    others = {}
    for name, _ in evaluator.scorers[1:] if answered else ():
        scores = [o.others[name] for o in answered]
        others[name] = estimate([score for score in scores if score is not None], confidence)
    return {
        "score": units.estimate(confidence),
        "unweighted": units.unweighted(confidence),
        "slices": units.slices(confidence),
        "others": others,
        "human_score": by_people,
        "human_labels": labels,
        "unjudged": sum(bool(outcome.unjudged) for outcome in outcomes),
        "macro_f1": macro_f1(answered) if evaluator.data.labels and answered else None,
    }


def common_miss(outcomes: Sequence[Outcome]) -> CommonMiss | None:
    """Return the wrong answer that is half of all of them or more, of at least FEWEST_MISSES."""
    missed = [o.text.strip() for o in outcomes if o.score is not None and o.score < RIGHT_FROM]
    if len(missed) < FEWEST_MISSES:
        return None
    answer, count = Counter(missed).most_common(1)[0]
    if 2 * count < len(missed):
        return None
    return CommonMiss(answer=answer[:MOST_OF_ANSWER], count=count, of=len(missed))


def units_of(evaluator: Evaluator, outcomes: Sequence[Outcome]) -> Units:
    """Return the units among outcomes; those without a score are none."""
    scored = ((o.sample, o.score) for o in outcomes if o.score is not None)
    return as_units(scored, evaluator.task.use.strata)


def macro_f1(answered: Sequence[Outcome]) -> float:
    """Return macro-F1: the mean of F1 over the labels among the targets, each weighing the same.

    Args:
        answered: one outcome or more; a text that is no such label misses its example's label. Of
            several right labels the one that was answered counts, else the first.
    """
    wanted = [o.text if o.text in o.sample.targets else o.sample.target for o in answered]
    answers = [outcome.text for outcome in answered]
    hits = Counter(text for text, answer in zip(wanted, answers, strict=True) if text == answer)
    given, right = Counter(answers), Counter(wanted)
    return fmean(2 * hits[label] / (given[label] + count) for label, count in right.items())
