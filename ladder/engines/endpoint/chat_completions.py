"""The wire format: a Request as JSON, and the answer in a response's JSON.

A response that holds no answer is a `TryError`, and never an empty text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from ladder.engines.base import CUT_BEFORE_TEXT, Completion, Request
from ladder.engines.endpoint.access import Address
from ladder.engines.endpoint.failure import (
    IN_REPLY,
    NO_QUOTA,
    THOUGHTS_ONLY,
    TryError,
    excerpt,
    may_pass,
    words_in,
)
from ladder.engines.endpoint.usage import Usage, usage_of
from ladder.engines.thoughts import split_thoughts
from ladder.language.tokens import likely_tokens
from ladder.redaction import redact

STOPS_SENT = 4
"""Endpoints refuse more stop strings than this; the rest are applied here."""
NO_TEXT = "no text"
LASTING_WORDS = ("invalid", "quota", "auth", "permission", "not_found", "bad_request", "content")
"""In the type or the code of an error that has no status: asking again does not help."""
LASTING_SAID = re.compile(
    r"not found|does not exist|no such|unknown|unsupported|not supported|invalid|not allowed"
    r"|unauthori[sz]ed|forbidden|expired",
    re.IGNORECASE,
)
"""In the words of an error that has no status, no code and no type."""
CUT_REASON = re.compile(
    r"length|token_?limit|max_?\w*(token|output|reached)|context_?window|incomplete", re.IGNORECASE
)
"""What servers give as the reason why an answer ended, where its end is missing."""
FILTER_REASON = re.compile(
    r"filter|safety|recitation|prohibited|blocklist|spii|sensitive|guardrail|toxic|moderation",
    re.IGNORECASE,
)
"""The same where the server did not let the answer through."""
FAILED_REASON = re.compile(r"error|abort|insufficient|cancel|time_?(out|limit)", re.IGNORECASE)
"""The same where the server could not go on."""
THOUGHT_FIELDS = (
    *("reasoning_content", "reasoning", "thinking"),  # DeepSeek, SGLang; vLLM, Groq; Ollama
    *("reasoning_text", "reasoning_details", "thinking_blocks"),  # Copilot; OpenRouter; LiteLLM
)
"""Of a message, beside its content."""
THOUGHT_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a response says."""

    text: str
    """Of the answer, without thoughts."""
    thought: str
    cut: bool
    """The server ended the answer at its limit."""
    usage: Usage
    first_logprobs: tuple[tuple[str, float], ...] = ()
    """The likeliest first tokens, where they were asked for and are told."""


def payload(model: str, request: Request, stream: bool = False) -> dict[str, Any]:
    """Return the JSON of a request, as OpenAI's first endpoints took it.

    Turns are for `chat/completions`, a text to be continued is for `completions`. What has no
    effect is not sent: a seed is for draws.
    """
    asked: dict[str, Any] = {"prompt": request.text}
    if request.messages:
        turns = [{"role": role, "content": content} for role, content in request.messages]
        asked = {"messages": turns}
    sent: dict[str, Any] = {
        "model": model,
        **asked,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature or 0,
    }
    if request.temperature:
        sent["seed"] = request.sample
    if request.top_logprobs:
        chat = {"logprobs": True, "top_logprobs": request.top_logprobs}
        sent |= chat if request.messages else {"logprobs": request.top_logprobs}
    if request.schema:
        shape = {"name": "answer", "schema": json.loads(request.schema)}
        sent["response_format"] = {"type": "json_schema", "json_schema": shape}
    stops = [stop for stop in request.stop if stop]
    if stops:
        sent["stop"] = stops[:STOPS_SENT]
    if stream:
        sent |= {"stream": True, "stream_options": {"include_usage": True}}
    return sent


def reply_of(data: Any, limit: int, *, top_logprobs: int = 0) -> Reply:
    """Read the first choice's text and the token counts out of a response.

    Args:
        data: the response's JSON.
        limit: tokens that were asked for at most.
        top_logprobs: likeliest first tokens that were asked for.

    Raises:
        TryError: there is no answer in it. What it cost all the same is in its `tokens`.
    """
    usage = usage_of(data.get("usage") if isinstance(data, dict) else None)
    try:
        choice = _choice(data)
        message = choice.get("message", choice.get("delta"))
        if not isinstance(message, dict):  # of the older completions, or none
            message = {"content": choice.get("text")}
        text, thought = _parted(message)
        cut = _is_cut(choice, usage, limit)
        first = first_logprobs(choice.get("logprobs"))[:top_logprobs]
        if (text is None or is_blank(text)) and not first:
            told = _at_limit(limit, usage, thought) if cut else ""
            counted = 0 < (usage.thoughts or 0) == usage.answer
            raise _no_answer(message, text, counted or not is_blank(thought), told)
    except TryError as failure:
        failure.tokens = usage.paid
        raise
    return Reply(text or "", thought, cut, usage, first)


