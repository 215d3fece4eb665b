"""The wire format: a Request as JSON, and the answer in a response's JSON.

A response that holds no answer is a `TryError`, and never an empty text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ladder.engines.base import Request
from ladder.engines.endpoint.failure import CUT_SHORT, TryError, excerpt, may_pass

STOPS_SENT = 4
"""Endpoints refuse more stop strings than this; the rest are applied here."""
NO_TEXT = "no text"
LASTING_WORDS = ("invalid", "quota", "auth", "permission", "not_found", "bad_request", "content")
"""In the type or the code of an error that has no status: asking again does not help."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a response says: the raw text, and the tokens if it counts them."""

    text: str
    tokens_in: int | None
    tokens_out: int | None


def payload(model: str, request: Request, stream: bool = False) -> dict[str, Any]:
    """Return the JSON of a request."""
    messages = request.messages or (("user", request.text),)
    sent: dict[str, Any] = {
        "model": model,
        "messages": [{"role": role, "content": content} for role, content in messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature or 0,
        "seed": request.sample,
    }
    if request.schema:
        shape = {"name": "answer", "schema": json.loads(request.schema)}
        sent["response_format"] = {"type": "json_schema", "json_schema": shape}
    stops = [stop for stop in request.stop if stop]
    if stops:
        sent["stop"] = stops[:STOPS_SENT]
    if stream:
        sent |= {"stream": True, "stream_options": {"include_usage": True}}
    return sent


def reply_of(data: Any) -> Reply:
    """Read the first choice's text and the token counts out of a response.

    Raises:
        TryError: there is no text in it. What it cost all the same is in its `tokens`.
    """
    usage = data.get("usage") if isinstance(data, dict) else None
    try:
        text = _answer(data)
    except TryError as failure:
        failure.tokens = tokens_of(usage)
        raise
    return Reply(text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))


def tokens_of(usage: object) -> tuple[int, int]:
    """Return the tokens of prompt and answer that a response counts, 0 where it does not."""
    return _count(usage, "prompt_tokens") or 0, _count(usage, "completion_tokens") or 0


def is_blank(text: str) -> bool:
    """Tell whether there is nothing to be seen in a text."""
    return not any(sign.isprintable() and not sign.isspace() for sign in text)


def _answer(data: Any) -> str:
    """Return the text of the first choice.

    Raises:
        TryError: there is none.
    """
    if isinstance(data, dict) and data.get("error"):
        raise _told(data["error"])
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices:
        raise TryError("no choices", excerpt(data))
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
    message = choice.get("message")
    text = _text_of(message if isinstance(message, dict) else {}, finish)
    # JSON can spell half a surrogate pair, which no file can hold.
    return text.encode("utf-8", "replace").decode("utf-8")


def _text_of(message: Mapping[str, Any], finish: object) -> str:
    """Return the text of a message; say what there is in its place."""
    content = message.get("content")
    text = content if isinstance(content, str) else joined(content)
    if text is not None and not is_blank(text):
        return text
    if message.get("refusal"):
        raise TryError("refusal", excerpt(message["refusal"]))
    if message.get("tool_calls") or message.get("function_call"):
        raise TryError("tool call", "the model called a tool, and none was offered")
    if finish == "length":
        raise TryError(CUT_SHORT, "all tokens were used before the answer began")
    if text is None:
        raise TryError(NO_TEXT, "a response whose message has no text")
    raise TryError("empty", "a response whose text is empty")


def joined(content: object) -> str | None:
    """Return the text of a message that is a list of parts; None where a part holds no text.

    What a model thought before it answered is passed over.
    """
    if not isinstance(content, list):
        return None
    texts = []
    for part in content:
        if isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
            continue
        text = part.get("text") if isinstance(part, dict) else None
        if not isinstance(text, str):
            return None
        texts.append(text)
    return "".join(texts) if texts else None


def _told(error: Any) -> TryError:
    """Return an error that stands in a body: it goes by the status it names, else by its type."""
    named = error if isinstance(error, dict) else {"message": error}
    words = excerpt(named.get("message") or json.dumps(named))
    code = str(named.get("code") or named.get("status") or "")
    if code.isascii() and code.isdigit() and len(code) == 3:
        return TryError(f"HTTP {code} in the reply", words, passing=may_pass(int(code)))
    about = f"{code} {named.get('type') or ''}".lower()
    passing = not any(word in about for word in LASTING_WORDS)
    return TryError("error in the reply", words, passing=passing)


def _count(usage: object, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if whole else None
