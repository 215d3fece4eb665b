"""How long single requests take: at the task's concurrency, after warm-up, kept once timed.

Each row is timed once: how long a request takes hangs on its input, so that a row that is timed
again tells little more of the requests to come.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, cast

from ladder.economy.load import rate_in_time, waits
from ladder.engines.base import Completion, Request, Served, here
from ladder.engines.endpoint.failure import TIME_OUT
from ladder.evidence import MOST_WAITED, Asked, Candidate, Latency, LimitVerdict
from ladder.files import digest_of
from ladder.gate.quantiles import percentile, quantile_interval, values_to_bound
from ladder.gate.verdict import error_at_look, judge_latency
from ladder.hardware import hardware, processor_seconds, threads
from ladder.inference.answer import exchange
from ladder.inference.evaluator import Evaluator
from ladder.inference.exchanges import TIMES_ASKED, carry_out
from ladder.inference.prompts import request_for
from ladder.inference.voting import draws_wanted
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.wording import disturbed_words

WARM_UP = 3
LATENCY_REQUESTS = 20
LATENCY_LOOKS = (20, 100, 200, 400)
"""Requests at which a latency limit is looked at: 20 suffice to see that a system is too slow."""
MOSTLY_HERE = 0.5
"""Share of the time in which this process wants a processor, from which on the work is its own."""
Timing = tuple[float, float | None]
"""Seconds of a request (infinite: it failed), and until its first token where that is known."""


def judged_latency(
    evaluator: Evaluator, candidate: Candidate, samples: Sequence[Sample], budget: float
) -> tuple[Latency | None, LimitVerdict | None, int]:
    """Return the latency at the task's concurrency, its limit's verdict, and what is untimed.

    There is no latency where nothing was answered, and no verdict without a limit; untimed are the
    requests that got no answer. Other work only slows a system: what passes beside it passes, and
    what fails beside it is undecided.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what is timed.
        samples: what it is asked, each once.
        budget: the error that all looks at the limit together may spend.
    """
    limit = evaluator.task.gate.max_p95_ms
    counts = latency_looks(len(samples)) if limit else latency_looks(len(samples))[:1]
    endpoint = evaluator.engine(candidate).abilities.served
    # On this machine the first requests only fill the line in which the others wait.
    ahead = 0 if endpoint else evaluator.task.use.concurrency - 1
    timed: list[Timing] = []
    waited: list[float] = []
    found, verdict = None, None
    for number, count in enumerate(counts):
        places = range(len(timed), count + ahead)
        # Those that fill the line may come again: their own time is not counted.
        rows = [samples[at % len(samples)] for at in places]
        if endpoint:
            timed += _at_endpoint(evaluator, candidate, rows)
        else:
            times, share = _on_this_machine(evaluator, candidate, rows)
            timed += times
            waited += [] if share is None else [share]
        total = _total(evaluator, timed, in_line=not endpoint)
        found = _summary(evaluator, timed, total, alone=not endpoint)
        if found and waited:
            found = found.but(waited=max(waited))
        if limit is None:
            break
        error = error_at_look(number, len(counts), budget)
        verdict = judge_latency(total, limit, error, evaluator.task.gate.max_error_rate)
        if verdict.verdict != "undecided":
            break
    if verdict and verdict.verdict == "fail" and found and found.disturbed:
        verdict = verdict.but(verdict="undecided")
    return found, verdict, sum(math.isinf(seconds) for seconds, _ in timed)


def latency_looks(rows: int) -> tuple[int, ...]:
    """Return at how many timed requests a latency limit is looked at, where so many rows are."""
    if not rows:
        return ()
    return tuple(dict.fromkeys(min(look, rows) for look in LATENCY_LOOKS))


def requests_to_pass(error: float) -> int:
    """Return at how many timed requests a p95 can pass its limit at the earliest.

    Args:
        error: of all looks at the limit together.
    """
    for number, look in enumerate(LATENCY_LOOKS):
        spent = error_at_look(number, len(LATENCY_LOOKS), error)
        if look >= values_to_bound(0.95, 1 - spent):
            return look
    return values_to_bound(0.95, 1 - error)  # more than the looks: too small a share of the error


def rows_to_time(data: Data, read: Sequence[Sample]) -> list[Sample]:
    """Return the rows whose requests are timed, each once, and one of each group of rows.

    First come the rows that were read; where a limit needs more, further rows of the eval set and
    then of the dev set: what is timed is neither scored nor chosen by.
    """
    found: dict[tuple[str, str], Sample] = {}
    for row in (*read, *data.gate, *data.dev):
        found.setdefault(row.unit, row)
    return list(found.values())


def _total(evaluator: Evaluator, timed: Sequence[Timing], *, in_line: bool) -> list[float]:
    """Return milliseconds of each request, with its wait where they are answered in a line."""
    service = [1000 * seconds for seconds, _ in timed]
    if not in_line:
        return service
    clients = evaluator.task.use.concurrency
    queued = waits(service, clients)
    return [wait + own for wait, own in zip(queued, service[clients - 1 :], strict=True)]


def latency_alone(evaluator: Evaluator, seconds: Sequence[float]) -> Latency | None:
    """Return the latency of requests that were answered one at a time on this machine.

    Args:
        evaluator: the task.
        seconds: that each took alone, in the order of asking.
    """
    timed: list[Timing] = [(each, None) for each in seconds]
    return _summary(evaluator, timed, _total(evaluator, timed, in_line=True), alone=True)


def _summary(
    evaluator: Evaluator, timed: Sequence[Timing], total: Sequence[float], *, alone: bool
) -> Latency | None:
    """Return the quantiles of the requests that were answered; None where none was.

    Args:
        evaluator: the task.
        timed: each request, as it was timed.
        total: milliseconds of each, with its wait; fewer than were timed.
        alone: they were answered one at a time, on this machine.
    """
    answered = [value for value in total if math.isfinite(value)]
    if not answered:
        return None
    own = [1000 * seconds for seconds, _ in timed[len(timed) - len(total) :]]
    queued = [value - alone for value, alone in zip(total, own, strict=True) if value < math.inf]
    first = [1000 * seconds for _, seconds in timed if seconds is not None]
    confidence, limit = evaluator.task.gate.confidence, evaluator.task.gate.max_p95_ms
    taken = [seconds for seconds, _ in timed if 0 < seconds < math.inf]
    most = rate_in_time(taken, limit / 1000) if limit and alone and taken else None
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    return Latency(
        **{name: percentile(answered, share) for name, share in shares.items()},
        n=len(answered),
        intervals={
            name: quantile_interval(answered, share, confidence) for name, share in shares.items()
        },
        clients=evaluator.task.use.concurrency,
        queue_p95=percentile(queued, 0.95),
        first_token_p50=percentile(first, 0.50) if first else None,
        first_token_p95=percentile(first, 0.95) if first else None,
        most_per_second=most or None,
        service_s=tuple(round(seconds, 9) for seconds in taken) if alone else (),
    )


def _on_this_machine(
    evaluator: Evaluator, candidate: Candidate, samples: Sequence[Sample]
) -> tuple[list[Timing], float | None]:
    """Time requests one at a time, after warm-up. Kept with the machine, and its threads.

    Returns:
        each request, and the share of its processor time for which this process waited, where it is
        known. Times that other work has disturbed are not kept: the next run takes them anew.
    """
    engine = evaluator.engine(candidate)
    requests = [request_for(evaluator, candidate, sample, engine) for sample in samples]
    pairs = list(zip(samples, requests, strict=True))
    asked, now = [*pairs[:WARM_UP], *pairs], list[Completion]()

    def count(completion: Completion) -> None:
        now.append(completion)
        evaluator.models.count(candidate.model, completion)

    def timings() -> Iterator[tuple[float, int, int]]:
        with evaluator.watch.step("latency, one request at a time", len(asked)) as advance:
            for done, (sample, request) in enumerate(asked, start=1):
                before, started = len(now), time.perf_counter()
                evaluator.reader.search_anew(candidate.retrieval, sample)
                list(
                    carry_out(here(engine.engine), [exchange(evaluator, candidate, request)], count)
                )
                seconds = time.perf_counter() - started
                tokens = sum(each.tokens_in + each.tokens_out for each in now[before:])
                yield seconds, len(now) - before, tokens
                advance(done)

    def taken() -> dict[str, Any]:
        started, before = time.perf_counter(), processor_seconds()
        found = list(timings())
        elapsed = time.perf_counter() - started
        return {"times": found, "waited": _waited(before, processor_seconds(), elapsed)}

    about = [*_what_is_timed(evaluator, candidate, requests), hardware(), threads()]
    kept: dict[str, Any] = evaluator.models.cache.remember(
        "service times and waits", about, taken, lasts=lambda made: not _disturbed(made["waited"])
    )
    times, waited = kept["times"], kept["waited"]
    if not now:
        calls, tokens = sum(each[1] for each in times), sum(each[2] for each in times)
        evaluator.models.recall(Asked(calls=calls, tokens=tokens))
    if _disturbed(waited):
        evaluator.watch.say(f"  {disturbed_words(waited)}")
    return [(seconds, None) for seconds, _, _ in times[WARM_UP:]], waited


def _waited(
    before: tuple[float, float] | None, after: tuple[float, float] | None, elapsed: float
) -> float | None:
    """Return the share of its processor time for which this process waited.

    None where it is not known: the system does not tell, or the work is done elsewhere, in another
    process or on a GPU, so that this one hardly ran.
    """
    if before is None or after is None:
        return None
    ran, waited = after[0] - before[0], after[1] - before[1]
    if ran + waited < MOSTLY_HERE * elapsed:
        return None
    return max(0.0, waited / (ran + waited))


def _disturbed(waited: float | None) -> bool:
    return waited is not None and waited > MOST_WAITED


def _at_endpoint(
    evaluator: Evaluator, candidate: Candidate, samples: Sequence[Sample]
) -> list[Timing]:
    """Time requests sent anew, as many at once as the task says, streamed, after warm-up.

    The answers themselves were asked for at another pace, or are kept from another day.
    """
    cached, clients = evaluator.engine(candidate), evaluator.task.use.concurrency
    engine = cached.engine
    if not hasattr(engine, "streaming"):  # a dry run counts
        return _on_this_machine(evaluator, candidate, samples)[0]

    requests = [request_for(evaluator, candidate, sample, cached) for sample in samples]
    about = [*_what_is_timed(evaluator, candidate, requests), clients]
    keys = [digest_of(["endpoint time", about, number]) for number in range(len(samples))]
    before = evaluator.models.cache.get(keys).values()
    tokens = sum(tokens for _, _, *each in before for tokens in each)  # kept with newer ones
    evaluator.models.recall(Asked(calls=len(before) * candidate.votes, tokens=tokens))
    late: set[str] = set()
    for _ in range(TIMES_ASKED):  # what failed is timed once more; what came too late did not fail
        kept = evaluator.models.cache.get(keys)
        done = late | kept.keys()
        missing = {k: request for k, request in zip(keys, requests, strict=True) if k not in done}
        if missing:
            late |= _time_anew(evaluator, candidate, cast(Served, engine), missing)
    kept = evaluator.models.cache.get(keys)
    searching = evaluator.reader.seconds(candidate.retrieval, samples)
    return [_searched(kept.get(key), searching) for key in keys]


def _time_anew(
    evaluator: Evaluator, candidate: Candidate, engine: Served, wanted: Mapping[str, Request]
) -> set[str]:
    """Send requests and keep under their keys how long each took; those that fail are not kept.

    Returns:
        the keys of those that were not answered in time.
    """
    clients = evaluator.task.use.concurrency
    keys, requests = list(wanted), list(wanted.values())
    # The first ones open the connections; they are asked, and not timed.
    warm_up = min(len(requests), max(WARM_UP, clients))
    exchanges = [exchange(evaluator, candidate, r) for r in [*requests[:warm_up], *requests]]
    at_once = clients * draws_wanted((), 0, candidate.votes)  # each client's draws go side by side
    count = partial(evaluator.models.count, candidate.model)
    late: set[str] = set()
    with evaluator.watch.step(f"latency, {clients} at once", warm_up + len(requests)) as advance:
        answers = carry_out(engine.streaming(at_once), exchanges, count)
        for done, (at, completion) in enumerate(answers, start=1):
            if at >= warm_up and completion.kind == TIME_OUT:
                late.add(keys[at - warm_up])
            elif at >= warm_up and completion.error is None:
                tokens = completion.tokens_in + completion.tokens_out
                found = [completion.seconds, completion.first_s, tokens]
                evaluator.models.cache.put(keys[at - warm_up], found)
            advance(done)
    return late


def _searched(kept: Sequence[Any] | None, searching: float) -> Timing:
    """Add the search, which comes before the request; one that failed has no time: infinite."""
    if kept is None:
        return math.inf, None
    seconds, first, *_ = kept
    return seconds + searching, None if first is None else first + searching


def _what_is_timed(
    evaluator: Evaluator, candidate: Candidate, requests: Sequence[Request]
) -> list[object]:
    """Return all that the time of these requests hangs on: what is sent, how often, and to whom."""
    sent = [digest_of(asdict(request)) for request in requests]
    fresh = candidate.model_dump(exclude={"build", "description"})
    read = evaluator.retriever.about if candidate.retrieval else []
    return [evaluator.engine(candidate).identity, fresh, evaluator.task.goal, sent, *read]
