"""The wire format: a Request as JSON, and what a response says, whole or as a stream.

A response that holds no answer is a `TryError`, and never an empty text.
"""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from ladder.engines.base import Request
from ladder.engines.endpoint.failure import CUT_SHORT, TryError, may_pass
from ladder.redaction import redact
from ladder.wording import harmless

BODY_LIMIT_BYTES = 10_000_000
"""Of a response, as it is sent and as it is decoded."""
WORDS_LIMIT_BYTES = 20_000
"""Of a response that is an error: enough for what it says."""
MESSAGE_LIMIT = 200
"""Characters of a server's own message that an error repeats."""
STOPS_SENT = 4
"""Endpoints refuse more stop strings than this; the rest are applied here."""
ENCODINGS = ("gzip", "deflate")
BROKEN_STREAM = "broken stream"
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


async def read(response: httpx.Response) -> tuple[Any, float | None]:
    """Return a response's JSON, and when its first text came where it was streamed.

    Raises:
        TryError: the status is an error's, or the body cannot be read.
    """
    if not response.is_success:
        raise _refused(response, await _words(response))
    kind: str = response.headers.get("content-type", "")
    if kind.lower().startswith("text/event-stream"):
        return await _read_events(response)
    body = bytearray()
    async for part in _decoded(response):
        body += part
    try:
        return json.loads(body), None
    except (ValueError, RecursionError):
        raise TryError("not JSON", server_words(bytes(body))) from None


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


def retry_after(value: str) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or an HTTP date."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            then = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        aware = then if then.tzinfo else then.replace(tzinfo=UTC)
        seconds = (aware - datetime.now(UTC)).total_seconds()
    return None if math.isnan(seconds) else max(0.0, seconds)


def server_words(body: bytes) -> str:
    """Return the start of the server's own words, on one line and without any secret."""
    text = body[:WORDS_LIMIT_BYTES].decode("utf-8", "replace")
    try:
        error = json.loads(body)["error"]
        text = error if isinstance(error, str) else error["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # not in the usual form: the body itself is the message
    return _shown(text) or "no message"


def _shown(text: object) -> str:
    return harmless(redact(str(text)[:WORDS_LIMIT_BYTES]), MESSAGE_LIMIT)


def _refused(response: httpx.Response, body: bytes) -> TryError:
    """Return what a response says whose status is not that of an answer."""
    status = response.status_code
    words = "redirects are not followed" if 300 <= status < 400 else server_words(body)
    if status == 429 and b"insufficient_quota" in body:
        return TryError("no quota", words)
    pause = retry_after(response.headers.get("retry-after", ""))
    return TryError(f"HTTP {status}", words, passing=may_pass(status), pause=pause)


async def _words(response: httpx.Response) -> bytes:
    """Return the first bytes of an error's body; what cannot be decoded says nothing."""
    body = bytearray()
    with suppress(TryError):
        async with aclosing(_decoded(response)) as parts:
            async for part in parts:
                body += part
                if len(body) > WORDS_LIMIT_BYTES:
                    break
    return bytes(body[:WORDS_LIMIT_BYTES])


async def _decoded(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Yield a body part by part, unless it is larger than any answer can be.

    It is unpacked here, because a megabyte that is sent may hold a gigabyte.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", *ENCODINGS):
        raise TryError("broken encoding", f"{_shown(encoding)} was not asked for")
    unpack = zlib.decompressobj(wbits=47) if encoding in ENCODINGS else None  # 47: either of them
    sent, size = 0, 0
    async for raw in response.aiter_raw():
        try:
            part = unpack.decompress(raw, BODY_LIMIT_BYTES + 1 - size) if unpack else raw
        except zlib.error:
            raise TryError("broken encoding", f"the body is not {encoding}") from None
        sent, size = sent + len(raw), size + len(part)
        if max(sent, size) > BODY_LIMIT_BYTES:
            raise TryError("too large", f"a response of more than {BODY_LIMIT_BYTES:,} bytes")
        yield part
    if unpack is not None and not unpack.eof and sent:
        raise TryError("broken encoding", f"the {encoding} body has no end")


async def _lines(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Yield lines as they come, parted by line feeds only: JSON may hold every other break."""
    rest = b""
    async with aclosing(_decoded(response)) as parts:
        async for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                yield line
    yield rest


@dataclass
class _Streamed:
    """One choice of a stream, as far as it has come."""

    message: dict[str, Any] = field(default_factory=lambda: {"content": ""})
    finish: str | None = None
    error: Any = None
    first_at: float | None = None

    def take(self, choice: Mapping[str, Any]) -> None:
        delta = choice["delta"] or {}
        content = delta.get("content")
        new = (content if isinstance(content, str) else _joined(content)) or ""
        if new and self.first_at is None:
            self.first_at = time.perf_counter()
        self.message["content"] += new
        for name in ("refusal", "tool_calls", "function_call"):
            if delta.get(name):
                self.message[name] = delta[name]
        self.finish = choice.get("finish_reason") or self.finish
        self.error = choice.get("error") or self.error


def _event(event: bytes, choices: dict[Any, _Streamed]) -> dict[str, Any]:
    """Add what an event brings to the choices; return the event."""
    try:
        data = json.loads(event)
        for choice in data.get("choices") or ():
            choices.setdefault(choice.get("index"), _Streamed()).take(choice)
        return dict(data)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        words = "an event that is no part of an answer"
        raise TryError(BROKEN_STREAM, words, passing=True) from None


async def _read_events(response: httpx.Response) -> tuple[dict[str, Any], float | None]:
    """Return a streamed answer in the form of a whole one, and when its first text came."""
    choices: dict[Any, _Streamed] = {}
    usage, ended = None, False
    async with aclosing(_lines(response)) as lines:
        async for line in lines:
            event = line.removeprefix(b"data:").strip()
            ended = ended or event == b"[DONE]"
            if not line.startswith(b"data:") or event == b"[DONE]":
                continue
            data = _event(event, choices)
            usage = data.get("usage") or usage
            if data.get("error"):
                return {"error": data["error"], "usage": usage}, None
    first = choices.get(0) or next(iter(choices.values()), _Streamed())
    if not ended and not first.finish:
        broken = TryError(BROKEN_STREAM, "the stream broke off", passing=True)
        broken.tokens = tokens_of(usage)
        raise broken
    choice = {"message": first.message, "finish_reason": first.finish, "error": first.error}
    return {"choices": [choice], "usage": usage}, first.first_at


def _answer(data: Any) -> str:
    """Return the text of the first choice.

    Raises:
        TryError: there is none.
    """
    if isinstance(data, dict) and data.get("error"):
        raise _told(data["error"])
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices:
        raise TryError("no choices", _shown(data))
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
    text = content if isinstance(content, str) else _joined(content)
    if text is not None and not is_blank(text):
        return text
    if message.get("refusal"):
        raise TryError("refusal", _shown(message["refusal"]))
    if message.get("tool_calls") or message.get("function_call"):
        raise TryError("tool call", "the model called a tool, and none was offered")
    if finish == "length":
        raise TryError(CUT_SHORT, "all tokens were used before the answer began")
    if text is None:
        raise TryError(NO_TEXT, "a response whose message has no text")
    raise TryError("empty", "a response whose text is empty")


def _joined(content: object) -> str | None:
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
    words = _shown(named.get("message") or json.dumps(named))
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
