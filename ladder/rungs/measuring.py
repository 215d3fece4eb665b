"""Measure one candidate on held-out rows: score in looks, then latency and cost."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from statistics import fmean, stdev

from ladder.economy.cost import machine_usd_per_1k, tokens_usd_per_1k
from ladder.economy.load import waits
from ladder.engines.endpoint import EndpointEngine
from ladder.evidence import Candidate, Estimate, Latency, LimitVerdict, Measurement, TokenUse
from ladder.evidence import Verdict as VerdictRecord
from ladder.gate.bounds import estimate
from ladder.gate.quantiles import percentile, quantile_interval
from ladder.gate.verdict import (
    combine,
    error_at_look,
    error_of_limit,
    judge_cost,
    judge_errors,
    judge_in_looks,
    judge_latency,
    judge_score,
    looks,
)
from ladder.hardware import hardware
from ladder.rungs.asking import Outcome, answer, request_for
from ladder.rungs.base import Climb
from ladder.rungs.judging import human_score
from ladder.rungs.units import Units, as_units
from ladder.samples.rows import Sample

WARM_UP = 3
MOST_LEAKED = 200
LATENCY_REQUESTS = 20
LATENCY_LOOKS = (20, 100, 200, 400)
"""Requests at which a latency limit is looked at: 20 suffice to see that a system is too slow."""


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

    score, seen = judge_in_looks(read, counts, gate.min_score, budget)
    units = units_of(climb, outcomes)
    errors = sum(not outcome.scores for outcome in outcomes)
    limits = [score, judge_errors(errors, len(outcomes), gate.max_error_rate)]
    answered = [outcome for outcome in outcomes if outcome.scores]
    latency, latency_limit = _latency(climb, candidate, answered, budget)
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
        requests_per_second=_throughput(candidate, answered),
        tokens=_token_use(answered),
        errors=errors,
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


def _token_use(answered: Sequence[Outcome]) -> TokenUse:
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
    if candidate.model.startswith("openai:"):
        prices = climb.prices(candidate.model)
        if prices is None:
            return None, 0.0, "no prices given for the endpoint"
        each = [tokens_usd_per_1k(c.tokens_in, c.tokens_out, prices) for c in done]
        source = prices.source
    else:
        hourly, busy = machine.usd_per_hour, machine.utilisation
        each = [machine_usd_per_1k(c.seconds, hourly, busy) for c in done]
        source = f"machine busy for {busy:.0%} of its time at {hourly:g} USD an hour"
    error = stdev(each) / math.sqrt(len(each)) if len(each) > 1 else 0.0
    return fmean(each), error, source


def _latency(
    climb: Climb, candidate: Candidate, answered: Sequence[Outcome], budget: float
) -> tuple[Latency | None, LimitVerdict | None]:
    """Return the latency at the task's concurrency, and its limit's verdict if there is one."""
    limit = climb.task.gate.max_p95_ms
    samples = [outcome.sample for outcome in answered]
    counts = LATENCY_LOOKS if limit and samples else (LATENCY_REQUESTS,) if samples else ()
    found, verdict = None, None
    timed: list[tuple[float, float | None]] = []
    sent = 0
    for number, count in enumerate(counts):
        endpoint = candidate.model.startswith("openai:")
        # On this machine the first requests only fill the line in which the others wait.
        more = count - sent if endpoint or sent else count + climb.task.use.concurrency - 1
        timed += (_at_endpoint if endpoint else _on_this_machine)(
            climb, candidate, [samples[at % len(samples)] for at in range(sent, sent + more)]
        )
        sent += more
        total, found = _summary(climb, timed, in_line=not endpoint)
        if limit is None or not total:
            break
        verdict = judge_latency(total, limit, error_at_look(number, len(counts), budget))
        if verdict.verdict != "undecided":
            break
    return found, verdict


def _summary(
    climb: Climb, timed: Sequence[tuple[float, float | None]], *, in_line: bool
) -> tuple[list[float], Latency | None]:
    """Return milliseconds of each request, the wait in line included, and their quantiles.

    Args:
        climb: gives the concurrency and the confidence.
        timed: seconds of each request, and until its first token where that is known.
        in_line: the requests were answered one at a time, so they would wait for each other.
    """
    clients, confidence = climb.task.use.concurrency, climb.task.gate.confidence
    service = [1000 * seconds for seconds, _ in timed]
    queued = waits(service, clients) if in_line else [0.0] * len(service)
    own = service[len(service) - len(queued) :]
    total = [wait + alone for wait, alone in zip(queued, own, strict=True)]
    if not total:
        return [], None
    first = [1000 * seconds for _, seconds in timed if seconds is not None]
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    return total, Latency(
        **{name: percentile(total, share) for name, share in shares.items()},
        n=len(total),
        intervals={
            name: quantile_interval(total, share, confidence) for name, share in shares.items()
        },
        clients=clients,
        queue_p95=percentile(queued, 0.95),
        first_token_p50=percentile(first, 0.50) if first else None,
        first_token_p95=percentile(first, 0.95) if first else None,
    )


def _on_this_machine(
    climb: Climb, candidate: Candidate, samples: Sequence[Sample]
) -> list[tuple[float, float | None]]:
    """Time requests one at a time, after warm-up. Kept with the machine they ran on."""
    engine = climb.engine_of(candidate)

    def timings() -> Iterator[tuple[float, None]]:
        asked = [*samples[:WARM_UP], *samples]
        with climb.watch.step("latency, one request at a time", len(asked)) as advance:
            for done, sample in enumerate(asked):
                request = request_for(climb, candidate, sample, engine)
                started = time.perf_counter()
                list(engine.engine.complete([request]))
                if done >= WARM_UP:
                    yield time.perf_counter() - started, None
                advance(done + 1)

    about = [*_what_is_timed(climb, candidate, samples), hardware()]
    kept: list[tuple[float, None]]
    kept = climb.store.remember("service time", about, lambda: list(timings()))
    return [(seconds, None) for seconds, _ in kept]


def _at_endpoint(
    climb: Climb, candidate: Candidate, samples: Sequence[Sample]
) -> list[tuple[float, float | None]]:
    """Time requests sent anew, as many at once as the task says, streamed, after warm-up.

    The answers themselves were asked for at another pace, or are kept from another day.
    """
    cached, clients = climb.engine_of(candidate), climb.task.use.concurrency
    engine = cached.engine
    if not isinstance(engine, EndpointEngine):  # a rehearsal counts
        return _on_this_machine(climb, candidate, samples)

    def timings() -> Iterator[tuple[float, float | None]]:
        requests = [request_for(climb, candidate, sample, cached) for sample in samples]
        with climb.watch.step(f"latency, {clients} at once", len(requests)) as advance:
            for _, completion in engine.streaming(clients).complete(requests[:WARM_UP]):
                climb.count(candidate.model, completion)
            answers = engine.streaming(clients).complete(requests)
            for done, (_, completion) in enumerate(answers, start=1):
                climb.count(candidate.model, completion)
                if completion.error is None:
                    yield completion.seconds, completion.first_s
                advance(done)

    about = [*_what_is_timed(climb, candidate, samples), clients]
    kept = climb.store.remember("endpoint time", about, lambda: list(timings()))
    return [(seconds, first) for seconds, first in kept]


def _what_is_timed(climb: Climb, candidate: Candidate, samples: Sequence[Sample]) -> list[object]:
    fresh = candidate.model_dump(exclude={"build", "technique"})
    return [climb.engine_of(candidate).identity, fresh, [sample.id for sample in samples]]


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
    """Return the score over the rows that were counted and the leaked rows; None without leaks."""
    leaked = climb.splits.leaked[:MOST_LEAKED]
    if not leaked:
        return None
    outcomes = answer(climb, candidate, leaked, "the rows that repeat training rows")
    scored = [(outcome.sample, outcome.scores[0]) for outcome in outcomes if outcome.scores]
    counted = climb.gate_scores[candidate.rung]
    scored += [(row, counted[row.id]) for row in climb.splits.gate if row.id in counted]
    return as_units(scored, climb.task.use.strata).estimate(climb.task.gate.confidence)


def confirm(climb: Climb, candidate: Candidate) -> tuple[Estimate, LimitVerdict, int]:
    """Answer the sealed rows once; return the score, its verdict and the number of rows."""
    outcomes = answer(climb, candidate, climb.splits.sealed, "confirming on the sealed rows")
    units = units_of(climb, outcomes)
    gate = climb.task.gate
    verdict = judge_score(units.scores, gate.min_score, 1 - gate.confidence, units.weights)
    return units.estimate(gate.confidence), verdict, len(outcomes)
