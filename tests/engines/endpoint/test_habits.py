"""Replies as the documentation of well-known servers shows them, and what is read out of them.

Each is cut down to what is read; its source stands above it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from engines.endpoint.asking import answer_of, ask, engine_for
from engines.faulty_server import FaultyServer, Step, raw

from ladder.language.tokens import likely_tokens


@dataclass(frozen=True)
class Read:
    """What an answer should be."""

    text: str = "delivery"
    thoughts: int = 0
    tokens_out: int = 60
    cut: bool = False
    kind: str = ""


def reply(
    message: dict[str, Any], finish: str | None = "stop", usage: Any = None, **choice: Any
) -> dict[str, Any]:
    counted = {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80}
    return {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", **message},
                "finish_reason": finish,
                **choice,
            }
        ],
        "usage": counted if usage is None else usage,
    }


def usage_with(thoughts: int, answer: int = 60, total: int = 80) -> dict[str, Any]:
    details = {"reasoning_tokens": thoughts, "accepted_prediction_tokens": 0}
    return {"prompt_tokens": 20, "completion_tokens": answer, "total_tokens": total,
            "completion_tokens_details": details}  # fmt: skip


LATE = "The customer asks about a parcel that is late."
SOME = likely_tokens(LATE)
CUT = {"kind": "cut before any text", "text": ""}
REPLIES = {
    # platform.openai.com/docs/guides/reasoning: usage; reasoning itself is not shown.
    "OpenAI o-series": (
        reply({"content": "delivery", "refusal": None}, usage=usage_with(48)),
        Read(thoughts=48),
    ),
    "OpenAI o-series, all thoughts": (
        reply({"content": "", "refusal": None}, "length", usage_with(60)),
        Read(**CUT),
    ),
    # learn.microsoft.com, Azure OpenAI: content filter results beside each choice.
    "Azure OpenAI": (
        reply({"content": "delivery"}, content_filter_results={"hate": {"filtered": False}}),
        Read(),
    ),
    # docs.vllm.ai, reasoning outputs: `reasoning_content`, and `reasoning` since 0.11.
    "vLLM": (
        reply({"content": "\n\ndelivery", "reasoning_content": LATE, "tool_calls": []},
              stop_reason=None),
        Read(thoughts=SOME),
    ),
    "vLLM 0.11": (
        reply({"content": "delivery", "reasoning": LATE, "reasoning_content": LATE},
              stop_reason=None),
        Read(thoughts=SOME),
    ),
    "vLLM, cut while it thinks": (
        reply({"content": None, "reasoning_content": LATE}, "length"),
        Read(**CUT),
    ),
    "vLLM, all taken as thoughts": (
        reply({"content": None, "reasoning_content": "delivery"}),
        Read("", kind="thoughts only"),
    ),
    "vLLM, ended by a word": (reply({"content": "delivery"}, stop_reason="length"), Read()),
    "vLLM without a parser, opened by the template": (
        reply({"content": f"{LATE}\n</think>\n\ndelivery"}),
        Read(thoughts=SOME),
    ),
    "vLLM without a parser, cut": (
        reply({"content": f"<think>\n{LATE}"}, "length"),
        Read(**CUT),
    ),
    # docs.sglang.ai, separate reasoning: counts beside the usual ones.
    "SGLang": (
        reply({"content": "delivery", "reasoning_content": LATE},
              usage={"prompt_tokens": 20, "completion_tokens": 60, "reasoning_tokens": 50,
                     "total_tokens": 80},
              matched_stop=151645),
        Read(thoughts=50),
    ),
    # docs.ollama.com, OpenAI compatibility and thinking.
    "Ollama": (reply({"content": "delivery", "reasoning": LATE}), Read(thoughts=SOME)),
    "Ollama, native field": (reply({"content": "delivery", "thinking": LATE}), Read(thoughts=SOME)),
    "Ollama, num_predict reached": (
        reply({"content": "", "reasoning": LATE}, "length"),
        Read(**CUT),
    ),
    # docs.mistral.ai, reasoning: chunks of Magistral; `model_length` where the context is full.
    "Mistral": (
        reply({"content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": LATE}], "closed": True},
            {"type": "text", "text": "delivery"},
        ]}),
        Read(thoughts=SOME),
    ),
    "Mistral, context full": (reply({"content": "deliv"}, "model_length"), Read("deliv", cut=True)),
    "Mistral, cut while it thinks": (
        reply({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": LATE}]}]},
              "length"),
        Read(**CUT),
    ),
    "Magistral behind llama.cpp": (
        reply({"content": f"[THINK]{LATE}[/THINK]delivery"}),
        Read(thoughts=SOME),
    ),
    # console.groq.com/docs/reasoning: `reasoning_format` parsed, and raw.
    "Groq, parsed": (
        reply({"content": "delivery", "reasoning": LATE}, usage=usage_with(51)),
        Read(thoughts=51),
    ),
    "Groq, raw": (reply({"content": f"<think>\n{LATE}\n</think>\ndelivery"}), Read(thoughts=SOME)),
    # openrouter.ai/docs: reasoning and its details; the provider's own reason beside.
    "OpenRouter": (
        reply({"content": "delivery", "reasoning": LATE, "refusal": None, "reasoning_details": [
            {"type": "reasoning.text", "text": LATE, "format": "unknown", "index": 0}]},
            usage=usage_with(47), native_finish_reason="stop"),
        Read(thoughts=47),
    ),
    "OpenRouter, the provider's reason": (
        reply({"content": "deliv"}, None, native_finish_reason="MAX_TOKENS"),
        Read("deliv", cut=True),
    ),
    # api-docs.deepseek.com/guides/reasoning_model
    "DeepSeek": (
        reply({"content": "delivery", "reasoning_content": LATE}, usage=usage_with(40)),
        Read(thoughts=40),
    ),
    # docs.x.ai and ai.google.dev, OpenAI compatibility: thoughts are counted beside the answer.
    "xAI": (
        reply({"content": "delivery", "reasoning_content": LATE}, usage=usage_with(300, 60, 380)),
        Read(thoughts=300, tokens_out=360),
    ),
    "Gemini": (
        reply({"content": "delivery"},
              usage={"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 200}),
        Read(thoughts=120, tokens_out=180),
    ),
    "Gemini, all thoughts": (
        reply({}, "length", {"prompt_tokens": 20, "completion_tokens": 0, "total_tokens": 36}),
        Read(**CUT, tokens_out=16),
    ),
    # platform.claude.com, OpenAI SDK compatibility: `max_tokens` as Anthropic spells it.
    "Anthropic's reason": (reply({"content": "deliv"}, "max_tokens"), Read("deliv", cut=True)),
    # llama.cpp, tools/server: `reasoning_format: auto`, and its own timings.
    "llama.cpp": (
        {**reply({"content": "delivery", "reasoning_content": LATE}), "timings": {"prompt_n": 1}},
        Read(thoughts=SOME),
    ),
    # gpt-oss where nothing reads its harmony form.
    "harmony": (
        reply({"content": f"<|channel|>analysis<|message|>{LATE}<|end|><|start|>assistant"
               "<|channel|>final<|message|>delivery"}),
        Read(thoughts=SOME),
    ),
    "a list of texts": (reply({"content": ["deli", "very"]}), Read()),
    "a part alone": (reply({"content": {"type": "text", "text": "delivery"}}), Read()),
    "thoughts that were redacted": (
        reply({"content": [{"type": "redacted_thinking", "data": "xyz"},
                           {"type": "text", "text": "delivery"}]}),
        Read(),
    ),
    "more thoughts than tokens": (
        reply({"content": "delivery", "reasoning": LATE * 50}),
        Read(thoughts=60),
    ),
    "no details": (
        reply({"content": "delivery", "reasoning": None},
              usage={"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80,
                     "completion_tokens_details": None}),
        Read(),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), REPLIES.values(), ids=REPLIES)
def test_a_reply_is_read(body: dict[str, Any], wanted: Read) -> None:
    with FaultyServer([raw(body)]) as server:
        found = answer_of(server)
    assert (found.text, found.kind, found.cut) == (wanted.text, wanted.kind, wanted.cut)
    assert (found.error is None) is (wanted.kind == "")
    assert (found.tokens_in, found.tokens_out) == (20, wanted.tokens_out)
    assert found.thought_tokens == wanted.thoughts
    assert len(server.seen) == 1, "asking again would change nothing"


STREAMED = {
    "DeepSeek": ([{"reasoning_content": LATE[:20]}, {"reasoning_content": LATE[20:]},
                  {"content": "deli"}, {"content": "very"}], "stop", Read(thoughts=SOME)),
    "vLLM 0.11": ([{"reasoning": LATE}, {"content": "delivery"}], "stop", Read(thoughts=SOME)),
    "tags": ([{"content": "<thi"}, {"content": f"nk>{LATE}</th"}, {"content": "ink>delivery"}],
             "stop", Read(thoughts=SOME)),
    "Mistral": ([{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": LATE}]}]},
                 {"content": [{"type": "text", "text": "delivery"}]}], "stop", Read(thoughts=SOME)),
    "cut": ([{"content": "deliv"}], "length", Read("deliv", cut=True)),
    "cut in thoughts": ([{"reasoning_content": LATE}], "length", Read(**CUT)),
    "thoughts only": ([{"reasoning_content": LATE}], "stop", Read("", kind="thoughts only")),
}  # fmt: skip


@pytest.mark.parametrize(("deltas", "finish", "wanted"), STREAMED.values(), ids=STREAMED)
def test_a_stream_is_read(deltas: list[dict[str, Any]], finish: str, wanted: Read) -> None:
    events: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": each}]} for each in deltas]
    events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}]
    events += [{"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 60}}]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    step = Step(body=body.encode(), headers={"Content-Type": "text/event-stream"})
    with FaultyServer([step]) as server:
        [(_, found)] = engine_for(server.url).streaming(1).complete([ask()])
    assert (found.text, found.kind, found.cut) == (wanted.text, wanted.kind, wanted.cut)
    assert (found.thought_tokens, found.tokens_out) == (wanted.thoughts, 60)


TELLING = {
    "counted": (REPLIES["OpenAI o-series, all thoughts"][0], "; 60 of them were thoughts"),
    "seen": (REPLIES["vLLM, cut while it thinks"][0], ", while the model was thinking"),
    "nothing": (reply({"content": ""}, "length"), "before the answer began"),
}


@pytest.mark.parametrize(("body", "end"), TELLING.values(), ids=TELLING)
def test_a_cut_answer_without_text_names_the_limit_that_was_sent(body: Any, end: str) -> None:
    with FaultyServer([raw(body)]) as server:
        error = answer_of(server, ask(max_tokens=60)).error
    assert str(error).startswith("cut before any text: the limit of 60 tokens was reached before")
    assert str(error).endswith(end)


def test_the_error_that_openai_sends_for_a_cut_answer_is_one() -> None:
    words = "Could not finish the message because max_tokens or model output limit was reached."
    body = json.dumps({"error": {"message": words, "type": "invalid_request_error"}}).encode()
    with FaultyServer([Step(400, body)]) as server:
        assert answer_of(server).kind == "cut before any text"


def test_what_is_cut_behind_the_end_of_the_answer_is_not_cut() -> None:
    body = reply({"content": "delivery\nNext: re"}, "length")
    with FaultyServer([raw(body)]) as server:
        found = answer_of(server, ask(stop=("\n",)))
    assert (found.text, found.cut) == ("delivery", False)


ERRORS = {
    "OpenAI": ({"error": {"message": "The model `x` does not exist", "param": None,
                          "code": "model_not_found"}}, "The model `x` does not exist"),
    "Azure": ({"error": {"code": "DeploymentNotFound", "message": "The API deployment for this "
                         "resource does not exist."}}, "The API deployment for this resource"),
    "Azure API Management": ({"statusCode": 404, "message": "Resource not found"},
                             "Resource not found"),
    "Ollama": ({"error": {"message": 'model "x" not found, try pulling it first',
                          "type": "api_error"}}, 'model "x" not found, try pulling it first'),
    "vLLM": ({"object": "error", "message": "The model `x` does not exist.", "type":
              "NotFoundError", "param": None, "code": 404}, "The model `x` does not exist."),
    "FastAPI": ({"detail": "Not Found"}, "Not Found"),
    "FastAPI, fields": ({"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg":
                         "Field required", "input": {}}]}, "body.prompt: Field required"),
    "Mistral": ({"object": "error", "message": {"detail": [{"loc": ["body", "n"], "msg": "bad"}]}},
                "body.n: bad"),
    "Google": ([{"error": {"code": 404, "message": "models/x is not found", "status":
                           "NOT_FOUND"}}], "models/x is not found"),
    "Anthropic": ({"type": "error", "error": {"type": "not_found_error", "message": "model: x"}},
                  "model: x"),
    "Cloudflare": ({"result": None, "success": False, "messages": [], "errors":
                    [{"code": 5007, "message": "No such model x"}]}, "No such model x"),
    "Hugging Face": ({"error": ["Model x is unknown"], "warnings": []}, "Model x is unknown"),
    "OpenRouter": ({"error": {"message": "Provider returned error", "code": 400, "metadata":
                              {"raw": '{"error": {"message": "too many images"}}'}}},
                   "Provider returned error: too many images"),
    "OpenRouter, plain": ({"error": {"message": "Provider returned error", "metadata":
                                     {"raw": "upstream said no"}}},
                          "Provider returned error: upstream said no"),
    "problem details": ({"type": "about:blank", "title": "Not Found", "detail": "no such model"},
                        "no such model"),
    "a text": ("no such model", "no such model"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "words"), ERRORS.values(), ids=ERRORS)
def test_the_servers_own_words_reach_the_error(body: Any, words: str) -> None:
    with FaultyServer([Step(404, json.dumps(body).encode())]) as server:
        found = answer_of(server)
    assert str(found.error).startswith(f"HTTP 404: {words}")
    assert found.kind == "HTTP 404"


PAGES = {
    "login": (b"<html><body>Sign in</body></html>", "an HTML page: Sign in"),
    "proxy": (b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title><style>a{}</style></head>"
              b"<body><script>x()</script><h1>Oops</h1>&amp; more</body></html>",
              "an HTML page: 502 Bad Gateway Oops & more"),
    "comment first": (b"<!-- x --><html>Hi</html>", "an HTML page: Hi"),
    "nothing on it": (b"<html></html>", "an HTML page: empty"),
    "text": (b"upstream connect error", "upstream connect error"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "words"), PAGES.values(), ids=PAGES)
def test_a_page_is_named_as_one(body: bytes, words: str) -> None:
    with FaultyServer([Step(200, body)]) as server:
        assert answer_of(server).error == f"not JSON: {words}"
