"""Answers from any OpenAI-compatible chat endpoint, many at a time.

The requests run in an event loop on a thread of their own, and each answer is handed to the caller
as it arrives. Trouble that may pass is tried again; what stays is told in `Completion.error`.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from typing import Any

import httpx

from ladder.engines.base import Abilities, Completion, Request
from ladder.errors import EngineError
from ladder.keys import Place, how_to_send, key_for, place_at
from ladder.redaction import redact

START_CONCURRENCY = 4
BODY_LIMIT_BYTES = 10_000_000
MESSAGE_LIMIT = 200
"""Characters of a server's own message that an error repeats."""
CONNECT_SECONDS = 10.0
"""A host that takes longer to accept a connection is taken as not there."""
STOPS_SENT = 4
"""Endpoints refuse more stop strings than this; the rest are applied here."""
CLOSE_SECONDS = 5.0
STREAM_REFUSED = frozenset({400, 404, 415, 422, 501})
RETRIED_STATUSES = frozenset({408, 409, 429})

Put = Callable[[tuple[int, Completion]], None]


class _TryAgainError(Exception):
    """A try failed in a way that may pass."""

    def __init__(
        self,
        reason: str,
        *,
        unreachable: bool = False,
        throttled: bool = False,
        pause: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.unreachable = unreachable
        self.throttled = throttled
        self.pause = pause
        """Seconds that the server asked to wait."""


class _RefusedError(Exception):
    """The endpoint will not answer this request, however often it is asked."""


class EndpointEngine:
    """A model behind `POST {base_url}/chat/completions`."""

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        concurrency: int = 8,
        timeout_s: float = 60.0,
        attempts: int = 5,
        longest_wait_s: float = 60.0,
        first_wait_s: float = 0.5,
    ) -> None:
        """Take the endpoint's address; nothing is sent yet.

        Args:
            model: the name that the endpoint knows the model by.
            base_url: e.g. `https://host/v1`. A query stays on every request; `user:password@` is
                sent as basic authentication, in place of the API key.
            concurrency: requests under way at once, at most.
            timeout_s: seconds that one try may take, from connecting to the last byte.
            attempts: tries for one request before it is given up.
            longest_wait_s: seconds between two tries, at most, whatever the server asks for.
            first_wait_s: longest wait after the first failed try; it doubles with each.

        Raises:
            EngineError: the URL is not one of an endpoint.
        """
        if concurrency < 1 or attempts < 1:
            raise ValueError("concurrency and attempts start at 1")
        self.model = model
        self.concurrency = concurrency
        self.timed = False
        """The clock of a request runs from its first try to its answer, waits included."""
        self.stream = False
        self.timeout_s = timeout_s
        self.attempts = attempts
        self.longest_wait_s = longest_wait_s
        self.first_wait_s = first_wait_s
        base = _checked_url(model, base_url)
        path, mark, query = base.raw_path.partition(b"?")
        # The password leaves the URL, which httpx logs, and is sent in the header all the same.
        self._login = (base.username, base.password) if base.userinfo else None
        bare = base.copy_with(userinfo=b"", fragment=None)
        self._url = bare.copy_with(raw_path=path.rstrip(b"/") + b"/chat/completions" + mark + query)
        self._shown = str(bare.copy_with(query=None)).rstrip("/")
        self._place = place_at(base)
        self._local = self._place.here
        self._heard = False
        """Some response has come: something listens at the URL."""
        self._estimates = False
        """Some answer came without its token counts."""
        self._warned = False

    def __repr__(self) -> str:
        return f"EndpointEngine(model={self.model!r}, base_url={self._shown!r})"

    def streaming(self, concurrency: int) -> EndpointEngine:
        """Return an engine to be timed: answers come token by token, and the first is noted.

        Retries and the waits between them are part of a request's time, as a user would see it. An
        endpoint that refuses to stream is timed without.

        Args:
            concurrency: requests under way at once, from the start.
        """
        timed = copy(self)
        timed.timed, timed.stream, timed.concurrency = True, True, concurrency
        return timed

    @property
    def abilities(self) -> Abilities:
        """Chat only; local where the URL's host is this machine. It may ignore a schema."""
        return Abilities(
            plain=False, scores_choices=False, json_schema=True, context=8192, local=self._local
        )

    def fingerprint(self) -> dict[str, str]:
        """Return address and model: all that is known of what is behind an endpoint."""
        return {"endpoint": self._shown, "model": self.model}

    def count_tokens(self, text: str) -> int:
        """Return an estimate, not a count: a quarter of the characters, rounded up."""
        return math.ceil(len(text) / 4)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Yield each answer as it arrives, in any order. `choices` are ignored.

        Closing the iterator cancels what is under way.

        Raises:
            EngineError: nothing listens at the URL, or it does not accept the key.
        """
        answers: SimpleQueue[tuple[int, Completion] | None] = SimpleQueue()
        key = None if self._login else key_for(self._place)
        headers = _headers(key.value if key else None)
        loop = asyncio.new_event_loop()
        work = loop.create_task(self._answer_all(requests, headers, answers.put))
        work.add_done_callback(lambda _: answers.put(None))
        # A daemon, so that an iterator which nobody closes does not keep the program alive.
        thread = threading.Thread(target=_run, args=(loop, work), daemon=True)
        thread.start()
        try:
            while (answer := answers.get()) is not None:
                self._warn_of_estimates()
                yield answer
            work.result()
        finally:
            loop.call_soon_threadsafe(work.cancel)
            thread.join(CLOSE_SECONDS)
            if not thread.is_alive():
                loop.close()

    def _warn_of_estimates(self) -> None:
        """Warn once, on the caller's thread."""
        if self._estimates and not self._warned:
            self._warned = True
            message = f"{self._shown} reports no token usage: tokens and costs are estimates"
            warnings.warn(message, stacklevel=3)

    async def _answer_all(
        self, requests: Sequence[Request], headers: dict[str, str], put: Put
    ) -> None:
        todo = iter(enumerate(requests))
        pace = _Pace(self.concurrency, self.concurrency if self.timed else START_CONCURRENCY)
        options: dict[str, Any] = {
            "headers": headers,
            "auth": self._login,
            "timeout": httpx.Timeout(self.timeout_s, connect=min(self.timeout_s, CONNECT_SECONDS)),
            "limits": httpx.Limits(max_connections=self.concurrency),
            # What is for this machine must not go through a proxy that the environment names.
            "trust_env": not self._local,
        }

        async def work(client: httpx.AsyncClient) -> None:
            for at, request in todo:
                put((at, await self._answer(client, pace, request)))

        try:
            async with httpx.AsyncClient(**options) as client, asyncio.TaskGroup() as group:
                for _ in range(min(self.concurrency, len(requests))):
                    group.create_task(work(client))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _answer(self, client: httpx.AsyncClient, pace: _Pace, request: Request) -> Completion:
        """Try until there is an answer, or until there is no more hope of one."""
        troubles: list[_TryAgainError] = []
        begun = time.perf_counter()
        while len(troubles) < self.attempts:
            if troubles:
                await asyncio.sleep(self._wait_s(troubles))
            try:
                async with pace.turn():
                    start = begun if self.timed else time.perf_counter()
                    return await self._try(client, request, start)
            except _RefusedError as refusal:
                return Completion(error=str(refusal))
            except _TryAgainError as trouble:
                troubles.append(trouble)
        last = troubles[-1]
        if not self._heard and all(trouble.unreachable for trouble in troubles):
            raise EngineError(
                f"{self._shown}: nothing listens there ({last}, {self.attempts} attempts). "
                "Start the server, or mend the URL."
            )
        return Completion(error=f"no answer in {self.attempts} attempts; the last: {last}")

    def _wait_s(self, troubles: Sequence[_TryAgainError]) -> float:
        """Exponential backoff with full jitter, on top of what the server asked for."""
        widest = self.first_wait_s * 2.0 ** min(len(troubles) - 1, 30)
        wait = random.uniform(0, widest) + (troubles[-1].pause or 0.0)
        return min(wait, self.longest_wait_s)

    async def _try(self, client: httpx.AsyncClient, request: Request, start: float) -> Completion:
        payload = _payload(self.model, request)
        if self.stream:
            payload |= {"stream": True, "stream_options": {"include_usage": True}}
        first_s = None
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                client.stream("POST", self._url, json=payload) as response,
            ):
                self._heard = True
                if self.stream and response.status_code in STREAM_REFUSED:
                    self.stream = False
                    raise _TryAgainError("the endpoint refuses to stream")
                if response.is_success and _sends_events(response):
                    body, first_at = await _read_events(response)
                    first_s = first_at - start if first_at else None
                else:
                    body = await _read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _TryAgainError(f"no connection: {_kind(error)}", unreachable=True) from None
        except (TimeoutError, httpx.TimeoutException):
            raise _TryAgainError(f"no answer within {self.timeout_s:g} s") from None
        except httpx.RequestError as error:
            raise _TryAgainError(f"the connection broke: {type(error).__name__}") from None
        self._check_status(response, body)
        seconds = time.perf_counter() - start
        return replace(self._completion(request, _reply(body), seconds), first_s=first_s)

    def _check_status(self, response: httpx.Response, body: bytes) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        words = "redirects are not followed" if status < 400 else _server_message(body)
        message = f"HTTP {status}: {words}"
        if status in (401, 403):
            fix = "Is the login in its URL valid?" if self._login else how_to_send(self._place)
            raise EngineError(f"{self._shown} refuses access ({message}). {fix}")
        if status in RETRIED_STATUSES or status >= 500:
            asked = _retry_after(response.headers.get("retry-after", ""))
            pause = None if asked is None else min(asked, self.longest_wait_s)
            raise _TryAgainError(message, throttled=status == 429, pause=pause)
        raise _RefusedError(message)

    def _completion(self, request: Request, reply: _Reply, seconds: float) -> Completion:
        tokens_in, tokens_out = reply.tokens_in, reply.tokens_out
        if tokens_in is None or tokens_out is None:
            self._estimates = True
            prompt = _payload(self.model, request)["messages"]
            tokens_in = sum(self.count_tokens(message["content"]) for message in prompt)
            tokens_out = self.count_tokens(reply.text)
        text = reply.text.strip()
        for stop in filter(None, request.stop):
            text = text.split(stop, 1)[0]
        return Completion(
            text=text.strip(), tokens_in=tokens_in, tokens_out=tokens_out, seconds=seconds
        )


