"""Where nothing more may be spent nothing more is sent, and what was billed is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from engines.endpoint.asking import ask, engine_for
from engines.faulty_server import FaultyServer, Seen, Step, failing, saying

from ladder.engines.base import Completion, Request
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.endpoint.permits import Permits
from ladder.errors import SpendLimitError


def asked(count: int, name: str = "q") -> list[Request]:
    return [ask(f"{name}{number}") for number in range(count)]


def collect(engine: EndpointEngine, requests: Sequence[Request]) -> tuple[list[Completion], str]:
    told: list[Completion] = []
    try:
        for _, completion in engine.complete(requests):
            told.append(completion)
    except SpendLimitError as error:
        return told, str(error)
    return told, ""


# What may be spent


def test_ahead_is_asked_before_every_try() -> None:
    heard: list[Request] = []
    with FaultyServer([failing(500), Step()]) as server:
        engine = engine_for(server.url, concurrency=1)
        engine.ahead = heard.append
        list(engine.complete(asked(2)))
    assert len(heard) == len(server.seen) == 3


@pytest.mark.parametrize("streamed", [False, True])
def test_where_ahead_refuses_nothing_more_is_sent_and_what_is_under_way_is_told(
    streamed: bool,
) -> None:
    def enough(request: Request) -> None:
        sent.append(request)
        if len(sent) > 6:
            raise SpendLimitError("enough")

    sent: list[Request] = []
    with FaultyServer([Step(delay_s=0.1)]) as server:
        engine = engine_for(server.url, concurrency=4)
        engine = engine.streaming(4) if streamed else engine
        engine.ahead = enough
        told, error = collect(engine, asked(100))
    assert error == "enough"
    assert [completion.error for completion in told] == [None] * 6
    assert len(server.seen) == 6


def test_all_that_was_billed_is_told_before_the_limit_is() -> None:
    """A try that was billed and failed counts, also where its request is not sent again."""
    broken = saying("x", usage=(100, 7), error={"message": "overloaded"})

    def script(request: Seen) -> Step:
        return replace(broken, delay_s=0.05) if request.question == "q0" else Step(delay_s=1.0)

    def enough(request: Request) -> None:
        sent.append(request)
        if len(sent) > 4:
            raise SpendLimitError("enough")

    sent: list[Request] = []
    with FaultyServer(script) as server:
        engine = engine_for(server.url, concurrency=4, timeout_s=20.0)
        engine.ahead = enough
        told, error = collect(engine, asked(50))
    assert error == "enough"
    assert len(server.seen) == 4
    assert sorted(completion.tokens_in for completion in told) == [11, 11, 11, 100]
    assert [c.kind for c in told if c.error] == ["stopped"]


def test_a_refusal_ends_all_that_wait_and_no_try_that_is_sent() -> None:
    def refuse(request: Request) -> None:
        raise SpendLimitError("enough")

    async def run() -> list[str]:
        permits, told = Permits(), []

        async def waiting() -> None:
            permits.wait()
            await asyncio.sleep(30)

        async def sent() -> None:
            permits.go(ask("sent"))
            await asyncio.sleep(0.05)
            told.append("answered")

        tasks = [asyncio.create_task(work()) for work in (waiting, sent)]
        await asyncio.sleep(0.01)
        permits.ahead = refuse
        with pytest.raises(asyncio.CancelledError):
            permits.go(ask("one more"))
        with pytest.raises(asyncio.CancelledError):
            permits.wait()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return [*told, *(type(each).__name__ for each in ended), str(permits.stopped)]

    assert asyncio.run(run()) == ["answered", "CancelledError", "NoneType", "enough"]
