"""What a server refuses is put in another way, once, and said; what it answers to is kept."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from engines.endpoint.asking import answer_of, ask, engine_for
from engines.faulty_server import FaultyServer, Seen, Step, failing, raw, saying

from ladder.engines.base import Request
from ladder.engines.endpoint.chat_completions import payload
from ladder.engines.endpoint.failure import TryError
from ladder.engines.endpoint.negotiation import Form, refused_in
from ladder.engines.endpoint.sending import MOST_REFUSED_IN_VAIN

SCHEMA = '{"type": "object", "properties": {"a": {}}}'
FULL = payload("m", ask(stop=("\n",), schema=SCHEMA, temperature=0.5), stream=True)
GREEDY = payload("m", ask(stop=("\n",), schema=SCHEMA), stream=True)


def openai(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


def field(name: str, kind: str = "extra_forbidden") -> dict[str, Any]:
    error = {"type": kind, "loc": ["body", name], "msg": "Extra inputs are not permitted"}
    return {"detail": [error | {"input": FULL}]}


REFUSED = {
    "OpenAI o-series": (
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        "max_tokens",
    ),
    "OpenAI, the value": (
        openai(
            "Unsupported value: 'temperature' does not support 0 with this model. Only the "
            "default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        ),
        "temperature",
    ),
    "no param": (openai("Unsupported parameter: 'stop' is not supported.", param=None), "stop"),
    "OpenAI, old": (openai("Unrecognized request argument supplied: seed"), "seed"),
    "o1-preview": (
        openai("Unsupported value: 'messages[0].role' does not support 'system' with this model.",
               param="messages[0].role"),
        "system",
    ),
    "Mistral": (
        {"object": "error", "message": field("seed"), "type": "invalid_request_error"},
        "seed",
    ),
    "FastAPI": (field("stream_options"), "stream_options"),
    "FastAPI, deep": (
        {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user' or "
                     "'assistant'", "type": "literal_error"}]},
        "system",
    ),
    "Google": (
        [{"error": {"code": 400, "message": 'Invalid JSON payload received. Unknown name "seed": '
                    "Cannot find field.", "status": "INVALID_ARGUMENT"}}],
        "seed",
    ),
    "Google, Gemma": (
        [{"error": {"code": 400, "message": "Developer instruction is not enabled for "
                    "models/gemma-3-1b-it"}}],
        "system",
    ),
    "Go": ({"error": 'json: unknown field "stream_options"'}, "stream_options"),
    "Groq": (
        openai("This model does not support response format `json_schema`. See supported models"),
        "response_format",
    ),
    "DeepSeek": (openai("This response_format type is unavailable now"), "response_format"),
    "vLLM, template": (
        {"object": "error", "message": "System role not supported", "code": 400},
        "system",
    ),
    "LM Studio": (
        {"error": "Error rendering prompt with jinja template: Only user and assistant roles are "
         "supported!"},
        "system",
    ),
    "Mistral's template": (
        openai("Conversation roles must alternate user/assistant/user/assistant/..."),
        "system",
    ),
    "Anthropic": (openai("messages: Unexpected role \"system\"."), "system"),
    "JSON Schema": (openai("Additional properties are not allowed ('seed' is one)"), "seed"),
    "OpenRouter": (
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {
            "provider_name": "x", "raw": json.dumps(openai("'stop' is not supported"))}}},
        "stop",
    ),
    "an older spelling": (
        openai("this model is not supported MaxTokens, please use MaxCompletionTokens"),
        "max_tokens",
    ),
    "a role by its place": (openai("messages[0].role must be one of: user, assistant"), "system"),
    "the roles that there are": (openai("supported roles are user, assistant"), "system"),
    "the first of two": (openai("unknown parameters: seed, temperature"), "seed"),
    "too large a limit": (
        openai("max_tokens is too large: 64. This model's maximum context length is 40 tokens"),
        None,
    ),
    "too large, by name": (openai("must be less than 8192", param="max_tokens"), None),
    "too long": (
        openai("This model's maximum context length is 4096 tokens. However, you requested 5000 "
               "tokens (4936 in the messages, 64 in the completion)."),
        None,
    ),
    "model": (openai('model "tiny" not found, try pulling it first', param="model"), None),
    "a word": (openai("the server was told to stop and is shutting down"), None),
    "another field": (field("prompt", "missing"), None),
    "nothing": ({}, None),
}  # fmt: skip


def refusal(body: Any, kind: str = "HTTP 400") -> TryError:
    failure = TryError(kind)
    failure.hear(body)
    return failure


@pytest.mark.parametrize(("body", "name"), REFUSED.values(), ids=REFUSED)
def test_what_a_server_refuses_is_found_in_its_words(body: Any, name: str | None) -> None:
    for kind in ("HTTP 400", "HTTP 422", "HTTP 500", "HTTP 400 in the reply"):
        assert refused_in(FULL, refusal(body, kind)) == name
    for kind in ("HTTP 401", "HTTP 404", "HTTP 429", "HTTP 503", "time-out"):
        assert refused_in(FULL, refusal(body, kind)) is None


def put(body: Any, sent: dict[str, Any] = GREEDY, form: Form = Form()) -> Form:  # noqa: B008
    found = form.without(sent, refusal(body))
    assert found is not None
    return found


def test_ways_to_put_it() -> None:
    named = put(openai("'max_tokens' is not supported")).of(GREEDY)
    assert named == {
        "max_completion_tokens" if name == "max_tokens" else name: value
        for name, value in GREEDY.items()
    }
    assert "temperature" not in put(openai("temperature is not supported")).of(GREEDY)
    assert "random_seed" in put(field("seed"), FULL).of(FULL)
    assert "response_format" not in put(openai("response_format: no such field")).of(GREEDY)


def test_a_temperature_of_nothing_is_nearly_greedy_where_it_must_be_positive() -> None:
    positive = openai("`temperature` must be strictly positive")
    form = put(positive)
    assert form.of(GREEDY)["temperature"] == 0.01
    assert form.of(FULL)["temperature"] == 0.5, "a draw stays one"
    assert "temperature" not in put(positive, form=form).of(GREEDY)


def test_the_instruction_goes_into_the_first_user_turn() -> None:
    messages = (("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c"))
    sent = payload("m", Request(messages=messages))
    form = put(openai("System role not supported"), sent)
    turns = [(turn["role"], turn["content"]) for turn in form.of(sent)["messages"]]
    assert turns == [("user", "Be brief.\n\na"), ("assistant", "b"), ("user", "c")]
    alone = payload("m", Request(messages=(("system", "Say hello."),)))
    assert form.of(alone)["messages"] == [{"role": "user", "content": "Say hello."}]
    plain = payload("m", Request(text="go on"))
    assert form.of(plain) == plain


def test_a_developer_is_tried_where_the_server_speaks_of_one_and_then_the_user() -> None:
    form = put(openai("'system' is not supported, use 'developer'"))
    assert form.of(GREEDY)["messages"][0] == {"role": "developer", "content": "be brief"}
    again = put(openai("'developer' is not supported"), form=form)
    assert [turn["role"] for turn in again.of(GREEDY)["messages"]] == ["user"]
    assert again.without(GREEDY, refusal(openai("roles must alternate"))) is None


def test_a_limit_gets_the_name_that_the_server_speaks_of() -> None:
    form = put(openai("unknown field max_tokens, did you mean max_new_tokens?"))
    assert form.of(GREEDY)["max_new_tokens"] == 64
    again = put(openai("'max_new_tokens' is not supported"), form=form)
    assert again.of(GREEDY)["max_completion_tokens"] == 64
    value = openai("'max_new_tokens' must be at most 32")
    assert form.without(GREEDY, refusal(value)) is None


def test_a_refusal_that_is_no_json_is_read_as_well() -> None:
    steps = [Step(400, b"unsupported parameter: seed"), Step()]
    with FaultyServer(steps) as server, pytest.warns(match="seed left out"):
        assert answer_of(server, ask(temperature=0.5)).text == "hello"


def test_a_limit_is_never_left_out() -> None:
    form = put(openai("'max_tokens' is not supported"))
    words = openai("'max_completion_tokens' is not supported", param="max_completion_tokens")
    assert form.without(GREEDY, refusal(words)) is None


# Asked of a server


def picky(*names: str, temperature: bool = False) -> Callable[[Seen], Step]:
    """Refuse parameters as OpenAI's reasoning models do."""

    def script(request: Seen) -> Step:
        for name in names:
            if name in request.payload:
                words = f"Unsupported parameter: '{name}' is not supported with this model."
                return Step(400, json.dumps(openai(words, param=name)).encode(), delay_s=0.05)
        if temperature and request.payload.get("temperature", 1) != 1:
            words = "Unsupported value: 'temperature' does not support 0 with this model."
            return Step(400, json.dumps(openai(words)).encode(), delay_s=0.05)
        return Step()

    return script


