"""How many requests are under way at once."""

from __future__ import annotations

import threading

from engines.endpoint.asking import ask, engine_for
from engines.faulty_server import FaultyServer, Seen, Step, failing

from ladder.engines.endpoint.pacing import Pace


def test_pace_halves_once_per_episode_and_climbs_by_one() -> None:
    pace = Pace(8)
    assert pace.allowed == 4
    for _ in range(4 + 5 + 6 + 7 + 100):
        pace.speed_up()
    assert pace.allowed == 8
    for _ in range(3):  # three that were sent before the cut
        pace.slow_down(0, 0.0)
    assert pace.allowed == 4
    for episode in range(1, 6):
        pace.slow_down(episode, 0.0)
    assert pace.allowed == 1
    pace.speed_up()
    assert pace.allowed == 2


def test_a_burst_of_429_does_not_lose_anything() -> None:
    quota = threading.Semaphore(10)

    def script(request: Seen) -> Step:
        enough = quota.acquire(blocking=False)
        if not enough:
            quota.release(10)  # the next window opens
        return Step(delay_s=0.005) if enough else failing(429, retry_after="0.05")

    with FaultyServer(script) as server:
        engine = engine_for(server.url, attempts=5)
        answers = dict(engine.complete([ask(str(number)) for number in range(40)]))
    assert [answers[at].text for at in range(40)] == [str(number) for number in range(40)]


def test_a_pause_that_the_server_asks_for_holds_for_all() -> None:
    def script(request: Seen) -> Step:
        # The server calls this under its lock, after it has noted the request.
        first = len(server.seen) == 1
        return failing(429, retry_after="0.6") if first else Step(delay_s=0.02)

    with FaultyServer(script) as server:
        engine = engine_for(server.url, longest_wait_s=2)
        answers = dict(engine.complete([ask(str(number)) for number in range(100)]))
    assert all(answers[number].text == str(number) for number in range(100))
    since = [request.at - server.seen[0].at for request in server.seen]
    # What was under way ends; then it is quiet until the time is over.
    assert not [at for at in since if 0.3 < at < 0.59]
    assert max(since) > 0.6


def test_as_many_are_under_way_as_are_asked_for_from_the_start() -> None:
    with FaultyServer([Step(delay_s=0.3)]) as server:
        asked = [ask(str(at)) for at in range(12)]
        answers = list(engine_for(server.url).streaming(12).complete(asked))
    assert len(answers) == 12
    assert server.most_in_flight == 12
    assert all(request.payload["stream"] for request in server.seen)