def first_logprobs(told: object) -> tuple[tuple[str, float], ...]:
    """Return the likeliest first tokens with their log-probabilities, the likeliest first.

    Args:
        told: `logprobs` of a choice, as chats tell them or as the older completions do.
    """
    if not isinstance(told, dict):
        return ()
    places = told.get("content") or told.get("top_logprobs")
    first = places[0] if isinstance(places, list) and places else None
    entries = first.get("top_logprobs", first) if isinstance(first, dict) else None
    if isinstance(entries, list):
        known = [each for each in entries if isinstance(each, dict)]
        pairs = [(each.get("token"), each.get("logprob")) for each in known]
    else:
        pairs = list(entries.items()) if isinstance(entries, dict) else []
    found = [
        (token, float(value))
        for token, value in pairs
        if isinstance(token, str) and isinstance(value, int | float) and math.isfinite(value)
    ]
    return tuple(sorted(found, key=lambda pair: -pair[1]))


def is_blank(text: str) -> bool:
    """Tell whether there is nothing to be seen in a text."""
    return not any(sign.isprintable() and not sign.isspace() for sign in text)


def text_of(content: object) -> str | None:
    """Return the text of a message's content: a text, or a list of parts.

    What a model thought before it answered is passed over.

    Returns:
        None where a part holds no text, or there is none.
    """
    parts = [content] if isinstance(content, str | dict) else content
    if not isinstance(parts, list):
        return None
    texts = []
    for part in parts:
        if _is_thought(part):
            continue
        text = part.get("text") if isinstance(part, dict) else part
        if not isinstance(text, str):
            return None
        texts.append(text)
    return "".join(texts) if texts else None


def thought_of(message: Mapping[str, Any]) -> str:
    """Return what a message holds of thoughts, beside its content and among its parts."""
    beside = next(filter(None, (_thought(message.get(name)) for name in THOUGHT_FIELDS)), "")
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return "".join([beside, *(_thought(part) for part in parts if _is_thought(part))])


def _is_thought(part: object) -> bool:
    """Tell whether a part of a message's content is a thought; Gemini marks it as one."""
    if not isinstance(part, dict):
        return False
    return part.get("type") in THOUGHT_PARTS or part.get("thought") is True


def _thought(value: object, depth: int = 4) -> str:
    """Return the text of thoughts: a text, or parts that hold it in one of several fields."""
    if isinstance(value, list) and depth:
        return "".join(_thought(part, depth - 1) for part in value)
    if isinstance(value, dict) and depth:
        fields = ("thinking", "reasoning", "text", "summary", "content")
        return next(filter(None, (_thought(value.get(name), depth - 1) for name in fields)), "")
    return value if isinstance(value, str) else ""


def _choice(data: Any) -> Mapping[str, Any]:
    """Return the first choice.

    Raises:
        TryError: there is none, or an error stands in its place.
    """
    if isinstance(data, list) and len(data) == 1:  # Google's errors
        data = data[0]
    if isinstance(data, dict) and data.get("error"):
        raise error_told(data["error"])
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices:
        raise _without_choices(data)
    known = [choice for choice in choices if isinstance(choice, dict)]
    first = [choice for choice in known if choice.get("index") == 0] or known or [{}]
    choice = first[0]
    if choice.get("error"):
        raise error_told(choice["error"])
    # vLLM's `stop_reason` is the string that ended the answer, and may be any word: it is no error.
    finish = str(choice.get("finish_reason") or choice.get("native_finish_reason") or "")
    if FILTER_REASON.search(finish):
        raise TryError("content filter", "the endpoint's filter cut the answer off")
    if FAILED_REASON.search(finish):
        words = f"the answer ended early: {excerpt(finish)}"
        raise TryError(f"error{IN_REPLY}", words, passing=True)
    return choice


def _without_choices(data: Any) -> TryError:
    """Say what a response holds that is no chat completion."""
    words = words_in(data) if isinstance(data, dict) else None
    if words is not None and _status(data):
        return error_told(data)
    if words is None and isinstance(data, dict):
        words = f"no chat completion: {data}"
    failure = TryError("no choices", excerpt(data if words is None else words))
    if NO_QUOTA.search(failure.words):
        return TryError("no quota", failure.words)
    failure.hear(data)
    return failure


def _is_cut(choice: Mapping[str, Any], usage: Usage, limit: int) -> bool:
    """Tell whether an answer ended at its limit: by the reason, else by its count of tokens."""
    reasons = (choice.get(f"{name}_reason") for name in ("finish", "native_finish", "done", "stop"))
    reason = next(filter(None, reasons), None)
    if reason is None:
        return (usage.answer or 0) >= limit
    return CUT_REASON.search(str(reason)) is not None


