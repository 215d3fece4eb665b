"""An endpoint that fails again and again: waited for while it is out, given up when it is dead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from engines.faulty_server import (
    CUT_SHORT,
    NO_CHOICES,
    RESET,
    FaultyServer,
    Seen,
    Step,
    failing,
    html,
    outage,
    saying,
)

from ladder.engines.base import Request
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.endpoint.breaker import GREETING, Patience
from ladder.engines.endpoint.pacing import START_CONCURRENCY
from ladder.errors import EndpointDownError

QUICK = Patience(
    first_wait_s=0.01,
    longest_wait_s=0.5,
    first_probe_s=0.05,
    longest_probe_s=0.6,
    outage_s=0.8,
    throttled_s=2.0,
)
HANGS = Step(delay_s=30)
AT_ONCE = 8


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LADDER_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def engine_for(url: str, **options: Any) -> EndpointEngine:
    return EndpointEngine("tiny", url, **{"timeout_s": 0.8, "patience": QUICK, **options})


def ask(question: str) -> Request:
    return Request(messages=(("user", question),))


def asked(count: int, name: str = "q") -> list[Request]:
    return [ask(f"{name}{number}") for number in range(count)]


def well_first(count: int, trouble: Step) -> Callable[[Seen], Step]:
    left = [Step()] * count
    return lambda request: left.pop() if left else trouble


DEAD = {
    "HTTP 503": failing(503, "busy"),
    "HTTP 404": failing(404, "no such model"),
    "HTTP 405": failing(405),
    "HTTP 402": failing(402),
    "HTTP 301": Step(301, b"", {"Location": "http://127.0.0.1:1/"}),
    "HTTP 429": failing(429),
    "not JSON": html(),
    "no choices": NO_CHOICES,
    "empty": saying(""),
    "connection broke": RESET,
    "time-out": HANGS,
}


@pytest.mark.parametrize(("answered", "streamed"), [(0, False), (5, True)])
@pytest.mark.parametrize(("kind", "trouble"), DEAD.items(), ids=DEAD)
def test_a_dead_endpoint_is_named_soon(
    kind: str, trouble: Step, answered: int, streamed: bool
) -> None:
    with FaultyServer(well_first(answered, trouble)) as server:
        plain = engine_for(server.url)
        assert all(c.text for _, c in plain.complete(asked(answered, "well")))
        engine = plain.streaming(8) if streamed else plain
        before, start = len(server.seen), time.monotonic()
        with pytest.raises(EndpointDownError) as caught:
            list(engine.complete(asked(100)))
        took = time.monotonic() - start
    assert took < QUICK.outage_s + 2 * 0.8 + 2
    assert len(server.seen) - before <= 25
    assert caught.value.counts[kind] >= 4
    told = str(caught.value)
    assert f"{caught.value.counts[kind]} x {kind}" in told
    assert server.url in told
    assert "run the same command again" in told
    assert engine.counts[kind] >= caught.value.counts[kind]


def test_a_server_whose_answers_are_all_cut_is_not_taken_as_dead() -> None:
    """It is well, and the limit too low for its thoughts: that is for the diagnosis to say."""
    with FaultyServer(well_first(0, CUT_SHORT)) as server:
        engine = engine_for(server.url)
        found = [completion for _, completion in engine.complete(asked(40))]
    assert {completion.kind for completion in found} == {"cut before any text"}
    assert len(server.seen) == 40


def settled(server: FaultyServer) -> int:
    """Return the requests that came, once those under way when a run ended have come too."""
    seen = -1
    while seen < len(server.seen):
        seen = len(server.seen)
        time.sleep(0.1)
    return seen


def test_it_is_down_for_the_next_call_too_and_up_again_after_an_answer() -> None:
    with FaultyServer([failing(404)]) as server:
        engine = engine_for(server.url)
        with pytest.raises(EndpointDownError):
            list(engine.complete(asked(20)))
        before = settled(server)
        with pytest.raises(EndpointDownError):
            list(engine.streaming(2).complete(asked(20)))
        assert len(server.seen) - before == 1, "one check, and nothing else"
        server.script = [Step()]
        assert all(c.error is None for _, c in engine.complete(asked(20)))


TROUBLES = [failing(503), failing(429), RESET, HANGS, failing(500, retry_after="0.1")]


PROBES = 4
"""In 0.6 s: after 0.05 s, and then after twice as long each time; the last is answered."""


def in_vain(at_once: int, well: int) -> int:
    """Return how many tries an outage can take, beside its probes.

    So many failures in a row stop all others, with what was sent beside the last of them. Each
    answer that was still under way as it began ends the suspicion once more.
    """
    return sum(QUICK.failures + at_once - 1 - left for left in range(well + 1))


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(
    ("start_s", "end_s", "lost"),
    [
        (0, 0.5, in_vain(START_CONCURRENCY, 0)),
        (0.1, 0.7, in_vain(AT_ONCE, AT_ONCE - 1)),  # the pace has doubled to the most by then
    ],
    ids=["from the start", "later"],
)
def test_an_outage_loses_nothing(trouble: Step, start_s: float, end_s: float, lost: int) -> None:
    script = outage(trouble, start_s, end_s, lambda _: Step(delay_s=0.02))
    with FaultyServer(script) as server:
        answers = dict(engine_for(server.url, concurrency=AT_ONCE).complete(asked(60)))
    assert [answers[at].text for at in range(60)] == [f"q{at}" for at in range(60)]
    assert len(server.seen) <= 60 + lost + PROBES


def test_an_outage_is_no_part_of_a_request_that_is_timed() -> None:
    with FaultyServer(outage(failing(503), 0, 0.7)) as server:
        answers = dict(engine_for(server.url).streaming(4).complete(asked(8)))
    assert all(completion.error is None for completion in answers.values())
    assert max(completion.seconds for completion in answers.values()) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [failing(500, "boom"), failing(400, "too long"), HANGS])
@pytest.mark.parametrize("warm", [0, 3])
@pytest.mark.parametrize("bad", [1, 30])
def test_requests_that_fail_for_their_own_sake_do_not_end_a_run(
    trouble: Step, warm: int, bad: int
) -> None:
    """They may come last, or alone where all else is kept: the check tells them from an outage."""
    if trouble is HANGS and bad > 1:
        bad = 4
    script = lambda r: trouble if r.question.startswith("bad") else Step()  # noqa: E731
    with FaultyServer(script) as server:
        # A busy machine answers late: only what hangs is to take so long.
        engine = engine_for(server.url, timeout_s=1.5)
        list(engine.complete(asked(warm, "well")))
        answers = dict(
            engine.complete([*asked(4), *asked(bad, "bad")] if warm else asked(bad, "bad"))
        )
    failed = [completion for completion in answers.values() if completion.error]
    assert len(failed) == bad
    assert len({completion.kind for completion in failed}) == 1


def test_the_check_asks_what_was_answered_before_or_greets() -> None:
    script = lambda r: failing(400) if r.question.startswith("q") else Step()  # noqa: E731
    with FaultyServer(script) as server:
        list(engine_for(server.url).complete(asked(20)))
        assert GREETING.messages[0][1] in server.questions
        engine = engine_for(server.url)
        list(engine.complete([ask("well")]))
        list(engine.complete(asked(17)))
        assert server.questions.count("well") == 2


def test_a_throttled_key_is_waited_for_as_it_asks_but_not_for_ever() -> None:
    with FaultyServer([failing(429, retry_after="0.4")]) as server:
        start = time.monotonic()
        with pytest.raises(EndpointDownError, match="HTTP 429"):
            list(engine_for(server.url).complete(asked(20)))
        took = time.monotonic() - start
    assert QUICK.outage_s < took < QUICK.throttled_s + 1.5
    assert len(server.seen) <= 25


def test_words_of_a_server_are_shown_harmless_and_short() -> None:
    with FaultyServer([failing(404, "no\x1b[2J such\u202e model " + "x" * 900)]) as server:
        engine = engine_for(server.url)
        with pytest.raises(EndpointDownError) as caught:
            list(engine.complete(asked(20)))
    told = str(caught.value)
    assert "no\\u001b[2J such\\u202e model" in told
    assert told.isprintable()
    assert len(told) < 700
    assert engine.words("HTTP 404").startswith("no")