class _Pace:
    """How many requests may be under way: one more per clean round, half as many on a 429."""

    def __init__(self, most: int, start: int = START_CONCURRENCY) -> None:
        self.most = most
        self.allowed = min(start, most)
        self._busy = 0
        self._clean = 0
        self._episode = 0
        self._resume_at = 0.0
        self._room = asyncio.Condition()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for room and for the end of a pause, then let one try run."""
        async with self._room:
            await self._room.wait_for(lambda: self._busy < self.allowed)
            self._busy += 1
        try:
            while (left := self._resume_at - time.monotonic()) > 0:
                await asyncio.sleep(left)
            episode = self._episode
            try:
                yield
            except _TryAgainError as trouble:
                if trouble.throttled:
                    self._slow_down(episode, trouble.pause or 0.0)
                raise
            self._speed_up()
        finally:
            self._busy -= 1
            async with self._room:
                self._room.notify_all()

    def _slow_down(self, episode: int, pause: float) -> None:
        # The limit is the key's, not the request's: a pause that the server asks for holds for all.
        self._resume_at = max(self._resume_at, time.monotonic() + pause)
        self._clean = 0
        # Requests sent before the cut bring the same news: they do not cut again.
        if episode == self._episode:
            self._episode += 1
            self.allowed = max(1, self.allowed // 2)

    def _speed_up(self) -> None:
        self._clean += 1
        if self._clean >= self.allowed and self.allowed < self.most:
            self.allowed += 1
            self._clean = 0


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a response says: the raw text, and the tokens if it counts them."""

    text: str
    tokens_in: int | None
    tokens_out: int | None


