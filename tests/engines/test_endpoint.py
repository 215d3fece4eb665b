"""The endpoint engine against a real server that misbehaves."""

from __future__ import annotations

import gc
import gzip
import json
import signal
import socket
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from engines.faulty_server import (
    BROKEN_GZIP,
    CUT_SHORT,
    ERROR_BESIDE,
    FILTERED,
    NO_CHOICES,
    REFUSAL,
    RESET,
    TOOL_CALL,
    FaultyServer,
    Seen,
    Step,
    failing,
    html,
    raw,
    saying,
    zipped,
)

from ladder.engines.base import Completion, Request
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.endpoint.breaker import Patience
from ladder.engines.endpoint.pacing import Pace
from ladder.engines.endpoint.responses import BODY_LIMIT_BYTES, retry_after
from ladder.errors import EngineError

ZIPPED = {"Content-Encoding": "gzip"}
KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LADDER_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def engine_for(url: str, **options: Any) -> EndpointEngine:
    quick = {"first_wait_s": 0.01, "longest_wait_s": 0.3, "first_probe_s": 0.05}
    known = {field.name for field in fields(Patience)}
    waits = {name: options.pop(name) for name in known & options.keys()}
    patience = Patience(**{**quick, "longest_probe_s": 0.2, "outage_s": 1.0, **waits})
    return EndpointEngine(
        "tiny", url, **{"timeout_s": 5.0, "attempts": 3, **options}, patience=patience
    )


def ask(question: str = "hello", **fields: Any) -> Request:
    return Request(messages=(("system", "be brief"), ("user", question)), **fields)


def answer_of(server: FaultyServer, request: Request | None = None, **options: Any) -> Completion:
    [(at, completion)] = engine_for(server.url, **options).complete([request or ask()])
    assert at == 0
    return completion


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def test_payload_and_answer() -> None:
    with FaultyServer() as server:
        completion = answer_of(server, ask("hi there", max_tokens=7, stop=("\n\n",)))
    assert (completion.text, completion.error) == ("hi there", None)
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)
    assert 0 < completion.seconds < 5
    [seen] = server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.payload == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hi there"},
        ],
        "max_tokens": 7,
        "temperature": 0,
        "seed": 0,
        "stop": ["\n\n"],
    }


def test_a_schema_and_a_draw_are_asked_for() -> None:
    schema = '{"type": "object", "properties": {"b": {}, "a": {}}}'
    with FaultyServer() as server:
        answer_of(server, ask(schema=schema, temperature=0.7, sample=3))
    payload = server.seen[0].payload
    assert (payload["temperature"], payload["seed"]) == (0.7, 3)
    shape = {"name": "answer", "schema": json.loads(schema)}
    assert payload["response_format"] == {"type": "json_schema", "json_schema": shape}


def test_plain_text_is_one_user_message_and_stop_is_left_out() -> None:
    with FaultyServer() as server:
        assert answer_of(server, Request(text="go on")).text == "go on"
    assert server.seen[0].payload["messages"] == [{"role": "user", "content": "go on"}]
    assert "stop" not in server.seen[0].payload


def test_text_ends_before_the_first_stop() -> None:
    with FaultyServer() as server:
        assert answer_of(server, ask("yes ; no END", stop=("END", ";", ""))).text == "yes"
    assert server.seen[0].payload["stop"] == ["END", ";"]


def test_query_and_password_are_used_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDER_API_KEY", KEY)
    with FaultyServer([failing(400, "no")]) as server:
        url = server.url.replace("://", "://me:hush@") + "/?api-version=2"
        engine = engine_for(url)
        [(_, completion)] = engine.complete([ask()])
    assert server.seen[0].path == "/v1/chat/completions?api-version=2"
    assert server.seen[0].headers["Authorization"].startswith("Basic ")
    shown = f"{engine!r} {engine.fingerprint()} {completion}"
    assert "hush" not in shown
    assert "api-version" not in shown
    assert engine.fingerprint() == {"endpoint": server.url, "model": "tiny"}


