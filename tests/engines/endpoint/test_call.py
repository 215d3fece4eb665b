"""The requests of one call: side by side, tried again, given up each for itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from engines.endpoint.asking import answer_of, ask, engine_for, unused_url
from engines.faulty_server import (
    ERROR_BESIDE,
    RESET,
    FaultyServer,
    Seen,
    Step,
    failing,
    raw,
    saying,
)

from ladder.engines.endpoint.breaker import Patience
from ladder.engines.endpoint.call import Tries, backoff_s
from ladder.engines.endpoint.failure import TryError

PASSING_TROUBLE = {
    "408": failing(408),
    "409": failing(409),
    "425": failing(425),
    "500": failing(500),
    "503": Step(503, b"<html>busy</html>"),
    "503 in broken gzip": Step(503, b"busy", {"Content-Encoding": "gzip"}),
    "reset": RESET,
    "cut": Step(body=b'{"choices": [{"message": {"con', cut=True),
    "error with 200": raw({"error": {"message": "upstream is down"}}),
    "error beside choices": ERROR_BESIDE,
    "error in the choice": saying("x", error={"message": "overloaded", "code": "529"}),
}


@pytest.mark.parametrize("trouble", PASSING_TROUBLE.values(), ids=PASSING_TROUBLE)
def test_passing_trouble_is_tried_again(trouble: Step) -> None:
    with FaultyServer([trouble, trouble, Step()]) as server:
        assert answer_of(server).text == "hello"
    assert len(server.seen) == 3


@pytest.mark.parametrize("trouble", PASSING_TROUBLE.values(), ids=PASSING_TROUBLE)
def test_lasting_trouble_is_an_error_and_no_answer(trouble: Step) -> None:
    with FaultyServer([trouble]) as server:
        completion = answer_of(server)
    assert completion.text == ""
    assert completion.error is not None
    assert completion.error.startswith("no answer in 3 attempts; the last: ")
    assert completion.kind
    assert len(server.seen) == 3


def in_an_hour() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize(
    ("status", "retry_after"),
    [(429, "0.2"), (503, "0.2"), (429, "9999"), pytest.param(429, in_an_hour(), id="a date")],
)
def test_it_tries_again_after_the_time_asked_for(status: int, retry_after: str) -> None:
    with FaultyServer([failing(status, retry_after=retry_after), Step()]) as server:
        completion = answer_of(server)
    assert completion.text == "hello"
    waited = server.seen[1].at - server.seen[0].at
    assert 0.19 < waited < 2  # at least what was asked, capped by longest_wait_s
    assert completion.seconds < waited  # the waiting is not the request's own time


@pytest.mark.parametrize("status", [400, 404, 413, 422, 405, 307])
def test_a_refused_request_fails_alone_and_at_once(status: int) -> None:
    def script(request: Seen) -> Step:
        bad = request.question == "bad"
        step = failing(status, "y" * 500)
        return Step(status, step.body, {"Location": "/elsewhere"}) if bad else Step()

    with FaultyServer(script) as server:
        engine = engine_for(server.url)
        answers = dict(engine.complete([ask("a"), ask("bad"), ask("b")]))
    assert [answers[0].text, answers[1].text, answers[2].text] == ["a", "", "b"]
    assert str(answers[1].error).startswith(f"HTTP {status}: ")
    assert len(str(answers[1].error)) <= len("HTTP 400: ") + 200
    assert answers[1].kind == f"HTTP {status}"
    assert len(server.seen) == 3


def test_a_forbidden_request_fails_alone() -> None:
    def script(request: Seen) -> Step:
        return failing(403, "moderated") if request.question == "bad" else Step()

    with FaultyServer(script) as server:
        for questions in (["bad", "a"], ["a", "bad"]):  # as the first of all, and later
            engine = engine_for(server.url, concurrency=1)
            answers = dict(engine.complete([ask(question) for question in questions]))
            assert answers[questions.index("bad")].kind == "HTTP 403"
            assert answers[questions.index("a")].text == "a"


def test_failed_tries_that_were_billed_add_up() -> None:
    broken = saying("x", usage=(100, 7), error={"message": "overloaded"})
    with FaultyServer([broken, broken, Step()]) as server:
        completion = answer_of(server)
    assert completion.text == "hello"
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)
    assert completion.lost_tokens == (200, 14)


def test_fifty_requests_keep_their_places_within_the_limit() -> None:
    def script(request: Seen) -> Step:
        return Step(delay_s=0.06 if int(request.question) % 7 == 0 else 0.02)

    with FaultyServer(script) as server:
        engine = engine_for(server.url, concurrency=6)
        answers = list(engine.complete([ask(str(number)) for number in range(50)]))
    assert sorted(at for at, _ in answers) == list(range(50))
    assert all(completion.text == str(at) for at, completion in answers)
    assert sorted(server.questions, key=int) == [str(number) for number in range(50)]
    # Never above the limit; how it climbs is tested in test_pacing.py, without a clock.
    assert 1 < server.most_in_flight <= 6


def test_one_at_a_time() -> None:
    with FaultyServer([Step(delay_s=0.01)]) as server:
        list(engine_for(server.url, concurrency=1).complete([ask()] * 10))
    assert server.most_in_flight == 1


def test_no_requests_ask_nothing() -> None:
    assert list(engine_for(unused_url()).complete([])) == []


def test_answers_come_before_all_are_done() -> None:
    def script(request: Seen) -> Step:
        return Step(delay_s=5 if request.question == "slow" else 0)

    with FaultyServer(script) as server:
        stream = engine_for(server.url).complete([ask("slow"), ask("quick")])
        start = time.monotonic()
        assert next(stream)[0] == 1
        assert time.monotonic() - start < 3
        stream.close()  # type: ignore[attr-defined]


def test_a_request_begins_anew_after_an_outage_but_what_it_cost_stays() -> None:
    tries = Tries(ask(), seen=(0, 0), begun=1.0)
    tries.failed.append(TryError("HTTP 503"))
    tries.pay((10, 2))
    tries.forgive((0, 0))
    assert (len(tries.failed), tries.begun) == (1, 1.0)
    tries.forgive((0, 1))  # a doubt has ended: the wait is not its time, the failure is its own
    assert len(tries.failed) == 1
    assert tries.begun > 1.0
    tries.forgive((1, 1))
    assert not tries.failed
    given_up = tries.gives_up("HTTP 503", "no answer")
    assert (given_up.tokens_in, given_up.tokens_out, given_up.kind) == (10, 2, "HTTP 503")


def test_a_limit_on_requests_uses_tries_up_three_times_slower() -> None:
    throttled, broken = TryError("HTTP 429", passing=True), TryError("HTTP 503", passing=True)

    def used_up(*failed: TryError, attempts: int = 5) -> bool:
        return Tries(ask(), (0, 0), failed=list(failed)).are_used_up(attempts)

    assert not used_up(*[throttled] * 14)
    assert used_up(*[throttled] * 15)
    assert used_up(*[broken] * 5)
    assert not used_up(*[broken] * 4, *[throttled] * 2)
    assert used_up(*[broken] * 4, *[throttled] * 3)
    assert used_up(throttled, attempts=1), "one try is one try"


def test_waits_double_and_add_what_the_server_asks_for_up_to_the_longest() -> None:
    patience = Patience(first_wait_s=1.0, longest_wait_s=20.0)
    plain, asked = TryError("HTTP 503"), TryError("HTTP 429", pause=5.0)
    for count, widest in [(1, 1.0), (2, 2.0), (3, 4.0)]:
        waits = [backoff_s([plain] * count, patience) for _ in range(200)]
        assert 0 <= min(waits) < 0.5 * widest < max(waits) <= widest
    assert backoff_s([plain] * 2000, patience) <= 20.0
    assert 5.0 <= backoff_s([plain, asked], patience) <= 7.0
    assert backoff_s([TryError("HTTP 429", pause=9999)], patience) == 20.0
