"""Answers from any OpenAI-compatible chat endpoint, many at a time.

The requests run in an event loop on a thread of their own, and each answer is handed to the caller
as it arrives. Trouble that may pass is tried again; what stays is told in `Completion.error`; an
endpoint that answers nothing any more ends the run.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.endpoint.access import checked_url, headers_with
from ladder.engines.endpoint.breaker import GREETING, Breaker, Patience
from ladder.engines.endpoint.chat_completions import Reply, is_blank, payload, read, reply_of
from ladder.engines.endpoint.failure import (
    BROKE_OFF,
    CUT_SHORT,
    NO_CONNECTION,
    NOT_SECURE,
    THROTTLED,
    TIME_OUT,
    TryError,
)
from ladder.engines.endpoint.loop import Loop, Put
from ladder.engines.endpoint.pacing import START_CONCURRENCY, Pace
from ladder.errors import GO_ON, EndpointDownError, EngineError
from ladder.redaction import hide_from_logs, keep_url_secrets, redact
from ladder.trust.keys import how_to_send, key_for, place_at
from ladder.wording import counted, harmless

CONNECT_SECONDS = 10.0
"""A host that takes longer to accept a connection is taken as not there."""
STREAM_REFUSED = frozenset({f"HTTP {status}" for status in (400, 404, 415, 422, 501)})
MOST_REFUSED_WHOLE = 4
"""After so many it is not the stream that is refused."""
ADVICE = {
    NO_CONNECTION: "Start the server, or fix the URL",
    NOT_SECURE: "Fix the server's certificate, or the URL's scheme",
    TIME_OUT: "See whether the server is at work, or raise rules.request_timeout_s",
    CUT_SHORT: "The model uses all the tokens it is given before it answers: have it answer "
    "without thinking first, or name another one",
    THROTTLED: "Wait until the key's limit is open again, or raise it",
    "no quota": "Pay the account up, or use another key",
    "HTTP 402": "Pay the account up, or use another key",
    "HTTP 404": "Fix the URL or the model's name",
}
"""What to do, by the kind that came most often."""
OTHER_ADVICE = "Start the server, or fix the URL, the model's name or the key"


@dataclass
class _Call:
    """One call of `complete`."""

    client: httpx.AsyncClient
    pace: Pace
    stopped: Exception | None = None
    """What `ahead` raised: nothing more is sent."""
    waiting: set[asyncio.Task[Any]] = field(default_factory=set)
    """Those that wait for their next try."""


@dataclass
class _Asked:
    """One request and what became of its tries."""

    request: Request
    seen: tuple[int, int]
    """How many outages and doubts had ended when it last began."""
    begun: float = field(default_factory=time.perf_counter)
    failed: list[TryError] = field(default_factory=list)
    tokens: tuple[int, int] = (0, 0)
    """What failed tries cost."""

    def pay(self, tokens: tuple[int, int]) -> None:
        self.tokens = self.tokens[0] + tokens[0], self.tokens[1] + tokens[1]

    def forgive(self, seen: tuple[int, int]) -> None:
        """Begin anew after an outage: it is not the request's, nor part of its time."""
        if seen[0] != self.seen[0]:
            self.failed.clear()
        if seen != self.seen:
            self.seen, self.begun = seen, time.perf_counter()

    def gives_up(self, kind: str, words: str) -> Completion:
        tokens_in, tokens_out = self.tokens
        return Completion(error=words, kind=kind, tokens_in=tokens_in, tokens_out=tokens_out)


