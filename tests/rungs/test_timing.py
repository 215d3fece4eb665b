"""Latency of an endpoint: timed anew, streamed, as many at once as the task says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from engines.faulty_server import FaultyServer, Seen, Step

from ladder.engines.cache import Store
from ladder.evidence import Candidate, Measurement
from ladder.rungs.base import Climb
from ladder.rungs.measuring import measure
from ladder.rungs.timing import LATENCY_REQUESTS, WARM_UP
from ladder.samples.rows import Sample
from ladder.samples.splits import Splits
from ladder.task import Task

GATE = tuple(Sample(id=f"g{at}", input=f"question {at}", target="question") for at in range(25))


def measured(url: str, folder: Path, clients: int, **gate: float) -> tuple[Measurement, Climb]:
    task = Task.model_validate(
        {
            "name": "served",
            "goal": "Answer.",
            "data": {"test": "test.jsonl"},
            "score": "contains",
            "gate": {"min_score": 0.5, **gate},
            "models": {"base": f"openai:tiny@{url}"},
            "prices": {"input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0},
            "use": {"concurrency": clients},
        }
    )
    store = Store(folder / "kept.sqlite")
    climb = Climb(task, Splits((), (), GATE, ()), store, folder, folder)
    candidate = Candidate(rung="prompt", technique="t", model=task.models.base, form="chat")
    return measure(climb, candidate, GATE)[0], climb


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
        found, climb = measured(server.url, tmp_path, clients)
        asked = len(server.seen)
        again, _ = measured(server.url, tmp_path, clients)
    assert max(busy) == clients
    assert len(streamed(server)) == LATENCY_REQUESTS + min(WARM_UP, LATENCY_REQUESTS)
    latency = found.latency_ms
    assert (latency.n, latency.clients, latency.queue_p95) == (LATENCY_REQUESTS, clients, 0)
    # An empty event, two words and the usage, 20 ms before each.
    assert latency.p50 >= 80
    assert 40 <= latency.first_token_p50 <= latency.p50 - 35
    assert climb.asked.calls == asked == 25 + len(streamed(server))
    assert climb.asked.usd == pytest.approx(asked * 14e-6)
    assert len(server.seen) == asked, "what was timed is kept"
    assert again.latency_ms == latency


def test_a_limit_goes_on_timing_where_the_look_before_ended(tmp_path):
    with FaultyServer([Step(words_s=0)]) as server:
        found, _ = measured(server.url, tmp_path, 4, max_p95_ms=2000)
    assert found.latency_ms.n == 200
    assert len(streamed(server)) == 200 + 3 * WARM_UP, "three looks, none of which starts anew"


def test_requests_that_fail_are_not_timed(tmp_path):
    refuse: Callable[[Seen], Step] = lambda request: (  # noqa: E731
        Step(400, b"{}") if request.payload.get("stream") else Step()
    )
    with FaultyServer(refuse) as server:
        found, _ = measured(server.url, tmp_path, 2, max_p95_ms=50)
    assert found.errors == 0
    assert found.latency_ms is None