def _parted(message: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the answer and the thoughts of a message; None for an answer that is no text."""
    content = text_of(message.get("content"))
    thought = thought_of(message)
    if content is None:
        return None, thought
    within, text = split_thoughts(content)
    if is_blank(text) and not is_blank(content):
        within = content  # a block, if only its beginning
    # JSON can spell half a surrogate pair, which no file can hold.
    return text.encode("utf-8", "replace").decode("utf-8"), thought + within


def _at_limit(limit: int, usage: Usage, thought: str) -> str:
    """Say which limit cut an answer before it began, and what the tokens went into."""
    said = f"the limit of {limit} tokens was reached before the answer began"
    if usage.thoughts:
        return f"{said}; {usage.thoughts} of them were thoughts"
    return said if is_blank(thought) else f"{said}, while the model was thinking"


def _no_answer(message: Mapping[str, Any], text: str | None, thought: bool, cut: str) -> TryError:
    """Say what there is in an answer's place.

    Args:
        message: of the choice.
        text: what it holds of an answer, if any.
        thought: whether the model thought.
        cut: which limit ended it; empty: none did.
    """
    if message.get("refusal"):
        return TryError("refusal", excerpt(message["refusal"]))
    if message.get("tool_calls") or message.get("function_call"):
        return TryError("tool call", "the model called a tool, and none was offered")
    if cut:
        return TryError(CUT_BEFORE_TEXT, cut)
    if thought:
        return TryError(THOUGHTS_ONLY, "the response ends without an answer after the thoughts")
    if text is None:
        return TryError(NO_TEXT, "a response whose message has no text")
    return TryError("empty", "a response whose text is empty")


def error_told(error: Any) -> TryError:
    """Return an error that stands in a body: it goes by the status it names, else by its type."""
    named = error if isinstance(error, dict) else {"message": error}
    words = words_in(named) or json.dumps(named)
    status, about = _status(named), f"{named.get('code') or ''} {named.get('type') or ''}".lower()
    if NO_QUOTA.search(f"{words} {about}"):
        return TryError("no quota", excerpt(words))
    if status:
        failure = TryError(f"HTTP {status}{IN_REPLY}", excerpt(words), passing=may_pass(status))
    else:
        lasts = any(word in about for word in LASTING_WORDS) if about.strip() else False
        lasts = lasts or (not about.strip() and LASTING_SAID.search(words) is not None)
        failure = TryError(f"error{IN_REPLY}", excerpt(words), passing=not lasts)
    failure.hear({"error": named})
    return failure


def _status(named: Mapping[str, Any]) -> int:
    """Return the HTTP status that an error names; 0: it names none."""
    code = str(named.get("code") or named.get("status") or "")
    return int(code) if code.isascii() and code.isdigit() and len(code) == 3 else 0


class ChatWire:
    """`chat/completions` for turns, `completions` for a text to be continued."""

    def payload(self, model: str, request: Request, stream: bool) -> dict[str, Any]:
        """Return the JSON of a request."""
        return payload(model, request, stream)

    def url(self, address: Address, sent: Mapping[str, Any]) -> httpx.URL:
        """Return where a request is sent."""
        return address.url if "messages" in sent else address.beside("completions")

    def completion(
        self, request: Request, sent: Mapping[str, Any], data: Any
    ) -> tuple[Completion, bool]:
        """Read the answer, up to the first string that ends one.

        Raises:
            TryError: there is none.
        """
        reply = reply_of(data, request.max_tokens, top_logprobs=request.top_logprobs)
        counted = bool(reply.usage.prompt and reply.usage.answer)
        paid = reply.usage.paid if counted else _likely_paid(sent, reply)
        return _completion(request, reply, paid), counted


def _likely_paid(sent: Mapping[str, Any], reply: Reply) -> tuple[int, int]:
    """Return estimates of the tokens of prompt and answer."""
    asked = [turn["content"] for turn in sent.get("messages", ())] or [sent["prompt"]]
    tokens_in = sum(map(likely_tokens, asked))
    return tokens_in, likely_tokens(reply.thought) + likely_tokens(reply.text)


def _completion(request: Request, reply: Reply, paid: tuple[int, int]) -> Completion:
    tokens_in, tokens_out = paid
    whole = text = reply.text.strip()
    for stop in filter(None, request.stop):
        text = text.split(stop, 1)[0]
    if is_blank(text) and not reply.first_logprobs:
        failure = TryError("empty", "nothing stands before the string that ends an answer")
        failure.tokens = paid
        raise failure
    thoughts = reply.usage.thoughts
    if thoughts is None:
        thoughts = min(likely_tokens(reply.thought.strip()), tokens_out)
    return Completion(
        text=redact(text.strip()),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cut=reply.cut and text == whole,
        thought_tokens=thoughts,
        first_logprobs=reply.first_logprobs,
    )
