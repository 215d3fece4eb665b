"""How many requests are under way at once."""

from __future__ import annotations

import asyncio
import threading

import pytest
from engines.endpoint.asking import ask, engine_for
from engines.faulty_server import FaultyServer, Seen, Step, failing, saying

from ladder.engines.endpoint.pacing import Pace, Room


def test_pace_doubles_each_round_until_the_first_429_and_climbs_by_one_after_it() -> None:
    pace = Pace(64)
    assert pace.allowed == 8
    for wanted in (16, 32, 64, 64):
        for _ in range(pace.allowed):
            pace.speed_up()
        assert pace.allowed == wanted
    for _ in range(3):  # three that were sent before the cut
        pace.slow_down(0, 0.0)
    assert pace.allowed == 32
    for _ in range(32 + 33):
        pace.speed_up()
    assert pace.allowed == 34
    for episode in range(1, 9):
        pace.slow_down(episode, 0.0)
    assert pace.allowed == 1
    pace.speed_up()
    assert pace.allowed == 2


def test_the_next_call_begins_where_the_last_one_ended() -> None:
    room = Room()
    for _ in range(8):
        Pace(8, room).speed_up()
    assert Pace(8, room).allowed == 8
    Pace(8, room).slow_down(0, 0.0)
    again = Pace(8, room)
    again.speed_up()
    assert again.allowed == 4, "after a 429 it grows by one a round"
    assert Pace(2, room).allowed == 2


def test_who_was_asked_first_goes_first_and_who_leaves_makes_room() -> None:
    async def run() -> list[int]:
        pace, went = Pace(1), list[int]()

        async def work(number: int, seconds: float = 0.0) -> None:
            async with pace.turn(number, 1.0):
                went.append(number)
                await asyncio.sleep(seconds)

        first = asyncio.create_task(work(9, 0.05))
        await asyncio.sleep(0)
        later = [asyncio.create_task(work(number)) for number in (7, 3, 8, 5)]
        await asyncio.sleep(0)
        later[1].cancel()  # while it waits
        await asyncio.sleep(0)
        first.cancel()  # in its turn
        await asyncio.gather(*later, return_exceptions=True)
        await asyncio.wait_for(work(1), 1.0)
        return went

    assert asyncio.run(run()) == [9, 5, 7, 8, 1]


@pytest.mark.slow
def test_256_are_under_way_and_no_more() -> None:
    there = threading.Event()

    def gathered(request: Seen) -> bytes:
        if len(server.seen) > 300:  # enough answers to double from 32
            if server.most_in_flight == 256:
                there.set()
            there.wait(10)
        return saying(request.question).body  # type: ignore[return-value]

    with FaultyServer([Step(body=gathered)]) as server:
        engine = engine_for(server.url, concurrency=256, timeout_s=30.0)
        answers = dict(engine.complete([ask(str(number)) for number in range(640)]))
    assert there.is_set()
    assert server.most_in_flight == 256
    assert all(answers[number].text == str(number) for number in range(640))


@pytest.mark.slow
def test_with_256_in_flight_none_is_lost_to_a_server_that_takes_12() -> None:
    def script(request: Seen) -> Step:
        # The server calls this under its lock, and counts this request as well.
        many, first = server.in_flight > 12, len(server.seen) <= 32
        answer = Step(delay_s=0.3 if first else 0.01)
        return failing(429, retry_after="0.02") if many else answer

    with FaultyServer(script) as server:
        engine = engine_for(server.url, concurrency=256)
        answers = dict(engine.complete([ask(str(number)) for number in range(400)]))
    assert all(answers[number].text == str(number) for number in range(400))
    assert engine.counts["HTTP 429"]
    assert server.most_in_flight <= 256


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
