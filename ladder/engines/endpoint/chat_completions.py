"""The wire format: a Request as JSON, and the answer in a response's JSON.

A response that holds no answer is a `TryError`, and never an empty text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ladder.engines.base import CUT_BEFORE_TEXT, Request
from ladder.engines.endpoint.failure import (
    THOUGHTS_ONLY,
    TryError,
    excerpt,
    may_pass,
    words_in,
)
from ladder.engines.endpoint.usage import Usage, usage_of
from ladder.engines.thoughts import split_thoughts

STOPS_SENT = 4
"""Endpoints refuse more stop strings than this; the rest are applied here."""
NO_TEXT = "no text"
LASTING_WORDS = ("invalid", "quota", "auth", "permission", "not_found", "bad_request", "content")
"""In the type or the code of an error that has no status: asking again does not help."""
CUT_REASONS = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
"""What servers give as the reason why an answer ended, where its end is missing."""
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Of a message, beside its content: DeepSeek and SGLang; vLLM, OpenRouter and Groq; Ollama."""
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
    if request.schema:
        shape = {"name": "answer", "schema": json.loads(request.schema)}
        sent["response_format"] = {"type": "json_schema", "json_schema": shape}
    stops = [stop for stop in request.stop if stop]
    if stops:
        sent["stop"] = stops[:STOPS_SENT]
    if stream:
        sent |= {"stream": True, "stream_options": {"include_usage": True}}
    return sent


def reply_of(data: Any, limit: int) -> Reply:
    """Read the first choice's text and the token counts out of a response.

    Args:
        data: the response's JSON.
        limit: tokens that were asked for at most.

    Raises:
        TryError: there is no answer in it. What it cost all the same is in its `tokens`.
    """
    usage = usage_of(data.get("usage") if isinstance(data, dict) else None)
    try:
        choice = _choice(data)
        message = choice.get("message", {"content": choice.get("text")})
        message = message if isinstance(message, dict) else {}
        text, thought = _parted(message)
        cut = _is_cut(choice)
        if text is None or is_blank(text):
            told = _at_limit(limit, usage, thought) if cut else ""
            raise _no_answer(message, text, thought, told)
    except TryError as failure:
        failure.tokens = usage.paid
        raise
    return Reply(text, thought, cut, usage)


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
        if isinstance(part, dict) and part.get("type") in THOUGHT_PARTS:
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
    among = [
        _thought(part.get(str(part["type"])) or part.get("text"))
        for part in parts
        if isinstance(part, dict) and part.get("type") in THOUGHT_PARTS
    ]
    return "".join([beside, *among])


def _thought(value: object) -> str:
    return value if isinstance(value, str) else text_of(value) or ""


def _choice(data: Any) -> Mapping[str, Any]:
    """Return the first choice.

    Raises:
        TryError: there is none, or an error stands in its place.
    """
    if isinstance(data, dict) and data.get("error"):
        raise _told(data["error"])
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices:
        words = words_in(data) if isinstance(data, dict) else None
        raise TryError("no choices", excerpt(data if words is None else words))
    known = [choice for choice in choices if isinstance(choice, dict)]
    first = [choice for choice in known if choice.get("index") == 0] or known or [{}]
    choice = first[0]
    if choice.get("error"):
        raise _told(choice["error"])
    finish = choice.get("finish_reason")
    if finish == "content_filter":
        raise TryError("content filter", "the endpoint's filter cut the answer off")
    if finish == "error":
        raise _told("the answer ended in an error")
    return choice


def _is_cut(choice: Mapping[str, Any]) -> bool:
    # vLLM's `stop_reason` is the string that ended the answer, and may be any word.
    reasons = (choice.get(f"{name}_reason") for name in ("finish", "native_finish", "stop"))
    return str(next(filter(None, reasons), "")).lower() in CUT_REASONS


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


def _no_answer(message: Mapping[str, Any], text: str | None, thought: str, cut: str) -> TryError:
    """Say what there is in an answer's place.

    Args:
        message: of the choice.
        text: what it holds of an answer, if any.
        thought: what it holds of thoughts.
        cut: which limit ended it; empty: none did.
    """
    if message.get("refusal"):
        return TryError("refusal", excerpt(message["refusal"]))
    if message.get("tool_calls") or message.get("function_call"):
        return TryError("tool call", "the model called a tool, and none was offered")
    if cut:
        return TryError(CUT_BEFORE_TEXT, cut)
    if not is_blank(thought):
        return TryError(THOUGHTS_ONLY, "the response ends without an answer after the thoughts")
    if text is None:
        return TryError(NO_TEXT, "a response whose message has no text")
    return TryError("empty", "a response whose text is empty")


def _told(error: Any) -> TryError:
    """Return an error that stands in a body: it goes by the status it names, else by its type."""
    named = error if isinstance(error, dict) else {"message": error}
    words = words_in(named) or json.dumps(named)
    code = str(named.get("code") or named.get("status") or "")
    if code.isascii() and code.isdigit() and len(code) == 3:
        failure = TryError(f"HTTP {code} in the reply", excerpt(words), passing=may_pass(int(code)))
    else:
        about = f"{code} {named.get('type') or ''}".lower()
        passing = not any(word in about for word in LASTING_WORDS)
        failure = TryError("error in the reply", excerpt(words), passing=passing)
    failure.hear({"error": named})
    return failure
