"""A response, read within bounds: whole, or as a stream of events, and packed or not."""

from __future__ import annotations

import math
import re
import time
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from ladder.engines.base import CUT_BEFORE_TEXT
from ladder.engines.endpoint.chat_completions import text_of, thought_of
from ladder.engines.endpoint.failure import (
    NO_QUOTA,
    TOO_LONG,
    WORDS_LIMIT_BYTES,
    TryError,
    excerpt,
    json_in,
    may_pass,
    server_words,
    words_in,
)
from ladder.engines.endpoint.usage import usage_of
from ladder.json_values import from_json

BODY_LIMIT_BYTES = 10_000_000
"""Of a response, as it is sent and as it is decoded."""
ENCODINGS = ("gzip", "deflate")
BROKEN_STREAM = "broken stream"
NAMES = ("model", "system_fingerprint")
"""Of an event: who answers."""
TOO_LONG_STATUSES = frozenset({400, 413, 422, 500})
"""Of what is refused for its length. llama.cpp and some gateways answer 500."""


async def read(response: httpx.Response) -> tuple[Any, float | None]:
    """Return a response's JSON, and when its first text came where it was streamed.

    Raises:
        TryError: the status is an error's, or the body cannot be read.
    """
    if not response.is_success:
        raise _refused(response, await _words(response))
    kind: str = response.headers.get("content-type", "")
    if kind.lower().startswith("text/event-stream"):
        return await _read_events(_decoded(response))
    body = bytearray()
    async for part in _decoded(response):
        body += part
    if re.match(rb"\s*(data|event|id|retry)?:", body):  # events under another content type
        return await _read_events(_whole(bytes(body)))
    try:
        return from_json(body), None
    except (ValueError, RecursionError):
        raise TryError("not JSON", server_words(bytes(body))) from None


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


def _refused(response: httpx.Response, body: bytes) -> TryError:
    """Return what a response says whose status is not that of an answer."""
    status, whole = response.status_code, body.decode("utf-8", "replace")
    words = _leads_to(response) if 300 <= status < 400 else server_words(body)
    said = f"{words_in(json_in(body)) or ''} {whole}"  # JSON may spell words in numbers of signs
    if status < 500 and NO_QUOTA.search(said):
        return TryError("no quota", words)
    if status in TOO_LONG_STATUSES and TOO_LONG.search(said):
        return TryError("too long", words)
    if b"Could not finish the message because max_tokens" in body:  # how OpenAI's o-series says it
        return TryError(CUT_BEFORE_TEXT, words)
    pause = retry_after(response.headers.get("retry-after", ""))
    failure = TryError(f"HTTP {status}", words, passing=may_pass(status), pause=pause)
    failure.hear(json_in(body))
    failure.said = failure.said or whole
    return failure


def _leads_to(response: httpx.Response) -> str:
    """Say where a redirect leads, without its query."""
    words = "redirects are not followed"
    try:
        there = response.url.join(response.headers.get("location", ""))
        target = excerpt(there.copy_with(query=None, fragment=None, userinfo=b""))
    except (httpx.InvalidURL, ValueError):
        return words
    return words if there == response.url else f"{words}; this one leads to {target}"


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
        raise TryError("broken encoding", f"{excerpt(encoding)} was not asked for")
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


async def _whole(body: bytes) -> AsyncGenerator[bytes]:
    """Yield a body in one part."""
    yield body


async def _lines(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield lines as they come, parted by line feeds only: JSON may hold every other break."""
    rest = b""
    async with aclosing(parts):
        async for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                yield line
    yield rest


@dataclass
class _Streamed:
    """One choice of a stream, as far as it has come."""

    message: dict[str, Any] = field(default_factory=lambda: {"content": "", "reasoning": ""})
    finish: str | None = None
    error: Any = None
    first_at: float | None = None

    def take(self, choice: Mapping[str, Any]) -> None:
        delta = {"content": choice["text"]} if isinstance(choice.get("text"), str) else None
        delta = delta or (choice["message"] if "message" in choice else choice["delta"]) or {}
        new = text_of(delta.get("content")) or ""
        if new and self.first_at is None:
            self.first_at = time.perf_counter()
        self.message["content"] += new
        self.message["reasoning"] += thought_of(delta)
        for name in ("refusal", "tool_calls", "function_call"):
            if delta.get(name):
                self.message[name] = delta[name]
        self.finish = choice.get("finish_reason") or self.finish
        self.error = choice.get("error") or self.error


def _event(event: bytes, choices: dict[Any, _Streamed]) -> dict[str, Any]:
    """Add what an event brings to the choices; return the event."""
    try:
        data = from_json(event)
        for choice in data.get("choices") or ():
            choices.setdefault(choice.get("index"), _Streamed()).take(choice)
        return dict(data)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        words = "an event that is no part of an answer"
        raise TryError(BROKEN_STREAM, words, passing=True) from None


async def _read_events(parts: AsyncGenerator[bytes]) -> tuple[dict[str, Any], float | None]:
    """Return a streamed answer in the form of a whole one, and when its first text came."""
    choices: dict[Any, _Streamed] = {}
    usage, ended = None, False
    named: dict[str, Any] = {}
    async with aclosing(_lines(parts)) as lines:
        async for line in lines:
            event = line.removeprefix(b"data:").strip()
            ended = ended or event == b"[DONE]"
            if not line.startswith(b"data:") or event == b"[DONE]":
                continue
            data = _event(event, choices)
            usage = data.get("usage") or usage
            named |= {name: data[name] for name in NAMES if data.get(name)}
            if data.get("error") or ("choices" not in data and words_in(data)):
                return {"error": data.get("error") or data, "usage": usage}, None
    first = choices.get(0) or next(iter(choices.values()), _Streamed())
    if not ended and not first.finish:
        broken = TryError(BROKEN_STREAM, "the stream broke off", passing=True)
        broken.tokens = usage_of(usage).paid
        raise broken
    choice = {"message": first.message, "finish_reason": first.finish, "error": first.error}
    return {**named, "choices": [choice], "usage": usage}, first.first_at
