"""A greeting tells what answers at an endpoint, and how, before anything is spent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engines.endpoint.asking import unused_url
from engines.faulty_server import FaultyServer, Seen, Step, failing, html, saying

from ladder.engines.endpoint.probing import GREETING, Probe, probe, said

KEY = "sk-very-secret-0123456789"
CONTEXTS = {
    "vLLM": ({"id": "tiny", "owned_by": "vllm", "max_model_len": 4096}, 4096),
    "SGLang": ({"id": "tiny", "owned_by": "sglang", "root": "tiny", "max_model_len": 32768}, 32768),
    "llama.cpp": (
        {"id": "/m/tiny.gguf", "owned_by": "llamacpp", "aliases": ["tiny"],
         "meta": {"n_ctx": 2048, "n_ctx_train": 8192}},
        2048,
    ),
    "llama.cpp, older": ({"id": "x", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}}, 8192),
    "Groq": ({"id": "tiny", "owned_by": "Meta", "context_window": 131072}, 131072),
    "OpenRouter": ({"id": "tiny", "context_length": 163840, "top_provider": {}}, 163840),
    "Mistral": ({"id": "tiny", "capabilities": {}, "max_context_length": 32768}, 32768),
    "OpenAI": ({"id": "tiny", "object": "model", "owned_by": "openai"}, None),
    "odd": ({"id": "tiny", "max_model_len": "many", "context_length": True}, None),
}  # fmt: skip


@pytest.mark.parametrize(("entry", "context"), CONTEXTS.values(), ids=CONTEXTS)
def test_the_context_as_servers_tell_it(entry: dict[str, Any], context: int | None) -> None:
    listed = {"object": "list", "data": [entry]}
    with FaultyServer([saying("Hello")], {"/v1/models": listed}) as server:
        found = probe("tiny", server.url, 5)
    assert (found.answer.text, found.context) == ("Hello", context)
    assert "tiny" in found.listed or entry["id"] in found.listed
    assert len(server.seen) == 1


def test_the_context_that_ollama_has_loaded_a_model_with() -> None:
    pages = {
        "/v1/models": {"data": [{"id": "tiny", "owned_by": "library"}, {"id": "other"}]},
        "/api/ps": {"models": [{"name": "tiny", "model": "tiny", "context_length": 4096}]},
    }
    with FaultyServer([saying("Hello")], pages) as server:
        assert probe("tiny", server.url, 5).context == 4096


@pytest.mark.parametrize("listed", [None, [], {}, {"data": None}, {"data": ["x"]}, 7, {"data": {}}])
def test_a_server_that_lists_nothing_is_greeted_all_the_same(listed: object) -> None:
    with FaultyServer([saying("Hello")], {"/v1/models": listed}) as server:
        found = probe("tiny", f"{server.url}/?api-version=1", 5)
    assert server.got == ["/v1/models?api-version=1"]
    assert (found.there, found.listed, found.context) == (True, (), None)
    assert "answered a greeting in " in said(found, "tiny")
    assert "(11 + 3 tokens)" in said(found, "tiny")


def test_a_greeting_is_small_and_holds_a_system_turn() -> None:
    with FaultyServer() as server:
        probe("tiny", server.url, 5)
    [seen] = server.seen
    assert [turn["role"] for turn in seen.payload["messages"]] == ["system", "user"]
    assert seen.payload["max_tokens"] == GREETING.max_tokens == 16


def test_a_model_that_is_not_there_is_told_with_those_that_are() -> None:
    words = 'model "tiny" not found, try pulling it first'
    pages = {"/v1/models": {"data": [{"id": name} for name in ("tiny:1b", "a", "b", "c", "d")]}}
    with FaultyServer([failing(404, words)], pages) as server:
        found = probe("tiny", server.url, 5)
    line = said(found, "tiny")
    assert not found.there
    assert line.startswith(f"no answer to a greeting: HTTP 404: {words}; it lists tiny:1b, ")
    assert line.endswith(" and 2 more")


NOTHING = {
    "page": (html(), "not JSON: an HTML page: Sign in"),
    "proxy's page": (html(502), "HTTP 502: an HTML page: Sign in"),
    "no key": (failing(401, "no key"), "refuses access"),
    "forbidden": (failing(403, "not yours"), "HTTP 403: not yours"),
    "too many": (failing(429, "slow down"), "HTTP 429: slow down"),
    "slow": (Step(delay_s=3), "no answer within 0.5 s"),
}


@pytest.mark.parametrize(("step", "words"), NOTHING.values(), ids=NOTHING)
def test_what_stands_in_the_way_is_told(step: Step, words: str) -> None:
    with FaultyServer([step]) as server:
        found = probe("tiny", server.url, 0.5)
    assert not found.there
    assert words in said(found, "tiny")
    assert len(server.seen) == 1


def test_a_server_that_is_not_up_yet_is_no_error() -> None:
    found = probe("tiny", unused_url(), 5)
    assert not found.there
    assert said(found, "tiny").startswith("no answer to a greeting: no connection: ")


def test_a_model_that_thinks_and_wants_its_own_parameters() -> None:
    def script(request: Seen) -> Step:
        if "max_tokens" in request.payload:
            return failing(400, "Unsupported parameter: 'max_tokens'")
        message = {"content": "", "reasoning_content": "The user says hello"}
        return saying("", usage=(30, 16), message=message, finish_reason="length")

    with FaultyServer(script) as server:
        found = probe("tiny", server.url, 5)
    assert found.there
    assert "it thinks first: all of these were used" in said(found, "tiny")
    assert said(found, "tiny").endswith("; max_completion_tokens instead of max_tokens")
    assert found.negotiated == ("max_completion_tokens instead of max_tokens",)


def test_thoughts_are_told() -> None:
    with FaultyServer([saying("<think>a greeting</think>Hello", usage=(30, 9))]) as server:
        assert "it thinks first (" in said(probe("tiny", server.url, 5), "tiny")


def test_the_key_goes_to_the_endpoint_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDER_API_KEY", KEY)
    with FaultyServer([failing(400, f"bad key {KEY}")]) as server:
        found = probe("tiny", server.url, 5)
    assert server.seen[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in said(found, "tiny") + repr(found)


def test_names_that_act_on_a_terminal_are_shown_harmless() -> None:
    pages = {"/v1/models": {"data": [{"id": "\x1b[2Jevil\n"}]}}
    with FaultyServer([failing(404, "no")], pages) as server:
        line = said(probe("tiny", server.url, 5), "tiny")
    assert line.isprintable()
    assert "evil" in line


def test_a_list_without_end_is_not_read() -> None:
    many = {"data": [{"id": "x" * 1000, "n": n} for n in range(11_000)]}
    assert len(json.dumps(many)) > 10_000_000
    with FaultyServer([saying("Hello")], {"/v1/models": many}) as server:
        found = probe("tiny", server.url, 5)
    assert found == Probe(found.answer)