class EndpointEngine:
    """A model behind `POST {base_url}/chat/completions`."""

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        concurrency: int = 8,
        timeout_s: float = 45.0,
        attempts: int = 5,
        patience: Patience | None = None,
    ) -> None:
        """Take the endpoint's address; nothing is sent yet.

        Args:
            model: the name that the endpoint knows the model by.
            base_url: e.g. `https://host/v1`. A query stays on every request; `user:password@` is
                sent as basic authentication, in place of the API key.
            concurrency: requests under way at once, at most.
            timeout_s: seconds that one try may take, from connecting to the last byte.
            attempts: tries for one request before it is given up.
            patience: how long failures are waited out.

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
        self.ahead: Callable[[Request], None] | None = None
        """Called before each try is sent, on the loop's thread. Where it raises, nothing more is
        sent, what is under way is still answered, and the caller gets the error."""
        self.ended: Callable[[Request, tuple[int, int]], None] | None = None
        """Called after each try, with the tokens of prompt and answer that it cost."""
        self.breaker = Breaker(patience or Patience())
        keep_url_secrets(base_url)
        hide_from_logs()
        base = checked_url(model, base_url)
        path, mark, query = base.raw_path.partition(b"?")
        # The password leaves the URL, which httpx logs, and is sent in the header all the same.
        self._login = (base.username, base.password) if base.userinfo else None
        bare = base.copy_with(userinfo=b"", fragment=None)
        self._url = bare.copy_with(raw_path=path.rstrip(b"/") + b"/chat/completions" + mark + query)
        self._shown = str(bare.copy_with(query=None)).rstrip("/")
        self._place = place_at(base)
        self._local = self._place.here
        self._refused_whole = 0
        """Requests that were refused as a stream, and then not answered as a whole either."""
        self._estimates = False
        """Some answer came without its token counts."""
        self._warned = False

    def __repr__(self) -> str:
        return f"EndpointEngine(model={self.model!r}, base_url={self._shown!r})"

    def streaming(self, concurrency: int) -> EndpointEngine:
        """Return an engine to be timed: answers come token by token, and the first is noted.

        Retries and the waits between them are part of a request's time, as a user would see it; an
        outage is not. An endpoint that refuses to stream is timed without.

        Args:
            concurrency: requests under way at once, from the start.
        """
        timed = copy(self)  # the breaker is the same: there is one endpoint
        timed.timed, timed.stream, timed.concurrency = True, True, concurrency
        return timed

    @property
    def abilities(self) -> Abilities:
        """Chat only; local where the URL's host is this machine. It may ignore a schema."""
        return Abilities(
            plain=False,
            scores_choices=False,
            json_schema=True,
            context=8192,
            served=True,
            local=self._local,
        )

    @property
    def counts(self) -> dict[str, int]:
        """Kind of failure -> how many tries failed so."""
        return dict(self.breaker.counts)

    def words(self, kind: str) -> str:
        """Return what the server said most often with a kind of failure."""
        said = self.breaker.words.get(kind)
        return said.most_common(1)[0][0] if said else ""

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
            EndpointDownError: the endpoint answers nothing any more.
            EngineError: it does not accept the key.
        """
        key = None if self._login else key_for(self._place)
        headers = headers_with(key.value if key else None)
        loop = Loop(lambda put: self._answer_all(requests, headers, put))
        try:
            for answer in loop.results():
                self._warn_of_estimates()
                yield answer
        finally:
            loop.stop()

    def _warn_of_estimates(self) -> None:
        """Warn once, on the caller's thread."""
        if self._estimates and not self._warned:
            self._warned = True
            message = f"{self._shown} reports no token usage: tokens and costs are estimates"
            warnings.warn(message, stacklevel=3)

    def _client(self, headers: dict[str, str]) -> httpx.AsyncClient:
        options: dict[str, Any] = {
            "headers": {"Content-Type": "application/json", "Accept-Encoding": "gzip", **headers},
            "auth": self._login,
            "timeout": httpx.Timeout(self.timeout_s, connect=min(self.timeout_s, CONNECT_SECONDS)),
            "limits": httpx.Limits(max_connections=self.concurrency),
            # What is for this machine must not go through a proxy that the environment names.
            "trust_env": not self._local,
        }
        try:
            return httpx.AsyncClient(**options)
        except (ImportError, ValueError) as error:  # a proxy of a kind that is not supported
            words = harmless(redact(str(error)), 200)
            raise EngineError(f"{self._shown}: the proxy in the environment: {words}") from None

    async def _answer_all(
        self, requests: Sequence[Request], headers: dict[str, str], put: Put
    ) -> None:
        todo = iter(enumerate(requests))
        pace = Pace(self.concurrency, self.concurrency if self.timed else START_CONCURRENCY)

        async def work(call: _Call) -> None:
            for at, request in todo:
                completion = await self._answer_or_stop(call, request)
                if completion is not None:
                    put((at, completion))
                if call.stopped:
                    return

        async with self._client(headers) as client:
            call = _Call(client, pace)
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.concurrency, len(requests))):
                        group.create_task(work(call))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
        if call.stopped:
            raise call.stopped

    async def _answer_or_stop(self, call: _Call, request: Request) -> Completion | None:
        """Return the answer; where nothing more may be sent, what the tries so far have cost."""
        asked = _Asked(request, self.breaker.ended)
        try:
            return await self._answer(call, asked)
        except asyncio.CancelledError:
            if not call.stopped:
                raise
        return asked.gives_up("stopped", "stopped before an answer") if any(asked.tokens) else None

    async def _answer(self, call: _Call, asked: _Asked) -> Completion:
        """Try until there is an answer, or until there is no more hope of one."""
        while True:
            self._wait(call)
            if asked.failed and not self.breaker.in_doubt:
                asked.forgive(self.breaker.ended)
                if len(asked.failed) >= self.attempts:
                    last = asked.failed[-1]
                    words = f"no answer in {len(asked.failed)} attempts; the last: {last}"
                    return asked.gives_up(last.kind, words)
                await asyncio.sleep(self._wait_s(asked.failed) if asked.failed else 0)
            try:
                async with call.pace.turn(self.breaker.patience.longest_wait_s):
                    completion = await self._in_turn(call, asked)
                    if completion is not None:
                        return completion
            except TryError as failure:
                if not failure.passing:
                    return asked.gives_up(failure.kind, str(failure))
                asked.failed.append(failure)

    async def _in_turn(self, call: _Call, asked: _Asked) -> Completion | None:
        """Send what the breaker lets through; None where that was not the request itself."""
        spent = len(asked.failed) >= self.attempts
        while not isinstance(turn := self.breaker.take(spent), str):
            await asyncio.sleep(turn)
        if turn == "go":
            asked.forgive(self.breaker.ended)
            spent = len(asked.failed) >= self.attempts
            return None if spent else await self._try(call, asked, self.timeout_s)
        try:
            limit_s = self.breaker.limit_s(self.timeout_s)
            if turn == "probe":
                asked.begun = time.perf_counter()
                return await self._try(call, asked, limit_s)
            request = self.breaker.known or GREETING
            check = _Asked(request, self.breaker.ended)
            try:
                paid = await self._try(call, check, limit_s, check=True)
                asked.pay((paid.tokens_in, paid.tokens_out))
            except TryError:
                asked.pay(check.tokens)
            return None
        finally:
            self.breaker.release()

    def _wait(self, call: _Call) -> None:
        """Let the request's task be ended while it waits for its next try."""
        task = asyncio.current_task()
        if task is not None:
            call.waiting.add(task)
        if call.stopped:
            raise asyncio.CancelledError

    def _go(self, call: _Call, request: Request) -> None:
        """Ask whether a try may be sent; where it may not, end all that wait.

        Raises:
            CancelledError: it may not.
        """
        task = asyncio.current_task()
        if task is not None:
            call.waiting.discard(task)
        if self.ahead is not None and not call.stopped:
            try:
                self.ahead(request)
            except Exception as error:
                call.stopped = error
                for other in call.waiting:
                    other.cancel()
        if call.stopped:
            raise asyncio.CancelledError

    def _wait_s(self, failed: Sequence[TryError]) -> float:
        """Exponential backoff with full jitter, on top of what the server asked for."""
        patience = self.breaker.patience
        widest = patience.first_wait_s * 2.0 ** min(len(failed) - 1, 30)
        wait = random.uniform(0, widest) + (failed[-1].pause or 0.0)
        return min(wait, patience.longest_wait_s)

    async def _try(
        self, call: _Call, asked: _Asked, limit_s: float, *, check: bool = False
    ) -> Completion:
        """Send a request once and note how it went.

        Raises:
            TryError: it was not answered.
            EndpointDownError: that was once too often.
            EngineError: the key is refused.
        """
        began, start = time.monotonic(), time.perf_counter()
        try:
            completion = await self._sent(call, asked, limit_s, stream=self.stream and not check)
        except TryError as failure:
            asked.pay(failure.tokens)
            down = self.breaker.fail(failure, began, check=check)
            shut = down and failure.kind == "HTTP 403" and self.breaker.known is None
            if failure.kind == "HTTP 401" or shut:
                raise self._refused(failure) from None
            if down:
                raise self._down(failure) from None
            raise
        self.breaker.answer(asked.request, completion.seconds)
        seconds = time.perf_counter() - (asked.begun if self.timed else start)
        first_s = completion.first_s
        if first_s is not None:
            first_s += seconds - completion.seconds
        return replace(completion, seconds=seconds, first_s=first_s, lost_tokens=asked.tokens)

    async def _sent(
        self, call: _Call, asked: _Asked, limit_s: float, *, stream: bool
    ) -> Completion:
        """Send a request, whole where it is refused as a stream."""
        try:
            return await self._send(call, asked.request, limit_s, stream)
        except TryError as failure:
            helpless = self._refused_whole >= MOST_REFUSED_WHOLE
            if not stream or failure.kind not in STREAM_REFUSED or helpless:
                raise
        self._refused_whole += 1
        whole = await self._send(call, asked.request, limit_s, False)
        self.stream = False
        return whole

    async def _send(
        self, call: _Call, request: Request, limit_s: float, stream: bool
    ) -> Completion:
        self._go(call, request)
        cost = (0, 0)
        try:
            completion = await self._post(call, request, limit_s, stream)
            cost = completion.tokens_in, completion.tokens_out
            return completion
        except TryError as failure:
            cost = failure.tokens
            raise
        finally:
            if self.ended is not None:
                self.ended(request, cost)

    async def _post(
        self, call: _Call, request: Request, limit_s: float, stream: bool
    ) -> Completion:
        start = time.perf_counter()
        body = json.dumps(payload(self.model, request, stream)).encode()
        try:
            async with (
                asyncio.timeout(limit_s),
                call.client.stream("POST", self._url, content=body) as response,
            ):
                self.breaker.heard = True
                data, first_at = await read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            words = harmless(redact(str(error)), 200) or type(error).__name__
            kind = NOT_SECURE if "SSL" in words else NO_CONNECTION
            raise TryError(kind, words, passing=True) from None
        except (TimeoutError, httpx.TimeoutException):
            raise TryError(TIME_OUT, f"no answer within {limit_s:g} s", passing=True) from None
        except httpx.RequestError as error:
            raise TryError(BROKE_OFF, type(error).__name__, passing=True) from None
        seconds = time.perf_counter() - start
        first_s = first_at - start if first_at else None
        return replace(self._completion(request, reply_of(data), seconds), first_s=first_s)

    def _completion(self, request: Request, reply: Reply, seconds: float) -> Completion:
        tokens_in, tokens_out = reply.tokens_in, reply.tokens_out
        if tokens_in is None or tokens_out is None:
            self._estimates = True
            prompt = payload(self.model, request)["messages"]
            tokens_in = sum(self.count_tokens(message["content"]) for message in prompt)
            tokens_out = self.count_tokens(reply.text)
        text = reply.text.strip()
        for stop in filter(None, request.stop):
            text = text.split(stop, 1)[0]
        if is_blank(text):
            failure = TryError("empty", "nothing stands before the string that ends an answer")
            failure.tokens = tokens_in, tokens_out
            raise failure
        text = redact(text.strip())
        return Completion(text=text, tokens_in=tokens_in, tokens_out=tokens_out, seconds=seconds)

    def _refused(self, failure: TryError) -> EngineError:
        return EngineError(f"{self._shown} refuses access ({failure}). {self._key_advice()}")

    def _key_advice(self) -> str:
        return "Is the login in its URL valid?" if self._login else how_to_send(self._place)

    def _down(self, last: TryError) -> EndpointDownError:
        """Say what failed how often since when, in the server's own words, and what to do."""
        lately = dict(self.breaker.lately) or {last.kind: 1}
        kinds = sorted(lately.items(), key=lambda item: -item[1])
        commonest = kinds[0][0]
        silent = commonest == NO_CONNECTION and not self.breaker.heard
        state = "nothing listens" if silent else f"no answers from {self.model}"
        since = self.breaker.since.astimezone().strftime("%H:%M:%S")
        said = self.words(commonest)
        advice = f"{ADVICE.get(commonest, OTHER_ADVICE)}."
        if commonest == "HTTP 403":
            advice = self._key_advice()
        message = (
            f"{state} at {self._shown} since {since}: {counted(lately)}"
            + (f" ({said})" if said else "")
            + f". {advice} {GO_ON}"
        )
        return EndpointDownError(redact(message), lately)
