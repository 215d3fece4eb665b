"""One try: a request is sent, within its time, as a stream where that is wanted, and read."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace

import httpx

from ladder.engines.base import Completion, Request
from ladder.engines.endpoint.access import Address
from ladder.engines.endpoint.breaker import Breaker
from ladder.engines.endpoint.chat_completions import Reply, is_blank, payload, reply_of
from ladder.engines.endpoint.failure import (
    BROKE_OFF,
    NO_CONNECTION,
    NOT_SECURE,
    TIME_OUT,
    TryError,
)
from ladder.engines.endpoint.permits import Permits
from ladder.engines.endpoint.responses import read
from ladder.language.tokens import likely_tokens
from ladder.redaction import redact
from ladder.wording import harmless

STREAM_REFUSED = frozenset({f"HTTP {status}" for status in (400, 404, 415, 422, 501)})
MOST_REFUSED_WHOLE = 4
"""After so many it is not the stream that is refused."""


@dataclass
class Support:
    """What an endpoint has shown of how it answers. All calls of one engine share it."""

    stream: bool = False
    """Answers are asked for token by token: this is wanted, and has not been refused."""
    refused_whole: int = 0
    """Requests that were refused as a stream, and then not answered as a whole either."""
    estimates: bool = False
    """Some answer came without its token counts."""


@dataclass(frozen=True)
class Sender:
    """Sends the requests of one call."""

    client: httpx.AsyncClient
    model: str
    address: Address
    permits: Permits
    breaker: Breaker
    support: Support

    async def send(self, request: Request, limit_s: float, *, stream: bool) -> Completion:
        """Send a request, whole where it is refused as a stream.

        Raises:
            TryError: it was not answered.
            CancelledError: nothing more may be sent.
        """
        try:
            return await self._once(request, limit_s, stream)
        except TryError as failure:
            helpless = self.support.refused_whole >= MOST_REFUSED_WHOLE
            if not stream or failure.kind not in STREAM_REFUSED or helpless:
                raise
        self.support.refused_whole += 1
        whole = await self._once(request, limit_s, False)
        self.support.stream = False
        return whole

    async def _once(self, request: Request, limit_s: float, stream: bool) -> Completion:
        """Send it where that is permitted, and tell what it has cost, answered or not."""
        self.permits.go(request)
        cost = (0, 0)
        try:
            completion = await self._post(request, limit_s, stream)
            cost = completion.tokens_in, completion.tokens_out
            return completion
        except TryError as failure:
            cost = failure.tokens
            raise
        finally:
            self.permits.end(request, cost)

    async def _post(self, request: Request, limit_s: float, stream: bool) -> Completion:
        start = time.perf_counter()
        body = json.dumps(payload(self.model, request, stream)).encode()
        try:
            async with (
                asyncio.timeout(limit_s),
                self.client.stream("POST", self.address.url, content=body) as response,
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
            self.support.estimates = True
            prompt = payload(self.model, request)["messages"]
            tokens_in = sum(likely_tokens(message["content"]) for message in prompt)
            tokens_out = likely_tokens(reply.text)
        text = reply.text.strip()
        for stop in filter(None, request.stop):
            text = text.split(stop, 1)[0]
        if is_blank(text):
            failure = TryError("empty", "nothing stands before the string that ends an answer")
            failure.tokens = tokens_in, tokens_out
            raise failure
        text = redact(text.strip())
        return Completion(text=text, tokens_in=tokens_in, tokens_out=tokens_out, seconds=seconds)