def test_what_was_found_out_holds_for_all_further_requests_and_is_said_once() -> None:
    with FaultyServer(picky("max_tokens", "stop", temperature=True)) as server:
        engine = engine_for(server.url, refusals_at_first=2, refusals=2)
        with pytest.warns(UserWarning, match="tiny at") as said:
            answers = dict(engine.complete([ask(str(at), stop=("\n",)) for at in range(20)]))
        first = len(server.seen)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            list(engine.complete([ask("later")]))
            list(engine.streaming(1).complete([ask("timed")]))
    assert [answers[at].text for at in range(20)] == [str(at) for at in range(20)]
    assert first <= 20 + 4 * 3, "a wave of four for each of three parameters"
    assert len(server.seen) == first + 2
    assert server.seen[-1].payload["max_completion_tokens"] == 64
    assert engine.counts == {}, "what is refused for its form is no failure"
    assert engine.negotiated == {
        "max_tokens": "max_completion_tokens instead of max_tokens",
        "stop": "stop left out (answers are ended here)",
        "temperature": "temperature left out (the server draws its answers: they differ from time "
        "to time)",
    }
    assert engine.abilities.negotiated == tuple(engine.negotiated.values())
    where = f"tiny at {server.url}: "
    assert [str(each.message) for each in said] == [where + "; ".join(engine.negotiated.values())]
    assert engine.fingerprint() == engine_for(server.url).fingerprint()