def _run(loop: asyncio.AbstractEventLoop, work: asyncio.Task[None]) -> None:
    """Drive the loop until the work is done; its outcome stays in the task."""
    loop.run_until_complete(asyncio.wait({work}))
    loop.run_until_complete(loop.shutdown_asyncgens())


def _payload(model: str, request: Request) -> dict[str, Any]:
    messages = request.messages or (("user", request.text),)
    payload: dict[str, Any] = {
        "model": model,
        "messages": [{"role": role, "content": content} for role, content in messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature or 0,
        "seed": request.sample,
    }
    if request.schema:
        shape = {"name": "answer", "schema": json.loads(request.schema)}
        payload["response_format"] = {"type": "json_schema", "json_schema": shape}
    stops = [stop for stop in request.stop if stop]
    if stops:
        payload["stop"] = stops[:STOPS_SENT]
    return payload


async def _read(response: httpx.Response) -> bytes:
    """Return the whole body, unless it is larger than any answer can be."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > BODY_LIMIT_BYTES:
            raise _RefusedError(f"a response of more than {BODY_LIMIT_BYTES:,} bytes")
    return bytes(body)


def _sends_events(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.startswith("text/event-stream")


async def _read_events(response: httpx.Response) -> tuple[bytes, float | None]:
    """Return a streamed answer in the form of a whole one, and when its first text came."""
    text, usage, first_at, whole = "", None, None, False
    async for line in _lines(response):
        event = line.removeprefix(b"data:").strip()
        whole = whole or event == b"[DONE]"
        if not line.startswith(b"data:") or event == b"[DONE]":
            continue
        try:
            data = json.loads(event)
            if data.get("error"):
                raise _TryAgainError(f"an error in the stream: {_server_message(event)}")
            usage = data.get("usage") or usage
            choices = data.get("choices") or ()
            parts = [choice["delta"].get("content") for choice in choices]
            whole = whole or any(choice.get("finish_reason") for choice in choices)
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
            raise _TryAgainError("an event that is no part of an answer") from None
        new = "".join(part for part in parts if isinstance(part, str))
        if new and first_at is None:
            first_at = time.perf_counter()
        text += new
    if not whole:
        raise _TryAgainError("the stream broke off")
    message = {"choices": [{"message": {"content": text}}], "usage": usage}
    return json.dumps(message).encode(), first_at


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield lines as they come, parted by line feeds only: JSON may hold every other break."""
    size, rest = 0, b""
    async for part in response.aiter_bytes():
        size += len(part)
        if size > BODY_LIMIT_BYTES:
            raise _RefusedError(f"a response of more than {BODY_LIMIT_BYTES:,} bytes")
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
    yield rest


def _reply(body: bytes) -> _Reply:
    """Read the first choice's text and the token counts out of a response."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise _TryAgainError("a response that is not JSON") from None
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices:
        raise _TryAgainError(f"a response without choices: {_server_message(body)}")
    message = choices[0].get("message") if isinstance(choices[0], dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str):
        raise _TryAgainError("a response whose message has no text")
    # JSON can spell half a surrogate pair, which no file can hold.
    text = content.encode("utf-8", "replace").decode("utf-8")
    usage = data.get("usage")
    return _Reply(text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))


def _count(usage: object, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if whole else None


def _server_message(body: bytes) -> str:
    """Return the start of the server's own words, on one line and without the key."""
    text = body.decode("utf-8", "replace")
    try:
        error = json.loads(body)["error"]
        text = error if isinstance(error, str) else error["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # not in the usual form: the body itself is the message
    return redact(" ".join(str(text).split()))[:MESSAGE_LIMIT] or "no message"


def _kind(error: Exception) -> str:
    """Return what a connection error says of itself, or else its name."""
    return redact(str(error))[:MESSAGE_LIMIT] or type(error).__name__


def _retry_after(value: str) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or an HTTP date."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            then = parsedate_to_datetime(value)
        except ValueError:
            return None
        aware = then if then.tzinfo else then.replace(tzinfo=UTC)
        seconds = (aware - datetime.now(UTC)).total_seconds()
    return None if math.isnan(seconds) else max(0.0, seconds)


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _checked_url(model: str, base_url: str) -> httpx.URL:
    """Return the URL. The error does not repeat it: it may hold a password."""
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise EngineError(f"openai:{model}: the endpoint is not a URL like https://host/v1")
    return url


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    return Place("http", host.lower().removesuffix("."), 0).here
