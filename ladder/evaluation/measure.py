"""Measure one candidate on held-out rows: score in looks, then latency and cost."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from statistics import fmean, stdev

from ladder.economy.cost import machine_usd_per_1k, tokens_usd_per_1k
from ladder.evaluation.latency import judged_latency
from ladder.evaluation.units import Units, as_units
from ladder.evidence import Candidate, Confirmation, Estimate, Measurement, TokenUse
from ladder.evidence import Verdict as VerdictRecord
from ladder.gate.bounds import estimate
from ladder.gate.verdict import (
    combine,
    error_of_limit,
    judge_cost,
    judge_errors,
    judge_in_looks,
    judge_score,
    looks,
    too_many_failed,
)
from ladder.inference.answer import Outcome, answer
from ladder.inference.evaluator import Climb
from ladder.inference.failures import commonest, describe, inconclusive, kinds_of
from ladder.inference.judge import human_score
from ladder.samples.rows import Sample

MOST_LEAKED = 200


def measure(
    climb: Climb,
    candidate: Candidate,
    rows: Sequence[Sample],
    *,
    all_rows: bool = False,
    rungs: int | None = None,
    title: str = "",
) -> tuple[Measurement, VerdictRecord, list[Outcome]]:
    """Measure a candidate against the task's gate.

    Args:
        climb: the assessment under way.
        candidate: what is measured.
        rows: held-out rows; read from the front, in looks.
        all_rows: read all of them, even when the verdict is clear before.
        rungs: how many rungs share the error budget; default: all of the task's.
        title: what the progress bar says.

    Returns:
        the measurement, the verdict, and the outcomes of the rows that were read.
    """
    gate = climb.task.gate
    counts = (len(rows),) if all_rows else looks(len(rows))
    budget = error_of_limit(gate, len(climb.task.rungs) if rungs is None else rungs)
    outcomes: list[Outcome] = []
    started = time.perf_counter()

    def read(count: int) -> tuple[Sequence[float], Sequence[float] | None]:
        asked = f"{title}, rows to {count}"
        outcomes.extend(answer(climb, candidate, rows[len(outcomes) : count], asked))
        found = units_of(climb, outcomes)
        return found.scores, found.weights

    def failed() -> int:
        return sum(not outcome.scores for outcome in outcomes)

    score, seen = judge_in_looks(read, counts, gate.min_score, budget, failed, gate.max_error_rate)
    units = units_of(climb, outcomes)
    errors = failed()
    limits = [score, judge_errors(errors, len(outcomes), gate.max_error_rate)]
    answered = [outcome for outcome in outcomes if outcome.scores]
    latency, latency_limit, untimed = judged_latency(
        climb, candidate, [outcome.sample for outcome in answered], budget
    )
    limits += [latency_limit] if latency_limit else []
    cost, cost_error, source = _cost(climb, candidate, answered)
    if gate.max_cost_usd_per_1k is not None:
        limits.append(judge_cost(cost, gate.max_cost_usd_per_1k))
    names = [name for name, _ in climb.scorers]
    by_people, refusal = human_score(climb, [(o.sample, o.text, o.scores[0]) for o in answered])
    columns = list(zip(*(outcome.scores for outcome in answered), strict=True))
    measurement = Measurement(
        score=units.estimate(gate.confidence),
        unweighted=units.unweighted(gate.confidence),
        slices=units.slices(gate.confidence),
        others={
            n: estimate([score for score in c if not math.isnan(score)], gate.confidence)
            for n, c in zip(names[1:], columns[1:], strict=False)
        },
        human_score=by_people,
        human_refusal=refusal,
        unjudged=sum(bool(outcome.unjudged) for outcome in outcomes),
        macro_f1=macro_f1(answered) if climb.splits.labels and answered else None,
        cost_usd_per_1k=cost,
        cost_error_usd_per_1k=cost_error,
        cost_source=source,
        latency_ms=latency,
        untimed=untimed,
        requests_per_second=_throughput(candidate, answered),
        tokens=token_use(answered),
        errors=errors,
        error_kinds=dict(kinds_of(outcomes).most_common()),
        commonest_error=commonest(outcomes),
        requests=len(outcomes),
        looks=seen,
        seconds=round(time.perf_counter() - started, 3),
        build=candidate.build,
        fingerprint=climb.engine_of(candidate).fingerprint(),
    )
    return measurement, combine(limits), outcomes


def units_of(climb: Climb, outcomes: Sequence[Outcome]) -> Units:
    """Return the witnesses among outcomes; those without a score are none."""
    scored = ((o.sample, o.scores[0]) for o in outcomes if o.scores)
    return as_units(scored, climb.task.use.strata)


def _throughput(candidate: Candidate, answered: Sequence[Outcome]) -> float | None:
    """Return requests a second of a machine kept busy; an endpoint's limits are not ours to see."""
    seconds = [outcome.completion.seconds for outcome in answered]
    if candidate.model.startswith("openai:") or not any(seconds):
        return None
    return len(seconds) / math.fsum(seconds)


