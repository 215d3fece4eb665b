"""Latency of an endpoint: timed anew, streamed, as many at once as the task says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benches import bench_over, chat, task_with
from engines.faulty_server import FaultyServer, Seen, Step, failing

from ladder.evaluation.latency import (
    LATENCY_REQUESTS,
    WARM_UP,
    _waited,
    judged_latency,
    rows_to_time,
)
from ladder.evaluation.measure import measure
from ladder.evidence import Candidate, Measurement, Verdict
from ladder.report.limits import limit_reason
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.task import Task

GATE = tuple(Sample(id=f"g{at}", input=f"question {at}", target="question") for at in range(25))
DEV = tuple(Sample(id=f"d{at}", input=f"dev {at}", target="dev") for at in range(375))
DATA = Data((), DEV, GATE, ())


def served_by(base: str, clients: int, **gate: float) -> Task:
    return task_with(
        score="contains",
        gate={"min_score": 0.5, **gate},
        models={"base": base},
        prices={"input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0},
        use={"concurrency": clients},
    )


def measured(
    url: str, folder: Path, clients: int, **gate: float
) -> tuple[Measurement, Verdict, Bench]:
    task = served_by(f"openai:tiny@{url}", clients, **gate)
    bench = bench_over(task, DATA, folder)
    candidate = chat(bench)
    measurement, verdict, _ = measure(bench.evaluator, candidate, GATE)
    return measurement, verdict, bench


def streamed(server: FaultyServer) -> list[Seen]:
    return [request for request in server.seen if request.payload.get("stream")]


@pytest.mark.slow
@pytest.mark.parametrize("clients", [1, 6])
def test_as_many_at_once_as_the_task_says(tmp_path, clients):
    busy: list[int] = []

    def script(request: Seen) -> Step:
        if request.payload.get("stream"):
            busy.append(server.in_flight)
        return Step(words_s=0.02)

    with FaultyServer(script) as server:
        found, _, bench = measured(server.url, tmp_path, clients)
        asked = len(server.seen)
        again, _, _ = measured(server.url, tmp_path, clients)
    assert max(busy) == clients
    assert len(streamed(server)) == LATENCY_REQUESTS + max(WARM_UP, clients)
    latency = found.latency_ms
    assert (latency.n, latency.clients, latency.queue_p95) == (LATENCY_REQUESTS, clients, 0)
    # An empty event, two words and the usage, 20 ms before each.
    assert latency.p50 >= 80
    assert 40 <= latency.first_token_p50 < latency.p50
    assert bench.evaluator.models.asked.calls == asked == 25 + len(streamed(server))
    assert bench.evaluator.models.asked.usd == pytest.approx(asked * 14e-6)
    assert len(server.seen) == asked, "what was timed is kept"
    assert again.latency_ms == latency


@pytest.mark.slow
def test_a_limit_goes_on_timing_where_the_look_before_ended(tmp_path):
    with FaultyServer([Step(words_s=0)]) as server:
        found, _, _ = measured(server.url, tmp_path, 4, max_p95_ms=2000)
    assert found.latency_ms.n == 200
    assert len(streamed(server)) == 200 + 3 * 4, "three looks, none of which starts anew"


@pytest.mark.slow
def test_an_endpoint_that_refuses_to_stream_is_timed_without(tmp_path):
    def refuse(request: Seen) -> Step:
        return Step(400, b"{}") if request.payload.get("stream") else Step()

    with FaultyServer(refuse) as server:
        found, verdict, _ = measured(server.url, tmp_path, 2, max_p95_ms=5000)
    assert verdict.status == "pass"
    assert found.latency_ms.n == 200
    assert found.latency_ms.first_token_p50 is None


def test_each_row_is_timed_once_and_few_rows_decide_nothing(tmp_path):
    """How long a request takes hangs on its input: 25 rows asked 200 times are 25 rows."""
    with FaultyServer([Step(words_s=0)]) as server:
        task = served_by(f"openai:tiny@{server.url}", 1, max_p95_ms=2000)
        bench = bench_over(task, Data((), (), GATE, ()), tmp_path)
        found, verdict, _ = measure(bench.evaluator, chat(bench), GATE)
    timed = [request.question for request in streamed(server)]
    # The first look times 20 rows, the second the five that are left; each warms up anew.
    assert (found.latency_ms.n, len(timed), len(set(timed))) == (25, 25 + 2 * WARM_UP, 25)
    assert verdict.status == "undecided"


def test_one_of_a_group_is_timed_and_further_rows_come_from_the_eval_and_dev_sets():
    rows = [Sample(id=f"r{at}", input="x", target="x", group=f"g{at // 3}") for at in range(12)]
    data = Data((), tuple(rows[9:]), tuple(rows[:9]), ())
    assert [row.id for row in rows_to_time(data, rows[4:6])] == ["r4", "r0", "r6", "r9"]


@pytest.mark.parametrize(
    "changed", [{"goal": "Answer at length."}, {"answer": {"max_tokens": 900}}, {}]
)
def test_another_prompt_is_timed_anew(tmp_path, changed):
    """What was timed for one goal says nothing of the requests of another."""
    with FaultyServer([Step(words_s=0)]) as server:
        for more in ({}, changed):
            task = task_with(score="contains", models={"base": f"openai:tiny@{server.url}"}, **more)
            bench = bench_over(task, DATA, tmp_path)
            measure(bench.evaluator, chat(bench), GATE)
            bench.evaluator.models.cache.close()
    again = 2 if changed else 1
    assert len(streamed(server)) == again * (LATENCY_REQUESTS + WARM_UP)


def test_the_same_rows_with_other_words_are_timed_anew(tmp_path):
    with FaultyServer([Step(words_s=0)]) as server:
        for words in ("question", "another question"):
            rows = tuple(Sample(id=f"g{at}", input=f"{words} {at}", target="x") for at in range(25))
            task = served_by(f"openai:tiny@{server.url}", 1)
            bench = bench_over(task, Data((), (), rows, ()), tmp_path)
            measure(bench.evaluator, chat(bench), rows)
            bench.evaluator.models.cache.close()
    assert len(streamed(server)) == 2 * (LATENCY_REQUESTS + WARM_UP)


@pytest.mark.slow
def test_a_request_that_ran_out_of_time_is_late_and_not_asked_again(tmp_path):
    """Left out, or answered in a second try, it would make the slow system look fast."""
    slow = {f"question {at}" for at in range(3)}
    tries: dict[str, int] = {}

    def script(request: Seen) -> Step:
        if not request.payload.get("stream"):
            return Step()
        tries[request.question] = tries.get(request.question, 0) + 1
        return Step(words_s=5) if request.question in slow else Step(words_s=0)

    with FaultyServer(script) as server:
        task = task_with(
            score="contains",
            gate={"min_score": 0.5, "max_p95_ms": 900, "max_error_rate": 0.5},
            models={"base": f"openai:tiny@{server.url}"},
            rules={"request_timeout_s": 1},
        )
        bench = bench_over(task, DATA, tmp_path)
        rows = [row for row in GATE if row.input in slow] + list(GATE[3:20])
        found, verdict, untimed = judged_latency(bench.evaluator, chat(bench), rows, 0.01)
    assert untimed == verdict.failed == verdict.missed == 3
    assert (verdict.n, found.n) == (20, 17)
    assert limit_reason(verdict) == (
        "3 of 20 requests were not answered within 900 ms (3 of them failed)"
    )


def broken(request: Seen) -> Step:
    """Answer what is scored, and lose the quota before anything is timed."""
    return Step(402, b"{}") if request.payload.get("stream") else Step()


def test_a_limit_that_nothing_could_be_timed_against_has_no_verdict(tmp_path):
    """An outage is not a slow answer."""
    with FaultyServer(broken) as server:
        found, verdict, _ = measured(server.url, tmp_path, 2, max_p95_ms=5000)
    assert found.errors == 0
    assert found.latency_ms is None
    assert verdict.status == "none"
    (limit,) = [limit for limit in verdict.limits if limit.limit == "max_p95_ms"]
    assert limit.got is None
    assert limit_reason(limit) == "none of 20 timed requests was answered"
    assert found.untimed == 20


def test_what_failed_is_timed_again_by_the_next_run(tmp_path):
    with FaultyServer(broken) as server:
        measured(server.url, tmp_path, 2)
        server.script = [Step(words_s=0)]
        asked = len(server.seen)
        found, _, _ = measured(server.url, tmp_path, 2)
    assert found.latency_ms.n == LATENCY_REQUESTS
    assert len(server.seen) - asked == LATENCY_REQUESTS + WARM_UP


@pytest.mark.slow
def test_waiting_for_a_busy_server_is_part_of_a_requests_time(tmp_path):
    tries: dict[str, int] = {}

    def throttle(request: Seen) -> Step:
        if not request.payload.get("stream"):
            return Step()
        tries[request.question] = tries.get(request.question, 0) + 1
        again = tries[request.question] % 2
        return failing(429, retry_after="0.4") if again else Step(words_s=0)

    with FaultyServer(throttle) as server:
        found, _, _ = measured(server.url, tmp_path, 1)
    assert found.latency_ms.p50 > 390
    assert found.latency_ms.first_token_p50 > 390


def test_more_clients_than_requests_are_no_trouble(tmp_path):
    """On this machine the first ones only fill the line; every look has its full number."""
    (tmp_path / "said.jsonl").write_text("")
    task = served_by(f"replay:{tmp_path / 'said.jsonl'}", clients=70, max_p95_ms=1e9)
    bench = bench_over(task, DATA, tmp_path)
    candidate = chat(bench)
    found, verdict, _ = judged_latency(bench.evaluator, candidate, (*GATE, *DEV), 0.01)
    assert found.n == 200
    assert verdict.verdict == "pass"
    assert bench.evaluator.models.asked.calls == 200 + 69 + 3 * WARM_UP


BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end:\n    pass"


@pytest.fixture
def one_processor() -> Iterator[int]:
    """Have this process, and what it starts, share one processor."""
    former = os.sched_getaffinity(0)
    one = min(former)
    os.sched_setaffinity(0, {one})
    yield one
    os.sched_setaffinity(0, former)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux tells what is waited for")
def test_times_beside_other_work_are_told_and_not_kept(tmp_path, smollm, one_processor):
    rows = [Sample(id=f"r{at}", input=f"question {at}", target="a") for at in range(6)]
    gate = {"min_score": 0.5, "max_p95_ms": 0.001}
    bench = bench_over(task_with(score="contains", gate=gate), DATA, tmp_path)
    candidate = Candidate(rung="prompt", description="t", model="bundled:smollm2-135m")
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(3)]
    try:
        beside, verdict, _ = judged_latency(bench.evaluator, candidate, rows, 0.05)
    finally:
        for other in others:
            other.kill()
            other.wait(timeout=10)
    assert beside is not None
    assert beside.disturbed
    assert verdict is not None
    assert verdict.verdict == "undecided", "it may be the other work that is too slow"
    again, verdict, _ = judged_latency(bench.evaluator, candidate, rows, 0.05)
    assert again is not None
    assert verdict is not None
    assert verdict.verdict == ("undecided" if again.disturbed else "fail")
    assert again.service_s != beside.service_s, "they were taken anew"
    assert (again.waited or 0) < (beside.waited or 0)


def test_only_what_runs_here_is_waited_for():
    assert _waited((1.0, 0.5), (2.0, 1.5), 2.0) == 0.5
    assert _waited((1.0, 0.5), (1.1, 0.5), 2.0) is None, "the work is done elsewhere"
    assert _waited(None, (1.0, 0.5), 2.0) is None