def test_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDER_API_KEY", f" {KEY}\n")
    with FaultyServer() as server:
        assert answer_of(server).error is None
    assert server.seen[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_named_key_is_sent_and_none_sends_no_header(
    monkeypatch: pytest.MonkeyPatch, settings_at: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    with FaultyServer() as server:
        answer_of(server)
        port = httpx.URL(server.url).port
        settings_at.write_text(f"endpoints: {{'127.0.0.1:{port}': MY_KEY}}\n")
        settings_at.chmod(0o600)
        monkeypatch.setenv("MY_KEY", KEY)
        monkeypatch.setenv("LADDER_API_KEY", "another")
        answer_of(server)
    assert "Authorization" not in server.seen[0].headers, "OPENAI_API_KEY is for api.openai.com"
    assert server.seen[1].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [400, 401, 429])
def test_the_key_is_never_repeated(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("LADDER_API_KEY", KEY)
    # The key straddles the 200th character: cutting first would leave a part of it.
    with FaultyServer([failing(status, f"{'x' * 190}{KEY} is wrong, {KEY}")]) as server:
        engine = engine_for(server.url, attempts=1)
        try:
            [(_, completion)] = engine.complete([ask()])
            told = completion.error or ""
        except EngineError as error:
            told = "".join(traceback.format_exception(error))
    assert "[secret]" in told
    assert KEY[:8] not in f"{told} {engine!r} {engine.fingerprint()} {vars(engine)}"


def test_a_key_that_no_header_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDER_API_KEY", "sk-two\nlines")
    with pytest.raises(EngineError, match="LADDER_API_KEY") as caught:
        list(engine_for(unused_url()).complete([ask()]))
    assert "two" not in str(caught.value)


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


def test_retry_after_forms() -> None:
    assert retry_after("2.5") == 2.5
    assert retry_after("-3") == 0
    assert retry_after("nan") is None
    assert retry_after("soon") is None
    assert retry_after("") is None
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after(in_an_hour()) == pytest.approx(3600, abs=60)


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
LASTING_TROUBLE = {
    "not JSON": (Step(body=b"<html>hello</html>"), "not JSON"),
    "a page": (html(), "not JSON"),
    "too deep": (Step(body=b"[" * 100_000), "not JSON"),
    "no body": (Step(body=b""), "not JSON"),
    "JSON list": (raw([1, 2]), "no choices"),
    "no choices": (NO_CHOICES, "no choices"),
    "empty choices": (raw({"choices": []}), "no choices"),
    "odd choices": (raw({"choices": ["text"]}), "no text"),
    "no message": (raw({"choices": [{}]}), "no text"),
    "content null": (saying(None), "no text"),
    "content a number": (saying(7), "no text"),
    "no content": (raw({"choices": [{"message": {"role": "assistant"}}]}), "no text"),
    "part without text": (saying([{"type": "image_url", "image_url": {}}]), "no text"),
    "text of a part a list": (saying([{"type": "text", "text": ["a"]}]), "no text"),
    "no parts": (saying([]), "no text"),
    "empty": (saying(""), "empty"),
    "blank": (saying(" \n\u200b "), "empty"),
    "blank parts": (saying([{"type": "text", "text": " "}]), "empty"),
    "cut": (CUT_SHORT, "cut before any text"),
    "refusal": (REFUSAL, "refusal"),
    "tool call": (TOOL_CALL, "tool call"),
    "filter": (FILTERED, "content filter"),
    "quota": (Step(429, b'{"error": {"code": "insufficient_quota"}}'), "no quota"),
    "error of ours": (raw({"error": {"message": "no", "code": 400}}), "HTTP 400 in the reply"),
    "broken gzip": (BROKEN_GZIP, "broken encoding"),
    "half a gzip": (Step(200, gzip.compress(b"x" * 99)[:-9], ZIPPED), "broken encoding"),
    "unknown encoding": (Step(200, b"x", {"Content-Encoding": "br"}), "broken encoding"),
    "gzip bomb": (zipped(b" " * 50_000_000), "too large"),
    "too large": (Step(body=b" " * (BODY_LIMIT_BYTES + 1)), "too large"),
    "501": (failing(501), "HTTP 501"),
    "402": (failing(402), "HTTP 402"),
}


@pytest.mark.parametrize(("trouble", "kind"), LASTING_TROUBLE.values(), ids=LASTING_TROUBLE)
def test_what_asking_again_cannot_mend_is_asked_once(trouble: Step, kind: str) -> None:
    with FaultyServer([trouble, Step()]) as server:
        completion = answer_of(server)
    assert (completion.text, completion.kind) == ("", kind)
    assert completion.error
    assert len(server.seen) == 1


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


def test_the_error_repeats_what_the_server_said() -> None:
    with FaultyServer([failing(500, "the GPU\nfell off")]) as server:
        assert "HTTP 500: the GPU fell off" in str(answer_of(server).error)
    with FaultyServer([PASSING_TROUBLE["error with 200"]]) as server:
        assert "upstream is down" in str(answer_of(server).error)


def test_time_out_then_answer() -> None:
    with FaultyServer([Step(delay_s=5), Step()]) as server:
        start = time.monotonic()
        assert answer_of(server, timeout_s=0.3).text == "hello"
    assert 0.3 <= time.monotonic() - start < 2


def test_time_out_every_time() -> None:
    with FaultyServer([Step(delay_s=5)]) as server:
        completion = answer_of(server, timeout_s=0.2, attempts=2)
    assert completion.error == (
        "no answer in 2 attempts; the last: time-out: no answer within 0.2 s"
    )
    assert completion.kind == "time-out"


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


def test_a_refused_key_stops_the_run() -> None:
    with FaultyServer([Step(), failing(401, "who are you?")]) as server:
        stream = engine_for(server.url, concurrency=1).complete([ask()] * 100)
        assert next(stream)[1].text == "hello"
        with pytest.raises(EngineError, match=r"who are you\?.*LADDER_API_KEY"):
            next(stream)
    assert len(server.seen) == 2


def test_a_forbidden_key_stops_the_run_where_nothing_was_ever_answered() -> None:
    told = pytest.raises(EngineError, match=r"who are you\?.*LADDER_API_KEY")
    with FaultyServer([failing(403, "who are you?")]) as server, told:
        list(engine_for(server.url).complete([ask()] * 100))
    assert len(server.seen) <= 9


def test_a_forbidden_request_fails_alone() -> None:
    def script(request: Seen) -> Step:
        return failing(403, "moderated") if request.question == "bad" else Step()

    with FaultyServer(script) as server:
        for questions in (["bad", "a"], ["a", "bad"]):  # as the first of all, and later
            engine = engine_for(server.url, concurrency=1)
            answers = dict(engine.complete([ask(question) for question in questions]))
            assert answers[questions.index("bad")].kind == "HTTP 403"
            assert answers[questions.index("a")].text == "a"


def test_nothing_listens() -> None:
    url = unused_url()
    with pytest.raises(EngineError, match="nothing listens at") as caught:
        list(engine_for(url).complete([ask()] * 20))
    assert url in str(caught.value)


def test_a_server_that_goes_away_fails_the_rest_only() -> None:
    with FaultyServer() as server:
        engine = engine_for(server.url)
        assert dict(engine.complete([ask()]))[0].text == "hello"
    [(_, completion)] = engine.complete([ask()])
    assert "no connection" in str(completion.error)


CONTENTS = {
    "parts": (saying([{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]), "a b"),
    "thoughts before": (
        saying([{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}]),
        "a",
    ),
    "refusal beside text": (saying("x", message={"content": "a", "refusal": "no"}), "a"),
    "cut after some text": (saying("a b", finish_reason="length"), "a b"),
    "packed": (zipped(saying("a").body), "a"),  # type: ignore[arg-type]
    "index 0 is not the first": (
        raw({"choices": [{"index": 1, "message": {"content": "b"}},
                         {"index": 0, "message": {"content": "a"}}], "usage": None}),
        "a",
    ),
    "no index 0": (
        raw({"choices": [{"index": 2, "message": {"content": "a"}},
                         {"index": 1, "message": {"content": "b"}}], "usage": None}),
        "a",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*estimates")
@pytest.mark.parametrize(("step", "text"), CONTENTS.values(), ids=CONTENTS)
def test_every_valid_form_of_an_answer(step: Step, text: str) -> None:
    with FaultyServer([step]) as server:
        completion = answer_of(server)
    assert (completion.text, completion.error) == (text, None)


def test_leading_breaks_do_not_stop_an_answer_and_nothing_before_a_stop_is_none() -> None:
    with FaultyServer([saying("\n\n yes\nno"), saying("; yes")]) as server:
        assert answer_of(server, ask(stop=("\n", ";"))).text == "yes"
        completion = answer_of(server, ask(stop=("\n", ";")))
    assert (completion.text, completion.kind) == ("", "empty")
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)


@pytest.mark.parametrize("trouble", [FILTERED, CUT_SHORT, REFUSAL, saying("")])
def test_what_was_billed_counts_though_it_is_no_answer(trouble: Step) -> None:
    with FaultyServer([trouble]) as server:
        completion = answer_of(server)
    assert completion.error
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)


def test_failed_tries_that_were_billed_add_up() -> None:
    broken = saying("x", usage=(100, 7), error={"message": "overloaded"})
    with FaultyServer([broken, broken, Step()]) as server:
        completion = answer_of(server)
    assert completion.text == "hello"
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)
    assert completion.lost_tokens == (200, 14)


def test_missing_usage_is_estimated_with_one_warning() -> None:
    with FaultyServer([Step(usage=False)]) as server:
        engine = engine_for(server.url)
        with pytest.warns(UserWarning, match="estimates") as caught:
            answers = dict(engine.complete([ask("12345678")] * 3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(list(engine.complete([ask()]))) == 1
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert answers[0].tokens_in == 2 + 2  # "be brief" and the question: 8 characters each
    assert answers[0].tokens_out == 3  # two blanks, 8 characters, a line end
    assert engine.count_tokens("12345") == 2


@pytest.mark.parametrize("usage", [None, [], {"prompt_tokens": True}, {"prompt_tokens": -1}])
def test_odd_usage_counts_as_missing(usage: object) -> None:
    body = {"choices": [{"message": {"content": "abcd"}}], "usage": usage}
    with FaultyServer([raw(body)]) as server, pytest.warns(UserWarning, match="estimates"):
        assert answer_of(server).tokens_out == 1


def test_half_a_surrogate_pair_becomes_text() -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud800b"}}], "usage": null}'
    with FaultyServer([Step(body=body)]) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert answer_of(server).text.encode() == b"a?b"


def test_fifty_requests_keep_their_places_within_the_limit() -> None:
    def script(request: Seen) -> Step:
        return Step(delay_s=0.06 if int(request.question) % 7 == 0 else 0.02)

    with FaultyServer(script) as server:
        engine = engine_for(server.url, concurrency=6)
        answers = list(engine.complete([ask(str(number)) for number in range(50)]))
    assert sorted(at for at, _ in answers) == list(range(50))
    assert all(completion.text == str(at) for at, completion in answers)
    assert sorted(server.questions, key=int) == [str(number) for number in range(50)]
    # It starts at 4 and climbs, but never above the limit.
    assert 4 < server.most_in_flight <= 6


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


def test_closing_early_stops_the_work() -> None:
    def script(request: Seen) -> Step:
        return Step(delay_s=0 if request.question == "0" else 0.3)

    before = threading.active_count()
    with FaultyServer(script) as server:
        engine = engine_for(server.url, concurrency=4)
        stream = engine.complete([ask(str(number)) for number in range(100)])
        assert next(stream)[0] == 0
        start = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - start < 2
        time.sleep(0.2)  # what was on its way arrives
        asked = len(server.seen)
        time.sleep(0.4)
        assert len(server.seen) == asked < 20
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_closing_during_a_wait_does_not_hang() -> None:
    with FaultyServer([Step(), failing(429, retry_after="60")]) as server:
        engine = engine_for(server.url, concurrency=2, longest_wait_s=60)
        stream = engine.complete([ask()] * 10)
        next(stream)
        time.sleep(0.1)
        start = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - start < 2


def test_an_interrupt_in_the_caller_leaves_nothing_behind() -> None:
    def interrupted(stream: Any) -> None:
        for _ in stream:
            raise KeyboardInterrupt

    with (
        FaultyServer([Step(), Step(delay_s=5)]) as server,
        warnings.catch_warnings(record=True) as told,
    ):
        warnings.simplefilter("always")
        with pytest.raises(KeyboardInterrupt):
            interrupted(engine_for(server.url).complete([ask()] * 20))
        gc.collect()
    assert [str(warning.message) for warning in told] == []  # e.g. an unclosed event loop


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C works as on a terminal, also where the tests are a background job that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_waiting_for_the_first_answer(interruptible: None) -> None:
    main = threading.main_thread().ident
    assert main is not None
    with FaultyServer([Step(delay_s=5)]) as server:
        timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
        start = time.monotonic()
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            list(engine_for(server.url).complete([ask()] * 20))
        assert time.monotonic() - start < 3


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


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://[::1]:80/v1", True),
        ("https://api.example.com/v1", False),
        ("http://localhost.example.com/v1", False),
        ("http://127.0.0.1@example.com/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://0.0.0.0/v1", False),
    ],
)
def test_local_means_loopback(url: str, local: bool) -> None:
    abilities = EndpointEngine("tiny", url).abilities
    assert abilities.local is local
    assert abilities.served, "else neither the spending limit nor the time limit is held"
    assert (abilities.plain, abilities.scores_choices, abilities.context) == (False, False, 8192)


def test_what_is_local_does_not_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", unused_url())
    with FaultyServer() as server:
        assert answer_of(server).text == "hello"


@pytest.mark.parametrize(
    "url", ["ftp://host/v1", "http://", "host/v1", "http://u:hush@h:port/", ""]
)
def test_a_wrong_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(EngineError, match="https://host/v1") as caught:
        EndpointEngine("tiny", url)
    assert "hush" not in str(caught.value)


# Streamed, to be timed


def test_a_streamed_answer_tells_when_its_first_token_came() -> None:
    with FaultyServer([Step(words_s=0.05)]) as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask("one two three")])
    assert (completion.text, completion.error) == ("one two three", None)
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)
    assert completion.first_s is not None
    # Two words and the usage come after the first word.
    assert 0.05 < completion.first_s < completion.seconds - 0.1