def token_use(answered: Sequence[Outcome]) -> TokenUse:
    """Return the mean tokens of requests that were answered."""
    if not answered:
        return TokenUse(input_mean=0.0, output_mean=0.0)
    return TokenUse(
        input_mean=fmean(o.completion.tokens_in for o in answered),
        output_mean=fmean(o.completion.tokens_out for o in answered),
    )


def _cost(
    climb: Climb, candidate: Candidate, answered: Sequence[Outcome]
) -> tuple[float | None, float, str]:
    """Return USD per 1,000 requests, its standard error, and where the figure comes from."""
    if not answered:
        return None, 0.0, "no answers"
    machine = climb.task.hardware
    done = [outcome.completion for outcome in answered]
    searching = climb.library.seconds(candidate.retrieval, [o.sample for o in answered])
    if candidate.model.startswith("openai:"):
        prices = climb.prices(candidate.model)
        if prices is None:
            return None, 0.0, "no prices given for the endpoint"
        here = machine_usd_per_1k(searching, machine.usd_per_hour, machine.utilisation)
        each = [tokens_usd_per_1k(c.tokens_in, c.tokens_out, prices) + here for c in done]
        source = prices.source
    else:
        hourly, busy = machine.usd_per_hour, machine.utilisation
        each = [machine_usd_per_1k(c.seconds + searching, hourly, busy) for c in done]
        source = f"machine busy for {busy:.0%} of its time at {hourly:g} USD an hour"
    error = stdev(each) / math.sqrt(len(each)) if len(each) > 1 else 0.0
    return fmean(each), error, source


def macro_f1(answered: Sequence[Outcome]) -> float:
    """Return the mean over labels of F1: every label counts alike, however rare."""
    labels = {outcome.sample.target for outcome in answered}
    values = []
    for label in labels:
        wanted = [outcome.sample.target == label for outcome in answered]
        given = [outcome.text == label for outcome in answered]
        hits = sum(w and g for w, g in zip(wanted, given, strict=True))
        values.append(2 * hits / (sum(wanted) + sum(given)))
    return fmean(values)


def score_with_leaks(climb: Climb, candidate: Candidate) -> Estimate | None:
    """Return the score over the rows that were counted and the leaked rows.

    None without leaks, or where too many requests failed.
    """
    shares = climb.task.use.strata
    known = [row for row in climb.splits.leaked if not shares or row.stratum in shares]
    leaked = known[:MOST_LEAKED]
    if not leaked:
        return None
    outcomes = answer(climb, candidate, leaked, "the rows that repeat training rows")
    if inconclusive(outcomes, climb.task.gate):
        return None
    scored = [(outcome.sample, outcome.scores[0]) for outcome in outcomes if outcome.scores]
    counted = climb.gate_scores[candidate.rung]
    scored += [(row, counted[row.id]) for row in climb.splits.gate if row.id in counted]
    return as_units(scored, climb.task.use.strata).estimate(climb.task.gate.confidence)


def confirm(climb: Climb, candidate: Candidate) -> Confirmation:
    """Answer the sealed rows once.

    The verdict is `none` where too many requests failed: then nothing is confirmed.
    """
    outcomes = answer(climb, candidate, climb.splits.sealed, "confirming on the sealed rows")
    units = units_of(climb, outcomes)
    gate = climb.task.gate
    verdict = judge_score(units.scores, gate.min_score, 1 - gate.confidence, units.weights)
    failed = sum(not outcome.scores for outcome in outcomes)
    if failed and (not units.scores or too_many_failed(failed, len(outcomes), gate.max_error_rate)):
        reason = describe("the sealed rows", outcomes)
        verdict = verdict.model_copy(update={"verdict": "none", "reason": reason})
    score = units.estimate(gate.confidence)
    return Confirmation(score=score, verdict=verdict, rows=len(outcomes))
