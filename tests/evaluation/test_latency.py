"""Latency of an endpoint: timed anew, streamed, as many at once as the task says."""

from __future__ import annotations

from pathlib import Path

import pytest
from benches import bench_over, chat, task_with
from engines.faulty_server import FaultyServer, Seen, Step, failing

from ladder.evaluation.latency import (
    LATENCY_REQUESTS,
    LATER,
    WARM_UP,
    _what_is_timed,
    judged_latency,
)
from ladder.evaluation.measure import measure
from ladder.evidence import Candidate, Measurement, Verdict
from ladder.report.limits import limit_reason
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.task import Task

GATE = tuple(Sample(id=f"g{at}", input=f"question {at}", target="question") for at in range(25))
DATA = Data((), (), GATE, ())


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
    assert 40 <= latency.first_token_p50 <= latency.p50 - 35
    assert bench.evaluator.models.asked.calls == asked == 25 + len(streamed(server))
    assert bench.evaluator.models.asked.usd == pytest.approx(asked * 14e-6)
    assert len(server.seen) == asked, "what was timed is kept"
    assert again.latency_ms == latency


def test_a_limit_goes_on_timing_where_the_look_before_ended(tmp_path):
    with FaultyServer([Step(words_s=0)]) as server:
        found, _, _ = measured(server.url, tmp_path, 4, max_p95_ms=2000)
    assert found.latency_ms.n == 200
    assert len(streamed(server)) == 200 + 3 * 4, "three looks, none of which starts anew"


def test_an_endpoint_that_refuses_to_stream_is_timed_without(tmp_path):
    def refuse(request: Seen) -> Step:
        return Step(400, b"{}") if request.payload.get("stream") else Step()

    with FaultyServer(refuse) as server:
        found, verdict, _ = measured(server.url, tmp_path, 2, max_p95_ms=5000)
    assert verdict.status == "pass"
    assert found.latency_ms.n == 200
    assert found.latency_ms.first_token_p50 is None


def test_what_is_asked_once_is_kept_as_it_was_before_votes(tmp_path):
    """Timings of earlier versions are found again; those of votes and rewrites are others."""
    bench = bench_over(served_by("openai:tiny@http://127.0.0.1:1/v1", 1), DATA, tmp_path)
    candidate = chat(bench)
    _, fresh, _ = _what_is_timed(bench.evaluator, candidate, GATE)
    assert set(fresh) == set(Candidate.model_fields) - {"build", "description", *LATER}
    for later in ({"votes": 8}, {"rewrite": True}):
        _, other, _ = _what_is_timed(bench.evaluator, candidate.model_copy(update=later), GATE)
        assert set(other) == {*fresh, *later}


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
    found, verdict, _ = judged_latency(bench.evaluator, candidate, GATE, 0.01)
    assert found.n == 200
    assert verdict.verdict == "pass"
    assert bench.evaluator.models.asked.calls == 200 + 69 + 3 * WARM_UP
