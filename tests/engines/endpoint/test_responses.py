"""A response is read within bounds: packed, cut, endless, slow, streamed, or an error's."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from engines.endpoint.asking import answer_of, ask, engine_for
from engines.faulty_server import BROKEN_GZIP, FaultyServer, Step, failing, html, zipped

from ladder.engines.endpoint.responses import BODY_LIMIT_BYTES, retry_after

ZIPPED = {"Content-Encoding": "gzip"}


UNREADABLE = {
    "not JSON": (Step(body=b"<html>hello</html>"), "not JSON"),
    "a page": (html(), "not JSON"),
    "too deep": (Step(body=b"[" * 100_000), "not JSON"),
    "no body": (Step(body=b""), "not JSON"),
    "quota": (Step(429, b'{"error": {"code": "insufficient_quota"}}'), "no quota"),
    "broken gzip": (BROKEN_GZIP, "broken encoding"),
    "half a gzip": (Step(200, gzip.compress(b"x" * 99)[:-9], ZIPPED), "broken encoding"),
    "unknown encoding": (Step(200, b"x", {"Content-Encoding": "br"}), "broken encoding"),
    "gzip bomb": (zipped(b" " * 50_000_000), "too large"),
    "too large": (Step(body=b" " * (BODY_LIMIT_BYTES + 1)), "too large"),
    "501": (failing(501), "HTTP 501"),
    "402": (failing(402), "HTTP 402"),
}


@pytest.mark.parametrize(("trouble", "kind"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_response_that_cannot_be_read_is_an_error_and_not_asked_for_again(
    trouble: Step, kind: str
) -> None:
    with FaultyServer([trouble, Step()]) as server:
        completion = answer_of(server)
    assert (completion.text, completion.kind) == ("", kind)
    assert completion.error
    assert len(server.seen) == 1


def in_an_hour() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


def test_retry_after_forms() -> None:
    assert retry_after("2.5") == 2.5
    assert retry_after("-3") == 0
    assert retry_after("nan") is None
    assert retry_after("soon") is None
    assert retry_after("") is None
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after(in_an_hour()) == pytest.approx(3600, abs=60)


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
        engine = engine_for(server.url, timeout_s=60)  # a busy machine reads them slowly
        [(_, completion)] = engine.streaming(1).complete([ask()])
    assert "more than 10,000,000 bytes" in str(completion.error)


def test_a_stream_that_breaks_off_is_an_error() -> None:
    with FaultyServer([Step(words_s=0, cut=True)]) as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask("one two")])
    assert "broke off" in str(completion.error)


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