def test_a_stream_without_usage_is_estimated() -> None:
    with FaultyServer([Step(words_s=0, usage=False)]) as server, pytest.warns(match="estimates"):
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask("one two")])
    assert (completion.text, completion.tokens_out) == ("one two", 2)


def test_an_endpoint_that_does_not_stream_is_timed_all_the_same() -> None:
    with FaultyServer() as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask("one two")])
    assert completion.text == "one two"
    assert completion.seconds > 0
    assert completion.first_s is None
    assert server.seen[0].payload["stream"] is True


@pytest.mark.parametrize("line", ["data: {", "data: 7", 'data: {"choices": [{}]}'])
def test_an_event_that_is_no_part_of_an_answer_is_an_error(line: str) -> None:
    step = Step(body=f"{line}\n\n".encode(), headers={"Content-Type": "text/event-stream"})
    with FaultyServer([step]) as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask()])
    assert "no part of an answer" in str(completion.error)


def test_an_error_in_a_stream_is_an_error() -> None:
    body = b'data: {"error": {"message": "out of memory"}}\n\ndata: [DONE]\n\n'
    step = Step(body=body, headers={"Content-Type": "text/event-stream"})
    with FaultyServer([step]) as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask()])
    assert "out of memory" in str(completion.error)


def test_line_breaks_of_other_scripts_stay_inside_an_answer() -> None:
    said = "one\u2028two\u0085three"
    part = json.dumps({"choices": [{"delta": {"content": said}, "finish_reason": "stop"}]},
                      ensure_ascii=False)  # fmt: skip
    step = Step(body=f"data: {part}".encode(), headers={"Content-Type": "text/event-stream"})
    with FaultyServer([step]) as server, pytest.warns(match="estimates"):
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask()])
    assert completion.text == said