def test_a_refusal_in_a_reply_of_200_is_one_as_well() -> None:
    def script(request: Seen) -> Step:
        told = {"message": "Provider returned error", "code": 400,
                "metadata": {"raw": json.dumps(openai("'stop' is not supported"))}}  # fmt: skip
        return raw({"error": told}) if "stop" in request.payload else Step()

    with FaultyServer(script) as server, pytest.warns(match="stop left out"):
        assert answer_of(server, ask("a;b", stop=(";",))).text == "a"


def test_a_template_without_a_system_turn() -> None:
    """llama.cpp's server answers 500 where the template raises."""

    def script(request: Seen) -> Step:
        turns = [turn["role"] for turn in request.payload["messages"]]
        return failing(500, "System role not supported") if "system" in turns else Step()

    with FaultyServer(script) as server, pytest.warns(match="first user turn"):
        assert answer_of(server).text == "be brief\n\nhello"
    assert len(server.seen) == 2


def test_words_that_name_a_parameter_by_chance_teach_nothing() -> None:
    bad = [ask(f"bad {at}") for at in range(MOST_REFUSED_IN_VAIN + 3)]

    def script(request: Seen) -> Step:
        words = "'temperature' and other words in your text are refused"
        return failing(400, words) if request.question.startswith("bad") else Step()

    with FaultyServer(script) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = engine_for(server.url, concurrency=1)
        answers = dict(engine.complete([*bad, ask("good")]))
    assert answers[len(bad)].text == "good"
    assert "other words in your text" in str(answers[0].error)
    assert engine.negotiated == {}
    assert server.seen[-1].payload["temperature"] == 0
    assert len(server.seen) == len(bad) + 1 + MOST_REFUSED_IN_VAIN
    assert engine.counts == {"HTTP 400": len(bad)}


