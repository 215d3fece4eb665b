"""Siblings of the cases of endpoints, templates, references, limits and schedules.

Other servers' habits of the same kinds: each outcome was written down before it was tried.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engines.endpoint.asking import answer_of, ask, engine_for
from engines.faulty_server import FaultyServer, Seen, Step, raw, saying
from small_tasks import write_task
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ladder.commands.check import check_task
from ladder.engines.base import CUT_BEFORE_TEXT
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.local.template import Template, template_of
from ladder.engines.thoughts import split_thoughts
from ladder.errors import EndpointDownError, EngineError, TaskError
from ladder.lifecycle import needs
from ladder.lifecycle.needs import Needs
from ladder.lifecycle.schedules import TARGETS
from ladder.lifecycle.schedules.job import Job
from ladder.task import ModelRef

URL = "https://host.example/v1"


def error(status: int, body: Any) -> Step:
    return Step(status, body if isinstance(body, bytes) else json.dumps(body).encode())


NESTED = json.dumps({"error": {"message": "No such engine: tiny"}})
PAGE = b"<!DOCTYPE html><html><head><style>x{}</style></head><h1>Bad Gateway</h1></html>"
ERRORS = {
    "FastChat, in a 200": (
        error(200, {"object": "error", "message": "The model does not exist.", "code": 404}),
        "HTTP 404 in the reply",
        "The model does not exist.",
    ),
    "a text, in a 200": (
        error(200, {"error": "model 'tiny' not found"}),
        "error in the reply",
        "model 'tiny' not found",
    ),
    "Cloudflare": (
        error(200, {"success": False, "errors": [{"code": 7003, "message": "No route"}]}),
        "no choices",
        "No route",
    ),
    "Google, in a list": (
        error(200, [{"error": {"code": 404, "message": "models/tiny is not found"}}]),
        "HTTP 404 in the reply",
        "models/tiny is not found",
    ),
    "Baidu": (
        error(200, {"error_code": 110, "error_msg": "Access token invalid"}),
        "no choices",
        "Access token invalid",
    ),
    "MiniMax": (
        error(200, {"choices": None, "base_resp": {"status_code": 1004, "status_msg": "no login"}}),
        "no choices",
        "no login",
    ),
    "AWS": (error(400, {"Message": "not authorized"}), "HTTP 400", "not authorized"),
    "Apigee": (error(400, {"fault": {"faultstring": "Bad path"}}), "HTTP 400", "Bad path"),
    "Volcengine": (
        error(400, {"ResponseMetadata": {"Error": {"Code": "Denied", "Message": "no access"}}}),
        "HTTP 400",
        "no access",
    ),
    "LiteLLM": (
        error(400, {"error": {"message": f"OpenAIException - {NESTED}"}}),
        "HTTP 400",
        "OpenAIException - No such engine: tiny",
    ),
    "a field of another API": (
        error(422, {"detail": [{"loc": ["body", "prompt"], "msg": "Field required"}]}),
        "HTTP 422",
        "body.prompt: Field required",
    ),
    "llama.cpp, in a 500": (
        error(500, {"error": {"message": "the request exceeds the available context size"}}),
        "too long",
        "the available context size",
    ),
    "vLLM, too long": (
        error(400, {"message": "maximum context length is 512 tokens. You requested 1074"}),
        "too long",
        "512 tokens",
    ),
    "TGI, too long": (
        error(422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 512"}),
        "too long",
        "<= 512",
    ),
    "Anthropic, too long": (
        error(400, {"error": {"message": "input length and `max_tokens` exceed context limit"}}),
        "too long",
        "context limit",
    ),
    "a limit too large": (
        error(400, {"error": {"message": "max_tokens is too large: 1024", "param": "max_tokens"}}),
        "too long",
        "max_tokens is too large",
    ),
    "Moonshot, no quota": (
        error(429, {"error": {"message": "suspended", "type": "exceeded_current_quota_error"}}),
        "no quota",
        "suspended",
    ),
    "Zhipu, no quota": (
        error(429, {"error": {"code": "1113", "message": "余额不足"}}),
        "no quota",
        "余额不足",
    ),
    "Anthropic, no quota": (
        error(400, {"error": {"message": "Your credit balance is too low"}}),
        "no quota",
        "credit balance",
    ),
    "OpenAI, no quota": (
        error(400, {"error": {"message": "Stop", "code": "billing_hard_limit_reached"}}),
        "no quota",
        "Stop",
    ),
    "no quota, in a 200": (
        error(200, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}),
        "no quota",
        "Insufficient Balance",
    ),
    "Ollama's own API": (
        error(200, {"message": {"role": "assistant", "content": "x"}, "done": True}),
        "no choices",
        "no chat completion",
    ),
    "OpenAI's Responses": (
        error(200, {"object": "response", "output": []}),
        "no choices",
        "no chat completion",
    ),
    "an event that is an error": (
        Step(
            200,
            b'event: error\ndata: {"message": "crashed", "code": 400}\n\n',
            {"Content-Type": "text/event-stream"},
        ),
        "HTTP 400 in the reply",
        "crashed",
    ),
}


@pytest.mark.parametrize(("step", "kind", "words"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_known_wherever_it_stands(step: Step, kind: str, words: str) -> None:
    with FaultyServer([step]) as server:
        answer = answer_of(server)
        assert len(server.seen) == 1
    assert answer.kind == kind
    assert words in str(answer.error)


def test_a_redirect_says_where_it_leads_and_keeps_its_query() -> None:
    step = Step(307, b"", {"Location": "https://sso.example/login?token=abc"})
    with FaultyServer([step]) as server:
        words = str(answer_of(server).error)
    assert words.endswith("this one leads to https://sso.example/login")


@pytest.mark.parametrize(
    ("step", "advice"),
    [
        (ERRORS["vLLM, too long"][0], "a lower answer.max_tokens"),
        (ERRORS["Zhipu, no quota"][0], "Pay the account up"),
        (ERRORS["Ollama's own API"][0], "Fix the URL"),
        (ERRORS["FastChat, in a 200"][0], "the model's name"),
        (error(413, b"Payload Too Large"), "a lower answer.max_tokens"),
        (error(502, PAGE), "an HTML page: Bad Gateway"),
        (error(500, {"error": "model requires more memory (8 GiB)"}), "more memory (8 GiB)"),
    ],
)
def test_what_every_request_meets_ends_the_run_with_advice(step: Step, advice: str) -> None:
    with FaultyServer([step]) as server, pytest.raises(EndpointDownError) as caught:
        list(engine_for(server.url).complete([ask(str(n)) for n in range(30)]))
    assert advice in str(caught.value)


CUT = (
    *("MAX_TOKENS", "token_limit", "max_new_tokens", "length_limit", "maxPredictedTokensReached"),
    *("contextLengthReached", "model_context_window_exceeded", "incomplete"),
)
FILTERED = (
    *("SAFETY", "RECITATION", "PROHIBITED_CONTENT", "sensitive", "content-filter"),
    *("guardrail_intervened", "ERROR_TOXIC"),
)


@pytest.mark.parametrize("reason", CUT)
def test_an_answer_that_ends_at_a_limit_is_cut(reason: str) -> None:
    with FaultyServer([saying("re", finish_reason=reason)]) as server:
        assert answer_of(server).cut
    with FaultyServer([saying(" \u200b\ufeff\n", finish_reason=reason)]) as server:
        assert answer_of(server).kind == CUT_BEFORE_TEXT


@pytest.mark.parametrize("reason", FILTERED)
@pytest.mark.parametrize("text", ["", "re"])
def test_what_a_filter_ends_is_no_answer(reason: str, text: str) -> None:
    with FaultyServer([saying(text, finish_reason=reason)]) as server:
        assert answer_of(server).kind == "content filter"


@pytest.mark.parametrize("reason", ["network_error", "insufficient_system_resource", "abort"])
def test_what_a_server_breaks_off_is_asked_for_again(reason: str) -> None:
    with FaultyServer([saying("re", finish_reason=reason), saying("refund")]) as server:
        assert answer_of(server).text == "refund"


@pytest.mark.parametrize("reason", ["stop", "eos_token", "COMPLETE", "end_turn", "stop_sequence"])
def test_an_answer_that_ends_by_itself_is_whole(reason: str) -> None:
    with FaultyServer([saying("refund", (11, 64), finish_reason=reason)]) as server:
        assert answer_of(server, ask(max_tokens=64)).cut is False


@pytest.mark.parametrize("more", [{}, {"finish_reason": None}, {"done_reason": "length"}])
def test_without_a_reason_the_count_of_tokens_tells(more: dict[str, Any]) -> None:
    with FaultyServer([saying("re", (11, 64), **more)]) as server:
        assert answer_of(server, ask(max_tokens=64)).cut


TOOL = {"content": "", "tool_calls": [{"type": "function"}]}
ONLY = {
    "counted": raw({
        "choices": [{"message": {"content": ""}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 40,
            "completion_tokens_details": {"reasoning_tokens": 40},
        },
    }),
    "details": saying(
        None,
        message={
            "content": "",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm"}],
        },
    ),
    "blocks": saying(
        None,
        message={
            "content": None,
            "thinking_blocks": [{"type": "thinking", "thinking": "hm"}],
        },
    ),
    "Copilot": saying(None, message={"content": None, "reasoning_text": "hm"}),
}  # fmt: skip


@pytest.mark.parametrize("step", ONLY.values(), ids=ONLY)
def test_thoughts_in_other_fields_are_thoughts(step: Step) -> None:
    with FaultyServer([step]) as server:
        assert answer_of(server).kind == "thoughts only"


def test_a_tool_call_that_is_cut_is_a_tool_call() -> None:
    with FaultyServer([saying(None, message=TOOL, finish_reason="length")]) as server:
        assert answer_of(server).kind == "tool call"


MARKED = {
    "Hunyuan": "<think>\nnot login\n</think>\n<answer>\nrefund\n</answer>",
    "Hunyuan, cut": "<think>hm</think>\n<answer>refund",
    "ERNIE": "<think>\nhm\n</think>\n\n<response>\nrefund\n</response>\n",
    "Granite": "Here is my thought process: hm.\n\nHere is my response: refund",
    "Sky-T1": "<|begin_of_thought|>\nhm\n<|end_of_thought|>\n\n"
    "<|begin_of_solution|>\nrefund\n<|end_of_solution|>",
    "Marco-o1": "<Thought>\nhm\n</Thought>\n<Output>\nrefund\n</Output>",
    "LongCat": "<longcat_think>\nhm\n</longcat_think>\nrefund",
    "MedGemma": "<unused94>thought\nhm\n<unused95>refund",
    "GLM-V": "<think>hm</think>\n<|begin_of_box|>refund<|end_of_box|>",
    "Granite, in short": "Here's my thought process: hm\nHere's my response: refund",
    "any tag of thoughts": "<inner_thoughts>hm</inner_thoughts> refund",
    "reflection": "<reflection>hm</reflection>refund",
    "scratchpad": "<scratchpad>\nhm\n</scratchpad>\n\nrefund",
    "with an attribute": '<think duration="3">\nhm\n</think>\nrefund',
    "Ollama's command line": "Thinking...\nhm\n...done thinking.\n\nrefund",
    "Open WebUI": '<details type="reasoning" done="true">\n> hm\n</details>\nrefund',
}


@pytest.mark.parametrize("text", MARKED.values(), ids=MARKED)
def test_thoughts_in_other_marks_are_taken_off(text: str) -> None:
    thought, answer = split_thoughts(text)
    assert answer == "refund"
    assert thought


@pytest.mark.parametrize(
    "text",
    [
        *("<answer>refund</answer>", "<response>x</response>", "Thinking about a refund..."),
        *("<details>x</details>", "<analysis>x</analysis>y", "Here is my response: refund"),
    ],
)
def test_an_answer_with_marks_of_its_own_stays(text: str) -> None:
    assert split_thoughts(text) == ("", text)


PARTS = {
    "Gemini": [{"type": "text", "text": "hm", "thought": True}, {"type": "text", "text": "refund"}],
    "a summary": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "output_text", "text": "refund"},
    ],
}


@pytest.mark.parametrize("content", PARTS.values(), ids=PARTS)
def test_parts_that_are_thoughts(content: Any) -> None:
    with FaultyServer([saying(content)]) as server:
        answer = answer_of(server)
    assert (answer.text, answer.thought_tokens) == ("refund", 1)


def refusing(name: str, body: Any, status: int = 400) -> tuple[str, Step]:
    return name, error(status, body)


USER_FIRST = 'messages: first message must use the "user" role'
RENAME = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
GOOGLE = [{"fieldViolations": [{"field": "max_tokens", "description": "Unknown field"}]}]
PYDANTIC = "1 validation error for ChatCompletionRequest\ntemperature\n  Extra inputs"
REFUSED = {
    "Chinese": refusing("max_tokens", {"error": {"message": "参数max_tokens不支持"}}),
    "DashScope": refusing("max_tokens", {"message": "<400> Invalid: max_tokens is not valid"}),
    "Google": refusing("max_tokens", {"error": {"message": "Invalid.", "details": GOOGLE}}),
    "a list of fields": refusing(
        "max_tokens", {"message": "bad", "invalid_fields": ["max_tokens"]}
    ),
    "marshmallow": refusing("max_tokens", {"errors": {"max_tokens": ["Unknown field."]}}),
    "a hyphen": refusing("max_tokens", {"error": "unknown option max-tokens"}),
    "in a 200, a text": refusing("max_tokens", {"error": RENAME}, 200),
    "in a 200, a type": refusing(
        "max_tokens", {"error": {"message": RENAME, "type": "invalid_request_error"}}, 200
    ),
    "details": refusing(
        "temperature", {"error": {"message": "Invalid", "details": [{"field": "temperature"}]}}
    ),
    "a problem document": refusing(
        "temperature", {"title": "Bad Request", "detail": "temperature is not supported"}
    ),
    "a pydantic text": refusing("temperature", {"message": PYDANTIC}),
    "no JSON": refusing("temperature", b"temperature is not allowed"),
    "a schema": refusing("response_format", {"error": "JSON schema conversion failed"}),
    "a grammar": refusing("response_format", {"error": "failed to parse grammar"}),
    "a decoder": refusing("response_format", {"error": "too complex for constrained decoding"}),
    "a grammar, in a 500": refusing("response_format", {"error": "xgrammar does not"}, 500),
    "Anthropic": refusing("system", {"error": {"message": USER_FIRST}}),
    "Bedrock": refusing("system", {"message": "A conversation must start with a user message."}),
    "a template": refusing("system", {"error": "Roles other than user/assistant are not allowed"}),
    "roles": refusing("system", {"error": "Only the roles user and assistant are allowed"}),
    "Zhipu": refusing("system", {"error": {"message": "该模型不支持system角色"}}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "step"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_put_in_another_way(name: str, step: Step) -> None:
    def script(request: Seen) -> Step:
        roles = {turn["role"] for turn in request.payload["messages"]}
        there = name in request.payload or name in roles
        return step if there else saying("refund")

    with FaultyServer(script) as server:
        engine = engine_for(server.url)
        [(_, answer)] = engine.complete([ask(schema='{"type": "object"}')])
    assert answer.text == "refund"
    assert list(engine.negotiated) == [name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("words", ["temperature参数非法。取值区间为 (0,1]", "temperature必须大于0"])
def test_a_temperature_above_nothing_is_nearly_nothing(words: str) -> None:
    def script(request: Seen) -> Step:
        well = request.payload.get("temperature") == 0.01
        return saying("refund") if well else error(400, {"error": {"message": words}})

    with FaultyServer(script) as server:
        assert answer_of(server).text == "refund"


EVENTS = (
    b': wait\r\n\r\nevent: message\r\ndata: {"choices": [{"index": 0, "%s": {"content": "refund"}, '
    b'"finish_reason": "stop"}]}\r\n\r\n'
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/event-stream"])
@pytest.mark.parametrize("field", [b"delta", b"message"])
def test_events_are_read_under_any_content_type(kind: str, field: bytes) -> None:
    with FaultyServer([Step(200, EVENTS % field, {"Content-Type": kind})]) as server:
        assert answer_of(server).text == "refund"


@pytest.mark.filterwarnings("ignore")
def test_an_older_completion_is_read() -> None:
    with FaultyServer([raw({"choices": [{"text": "refund"}]})]) as server:
        assert answer_of(server).text == "refund"


def test_counts_that_are_written_with_a_point_are_counts() -> None:
    usage = {"prompt_tokens": 50.0, "completion_tokens": 3.0}
    body = {"choices": [{"message": {"content": "x"}}], "usage": usage}
    with FaultyServer([raw(body)]) as server:
        answer = answer_of(server)
    assert (answer.tokens_in, answer.tokens_out) == (50, 3)


def identity(rest: str) -> dict[str, str]:
    return EndpointEngine("m", URL + rest).fingerprint()


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("?api-version=1", "?api-version=2", False),
        ("?Deployment=a", "?Deployment=b", False),
        ("?routing_key=a", "?routing_key=b", False),
        ("?model_key=a", "?model_key=b", False),
        ("?tag=a&tag=b", "?tag=b&tag=a", False),
        ("?deployment=", "", False),
        ("?good", "?bad", False),
        ("?a=1&b=2", "?b=2&a=1", True),
        ("?deployment=g%6fod", "?deployment=good", True),
        ("#a", "#b", True),
        ("?api_key=abcdefgh", "?api_key=ijklmnop", True),
        ("/chat/completions", "", True),
        ("/chat/completions/?tier=a", "?tier=a", True),
    ],
)
def test_what_decides_the_answers_is_in_the_identity(one: str, other: str, alike: bool) -> None:
    assert (identity(one) == identity(other)) is alike


def test_a_key_that_stands_alone_in_a_query_is_not_shown() -> None:
    assert "sk-secret" not in str(identity("?sk-secret123456"))


def test_the_whole_url_out_of_a_manual_is_taken() -> None:
    with FaultyServer([saying("refund")]) as server:
        [(_, answer)] = engine_for(f"{server.url}/chat/completions").complete([ask()])
        assert server.seen[0].path == "/v1/chat/completions"
    assert answer.text == "refund"


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("openai:ft:gpt-4o:org::abc@https://h/v1", "ft:gpt-4o:org::abc", "https://h/v1"),
        ("openai:models/x@default@https://h", "models/x@default", "https://h"),
        ("openai:m@http://u:p@ss@h/v1", "m", "http://u:p@ss@h/v1"),
        ("openai:m@http://h/v1?up=x@http://y", "m", "http://h/v1?up=x@http://y"),
        ("openai:m@http://[::1]:8/v1", "m", "http://[::1]:8/v1"),
        ("openai:m@HTTP://H/v1", "m", "HTTP://H/v1"),
        (" openai: m @ http://h/v1 ", "m", "http://h/v1"),
    ],
)
def test_references_are_taken_apart(text: str, name: str, place: str) -> None:
    ref = ModelRef(text)
    assert (ref.name, ref.place) == (name, place)
    EndpointEngine(ref.name, place)


def task(folder: Path, model: str, target: str = "refund", **answer: Any) -> Path:
    return write_task(
        folder,
        lambda name, n: {"input": f"{name} {n} about river {n * n}", "target": target},
        *(20, 40),
        answer={"type": "text", **answer},
        score="exact_match",
        gate={"min_score": 0.8},
        models={"base": model},
        rungs=["prompt"],
    )


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("openai:m@127.0.0.1:8000/v1", "no http:// or https://"),
        ("openai:m@https://", "no http:// or https://"),
        ("openai:m@http//h/v1", "no http:// or https://"),
        ("openai:m", "without an address"),
        ("openai:@http://h", "openai:MODEL@https://HOST/v1"),
        ("m@http://127.0.0.1/v1", "openai:MODEL@https://HOST/v1"),
    ],
)
def test_a_reference_that_is_none_has_one_message(tmp_path: Path, model: str, wanted: str) -> None:
    with pytest.raises((TaskError, EngineError)) as caught:
        check_task(task(tmp_path, model), None)
    assert wanted in str(caught.value)
    assert "models.base" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "warned"),
    [
        ("e2628953-79cc-bc7a-1162-cc1772e12779", True),
        ("380963765052236872811912971182206435777977", True),
        ("คืนเงินให้ลูกค้า", True),
        ("안녕하세요 고객님", True),
        ("the river by the house", False),
    ],
)
def test_check_compares_targets_of_any_script_with_the_limit(
    tmp_path: Path, target: str, warned: bool
) -> None:
    lines = check_task(
        task(tmp_path, "openai:m@http://127.0.0.1:9/v1", target, max_tokens=12), None
    )
    assert any("answer.max_tokens: 12" in line for line in lines) is warned


def test_check_goes_by_the_context_that_a_server_tells(tmp_path: Path) -> None:
    pages = {"/v1/models": {"data": [{"id": "m", "max_model_len": 8}]}}
    with FaultyServer([saying("refund")], pages) as server:
        lines = check_task(task(tmp_path, f"openai:m@{server.url}", max_tokens=4), None, "all")
    assert any("context of 8 tokens" in line and "do not fit" in line for line in lines)


TURN = "{{'<|im_start|>'+m['role']+'\\n'+m['content']+'<|im_end|>\\n'}}"
ALL = "{% for m in messages %}" + TURN + "{% endfor %}"
ASKS = "{%% if add_generation_prompt %%}{{'<|im_start|>assistant\\n%s'}}{%% endif %%}"
RULES = [
    {"role": "system", "content": "Name what is wanted."},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "login"},
    {"role": "user", "content": "a refund please"},
]


def of_jinja(jinja: str) -> Template:
    letters = {sign: at for at, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>")
    fast.chat_template = jinja
    return template_of(fast)


TEMPLATES = {
    "drops a system turn": "{% for m in messages if m.role != 'system' %}" + TURN + "{% endfor %}",
    "takes a developer": "{% for m in messages %}{% if m.role == 'system' %}"
    "{{raise_exception('use developer')}}{% endif %}" + TURN + "{% endfor %}",
    "begins with the user": "{% if messages[0].role != 'user' %}{{raise_exception('user first')}}"
    "{% endif %}" + ALL,
    "puts the rules last": "{% for m in messages if m.role != 'system' %}"
    "{{messages[0].content if loop.last and messages[0].role == 'system'}}" + TURN + "{% endfor %}",
    "parts or text": "{% for m in messages %}{% if m.content is string %}" + TURN + "{% endif %}"
    "{% endfor %}",
}


@pytest.mark.parametrize("jinja", TEMPLATES.values(), ids=TEMPLATES)
def test_every_turn_and_the_instruction_reach_the_model(jinja: str) -> None:
    text = of_jinja(jinja + ASKS % "").text(RULES)
    assert all(turn["content"] in text for turn in RULES)


NO_CHAT = {
    "one turn alone": "{% for m in messages %}{% if m.role == 'assistant' %}"
    "{{raise_exception('single turn only')}}{% endif %}" + TURN + "{% endfor %}",
    "the last turn alone": "{{messages[-1].content}}",
    "broken": "{% for m in messages %}{{ m.content }",
    "documents": "{% if documents|length > 0 %}x{% endif %}" + ALL,
    "parts alone": "{% for m in messages %}{% for p in m.content %}{{p.text}}{% endfor %}"
    "{% endfor %}",
}


@pytest.mark.parametrize("jinja", NO_CHAT.values(), ids=NO_CHAT)
def test_a_template_that_cannot_show_a_chat_is_none(jinja: str) -> None:
    template = of_jinja(jinja)
    assert not template.chat
    assert template.prompt("Question: hi\nAnswer:")


@pytest.mark.parametrize(
    ("begun", "end"),
    [
        ("<think>\\n", "\n</think>\n\n"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
    ],
)
def test_a_thought_that_a_template_begins_is_ended(begun: str, end: str) -> None:
    template = of_jinja(ALL + ASKS % begun)
    assert template.begun_thought == begun.removesuffix("\\n")
    answer = template.answer(RULES, [{"role": "assistant", "content": "refund"}])
    assert answer.startswith(f"{end}refund")


def test_cron_is_told_where_the_configuration_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LADDER_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/me/my config")
    job = Job(Path("plan 100%.yaml"), needs=Needs(handed_on=("HTTPS_PROXY",)))
    [text] = TARGETS["cron"](job).values()
    assert "LADDER_CONFIG='/home/me/my config/ladder/config.yaml'" in text
    assert "HTTPS_PROXY=…" in text
    assert r"'plan 100\%.yaml'" in text


def test_github_is_told_what_it_does_not_have() -> None:
    needs = Needs(nearby=("127.0.0.1:8000", "/home/me/model"))
    [text] = TARGETS["github"](Job(Path("plan.yaml"), needs=needs)).values()
    said = next(line for line in text.splitlines() if "127.0.0.1:8000" in line)
    assert said.startswith("# GitHub's machines do not have")
    assert "/home/me/model" in said


@pytest.mark.parametrize(
    ("host", "private"),
    [
        *(("192.168.1.7", True), ("10.0.0.1", True), ("gpu-box", True), ("vllm.internal", True)),
        *(("api.openai.com", False), ("8.8.8.8", False)),
    ],
)
def test_hosts_of_ones_own_network(host: str, private: bool) -> None:
    assert needs._is_private(host) is private