def test_a_stream_without_end_is_not_kept() -> None:
    body = b"data: " + b"x" * (BODY_LIMIT_BYTES + 10)
    step = Step(body=body, headers={"Content-Type": "text/event-stream"})
    with FaultyServer([step]) as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask()])
    assert "more than 10,000,000 bytes" in str(completion.error)


def test_a_refused_key_is_told_though_it_comes_as_a_stream() -> None:
    step = Step(401, b"data: {}", {"Content-Type": "text/event-stream"})
    with FaultyServer([step]) as server, pytest.raises(EngineError, match="refuses access"):
        list(engine_for(server.url).streaming(1).complete([ask()]))


def events(*parts: dict[str, Any]) -> Step:
    body = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
    return Step(body=body.encode(), headers={"Content-Type": "text/event-stream"})


def delta(index: int | None, content: object, **choice: Any) -> dict[str, Any]:
    named = {} if index is None else {"index": index}
    return {"choices": [{**named, "delta": {"content": content}, **choice}], "usage": USAGE}


USAGE = {"prompt_tokens": 11, "completion_tokens": 3}
STREAMS = {
    "two choices": (events(delta(1, "x"), delta(0, "a"), delta(1, "y"), delta(0, "b")), "ab", ""),
    "no index": (events(delta(None, "a"), delta(None, "b")), "ab", ""),
    "other indices": (events(delta(2, "a"), delta(1, "x"), delta(2, "b")), "ab", ""),
    "parts": (events(delta(0, [{"type": "text", "text": "a"}])), "a", ""),
    "filter": (events(delta(0, "a"), delta(0, "", finish_reason="content_filter")), "",
               "content filter"),
    "nothing": (events(delta(0, None), delta(0, "")), "", "empty"),
    "cut": (events(delta(0, "", finish_reason="length")), "", "cut before any text"),
    "refusal": (events({"choices": [{"index": 0, "delta": {"refusal": "no"}}], "usage": USAGE}),
                "", "refusal"),
}  # fmt: skip


