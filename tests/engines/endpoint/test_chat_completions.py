"""The wire format: what is sent, and what counts as an answer."""

from __future__ import annotations

import json
import warnings

import pytest
from engines.endpoint.asking import answer_of, ask
from engines.faulty_server import (
    CUT_SHORT,
    FILTERED,
    NO_CHOICES,
    REFUSAL,
    TOOL_CALL,
    FaultyServer,
    Step,
    raw,
    saying,
    zipped,
)

from ladder.engines.base import Request


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


def test_a_text_to_be_continued_goes_where_texts_are_continued() -> None:
    reply = raw({"choices": [{"index": 0, "text": " blue", "finish_reason": "stop"}]})
    with FaultyServer([reply]) as server:
        assert answer_of(server, Request(text="The sky is", stop=("\n",))).text == "blue"
    [seen] = server.seen
    assert seen.path == "/v1/completions"
    assert seen.payload["prompt"] == "The sky is"
    assert seen.payload["stop"] == ["\n"]
    assert "messages" not in seen.payload


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


NO_ANSWER = {
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
    "error of ours": (raw({"error": {"message": "no", "code": 400}}), "HTTP 400 in the reply"),
}


@pytest.mark.parametrize(("trouble", "kind"), NO_ANSWER.values(), ids=NO_ANSWER)
def test_a_response_without_an_answer_is_an_error_and_not_asked_for_again(
    trouble: Step, kind: str
) -> None:
    with FaultyServer([trouble, Step()]) as server:
        completion = answer_of(server)
    assert (completion.text, completion.kind) == ("", kind)
    assert completion.error
    assert len(server.seen) == 1


@pytest.mark.parametrize("trouble", [FILTERED, CUT_SHORT, REFUSAL, saying("")])
def test_what_was_billed_counts_though_it_is_no_answer(trouble: Step) -> None:
    with FaultyServer([trouble]) as server:
        completion = answer_of(server)
    assert completion.error
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)


ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {"prompt_tokens": True},
        {"prompt_tokens": -1},
        ZEROS,
        {**ZEROS, "prompt_tokens": 9},
    ],
)
def test_odd_usage_counts_as_missing(usage: object) -> None:
    body = {"choices": [{"message": {"content": "abcd"}}], "usage": usage}
    with FaultyServer([raw(body)]) as server, pytest.warns(UserWarning, match="estimates"):
        assert answer_of(server).tokens_out == 1


def test_half_a_surrogate_pair_becomes_text() -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud800b"}}], "usage": null}'
    with FaultyServer([Step(body=body)]) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert answer_of(server).text.encode() == b"a?b"
