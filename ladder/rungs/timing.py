"""How long single requests take: at the task's concurrency, after warm-up, kept once timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ladder.economy.load import waits
from ladder.engines.endpoint import EndpointEngine
from ladder.evidence import Candidate, Latency, LimitVerdict
from ladder.gate.quantiles import percentile, quantile_interval
from ladder.gate.verdict import error_at_look, judge_latency
from ladder.hardware import hardware
from ladder.rungs.asking import request_for
from ladder.rungs.base import Climb
from ladder.samples.rows import Sample

WARM_UP = 3
LATENCY_REQUESTS = 20
LATENCY_LOOKS = (20, 100, 200, 400)
"""Requests at which a latency limit is looked at: 20 suffice to see that a system is too slow."""


def judged_latency(
    climb: Climb, candidate: Candidate, samples: Sequence[Sample], budget: float
) -> tuple[Latency | None, LimitVerdict | None]:
    """Return the latency at the task's concurrency, and its limit's verdict if there is one.

    Args:
        climb: the assessment under way.
        candidate: what is timed.
        samples: what it is asked, over and over where they are few.
        budget: the error that all looks at the limit together may spend.
    """
    limit = climb.task.gate.max_p95_ms
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
                [(_, completion)] = engine.engine.complete([request])
                if done >= WARM_UP:
                    yield time.perf_counter() - started, None
                climb.count(candidate.model, completion)
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