@pytest.mark.parametrize(("step", "text", "kind"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_read_as_a_whole_answer_is(step: Step, text: str, kind: str) -> None:
    with FaultyServer([step]) as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask()])
    assert (completion.text, completion.kind) == (text, kind)
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)


SLOW = {
    "head": Step(drip_s=0.05),
    "body": Step(body=b"x" * 99, drip_s=0.05),
    "spaces": Step(endless=b" ", drip_s=0.05),
    "events": Step(endless=b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n',
                   headers={"Content-Type": "text/event-stream"}, drip_s=0.05),
    "packed": Step(endless=b"\x00", headers={"Content-Encoding": "gzip"}, drip_s=0.3),
    "error": Step(503, endless=b" ", drip_s=0.05),
}  # fmt: skip


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_nothing_that_trickles_in_outlives_the_limit(slow: Step) -> None:
    with FaultyServer([slow]) as server:
        start = time.monotonic()
        completion = answer_of(server, timeout_s=0.4, attempts=1)
        took = time.monotonic() - start
    assert completion.kind in ("time-out", "broken encoding")
    assert took < 1.5


def test_a_stream_that_breaks_off_is_an_error() -> None:
    with FaultyServer([Step(words_s=0, cut=True)]) as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask("one two")])
    assert "broke off" in str(completion.error)


def test_as_many_are_under_way_as_are_asked_for_from_the_start() -> None:
    with FaultyServer([Step(delay_s=0.3)]) as server:
        asked = [ask(str(at)) for at in range(12)]
        answers = list(engine_for(server.url).streaming(12).complete(asked))
    assert len(answers) == 12
    assert server.most_in_flight == 12
    assert all(request.payload["stream"] for request in server.seen)