def test_rows_that_are_refused_for_themselves_do_not_end_the_negotiation() -> None:
    def script(request: Seen) -> Step:
        if "max_tokens" in request.payload:
            return failing(400, "Unsupported parameter: 'max_tokens'")
        return failing(400, "prompt is too long") if request.question == "long" else Step()

    rows = [ask("long")] * (MOST_REFUSED_IN_VAIN + 2)
    with FaultyServer(script) as server:
        engine = engine_for(server.url, concurrency=1)
        with pytest.warns(match="max_completion_tokens"):
            answers = dict(engine.complete([*rows, ask("short")]))
    assert answers[len(rows)].text == "short"
    assert str(answers[0].error) == "too long: prompt is too long"


def test_words_by_chance_while_a_server_is_out_do_not_double_the_tries() -> None:
    with FaultyServer([failing(500, "the system message queue is full")]) as server:
        engine = engine_for(server.url, concurrency=1, failures=99, attempts=9)
        list(engine.complete([ask()]))
    assert len(server.seen) == 9 + MOST_REFUSED_IN_VAIN
    assert engine.negotiated == {}


def test_trouble_on_the_way_teaches_nothing_and_is_waited_out() -> None:
    steps = [failing(400, "'seed' is not supported"), failing(503), Step()]
    with FaultyServer(steps) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = engine_for(server.url)
        [(_, completion)] = engine.complete([ask(temperature=0.5)])
    assert completion.text == "hello"
    assert engine.negotiated == {}
    assert ["seed" in request.payload for request in server.seen] == [True, False, True]


def test_a_form_that_is_taken_is_kept_though_the_answer_is_cut() -> None:
    def script(request: Seen) -> Step:
        refused = "max_tokens" in request.payload
        return (
            failing(400, "'max_tokens' is not supported")
            if refused
            else saying("", finish_reason="length")
        )

    with FaultyServer(script) as server:
        engine = engine_for(server.url, concurrency=1)
        with pytest.warns(match="max_completion_tokens"):
            answers = dict(engine.complete([ask("a"), ask("b")]))
    assert {answer.kind for answer in answers.values()} == {"cut before any text"}
    assert len(server.seen) == 3


def test_a_stop_that_ends_the_thoughts_is_applied_here_instead() -> None:
    """With a stop of a line break, a server ends the block of thoughts at its first line."""

    def script(request: Seen) -> Step:
        if "stop" in request.payload:
            return saying("<think>", usage=(11, 2), finish_reason="stop")
        return saying("<think>\nlate\n</think>\n\ndelivery\nmore", usage=(11, 9))

    with FaultyServer(script) as server, pytest.warns(match="stop left out"):
        completion = answer_of(server, ask(stop=("\n",)))
    assert completion.text == "delivery"
    assert completion.lost_tokens == (11, 2), "the first try was paid"


def test_a_server_without_stream_options_streams_all_the_same() -> None:
    def script(request: Seen) -> Step:
        if "stream_options" in request.payload:
            return Step(422, json.dumps(field("stream_options")).encode())
        return Step(words_s=0)

    with FaultyServer(script) as server:
        timed = engine_for(server.url).streaming(1)
        with pytest.warns(match="stream_options left out"):
            answers = dict(timed.complete([ask("one two"), ask("three")]))
    assert [answers[at].text for at in (0, 1)] == ["one two", "three"]
    assert all(request.payload["stream"] for request in server.seen)
    assert len(server.seen) == 3
