"""One try: a request is sent, within its time, as a stream where that is wanted, and read."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace

import httpx

from ladder.engines.base import OWN_KINDS, Completion, Request
from ladder.engines.endpoint.access import Address
from ladder.engines.endpoint.breaker import Breaker
from ladder.engines.endpoint.failure import (
    BROKE_OFF,
    NO_CONNECTION,
    NOT_SECURE,
    PERHAPS_BILLED,
    TIME_OUT,
    TryError,
)
from ladder.engines.endpoint.negotiation import Form, Payload
from ladder.engines.endpoint.pacing import Room
from ladder.engines.endpoint.permits import Permits
from ladder.engines.endpoint.responses import read
from ladder.engines.endpoint.served_by import served_by
from ladder.engines.endpoint.wire import Wire
from ladder.redaction import redact
from ladder.wording import harmless

STREAM_REFUSED = frozenset({f"HTTP {status}" for status in (400, 404, 415, 422, 501)})
MOST_REFUSED_WHOLE = 4
"""After so many it is not the stream that is refused."""
MOST_REFUSED_IN_VAIN = 4
"""After so many it is not the form of the requests that is refused."""


@dataclass
class Support:
    """What an endpoint has shown of how it answers. All calls of one engine share it."""

    stream: bool = False
    """Answers are asked for token by token: this is wanted, and has not been refused."""
    refused_whole: int = 0
    """Requests that were refused as a stream, and then not answered as a whole either."""
    estimates: bool = False
    """Some answer came without its token counts."""
    form: Form = field(default_factory=Form)
    """How requests are put, as far as it is known: what was refused is put in another way."""
    refused_in_vain: int = 0
    """Requests that were put in another way, and refused all the same."""
    over_limit: bool = False
    """Some answer was counted as longer than it may be."""
    served_by: dict[str, None] = field(default_factory=dict)
    """The models and builds that responses have named, in the order in which they came."""
    room: Room = field(default_factory=Room)
    """How many requests it takes at once."""


@dataclass(frozen=True)
class Sender:
    """Sends the requests of one call."""

    client: httpx.AsyncClient
    model: str
    address: Address
    permits: Permits
    breaker: Breaker
    support: Support
    wire: Wire

    async def send(self, request: Request, limit_s: float, *, stream: bool) -> Completion:
        """Send a request, whole where it is refused as a stream.

        Raises:
            TryError: it was not answered.
            CancelledError: nothing more may be sent.
        """
        try:
            return await self._accepted(request, limit_s, stream)
        except TryError as failure:
            helpless = self.support.refused_whole >= MOST_REFUSED_WHOLE
            if not stream or failure.kind not in STREAM_REFUSED or helpless:
                raise
        self.support.refused_whole += 1
        whole = await self._accepted(request, limit_s, False)
        self.support.stream = False
        return whole

    async def _accepted(self, request: Request, limit_s: float, stream: bool) -> Completion:
        """Send it in the form that the server takes; what it refuses is put in another way.

        A form is kept once it was answered in: what a server says may name a field by chance.
        """
        plain = self.wire.payload(self.model, request, stream)
        form, lost = self.support.form, (0, 0)
        while True:
            try:
                completion = await self._once(request, limit_s, form.of(plain))
            except TryError as failure:
                other = form.without(plain, failure)
                if other is None or self.support.refused_in_vain >= MOST_REFUSED_IN_VAIN:
                    self._note(plain, form, failure)
                    failure.tokens = add(failure.tokens, lost)
                    raise
                form, lost = other, add(lost, failure.tokens)
            else:
                self.support.form = self.support.form.with_all(form)
                return replace(completion, lost_tokens=lost)

    def _note(self, plain: Payload, form: Form, failure: TryError) -> None:
        """Learn from what ended in an error all the same."""
        if failure.kind in OWN_KINDS:
            self.support.form = self.support.form.with_all(form)
        elif form != self.support.form and form.is_in_vain(plain, failure):
            self.support.refused_in_vain += 1

    async def _once(self, request: Request, limit_s: float, sent: Payload) -> Completion:
        """Send it where that is permitted, and tell what it has cost, answered or not.

        What a try cost whose answer never came, since it took too long, the connection broke or the
        call was ended, nobody here knows.
        """
        self.permits.go(request)
        cost: tuple[int, int] | None = None
        try:
            completion = await self._post(request, limit_s, sent)
            cost = completion.tokens_in, completion.tokens_out
            return completion
        except TryError as failure:
            cost = None if failure.kind in PERHAPS_BILLED else failure.tokens
            raise
        finally:
            self.permits.end(request, cost)

    async def _post(self, request: Request, limit_s: float, sent: Payload) -> Completion:
        start = time.perf_counter()
        body = json.dumps(sent).encode()
        try:
            async with (
                asyncio.timeout(limit_s),
                self.client.stream(
                    "POST", self.wire.url(self.address, sent), content=body
                ) as response,
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
        answer, counted = self.wire.completion(request, sent, data)
        self.support.over_limit |= counted and _is_over(request, answer)
        if name := served_by(data):
            self.support.served_by.setdefault(name)
        self.support.estimates |= not counted
        return replace(answer, seconds=seconds, first_s=first_s)


def _is_over(request: Request, answer: Completion) -> bool:
    """Tell whether more tokens are counted than asked for, thoughts aside: they may be beside."""
    return answer.tokens_out - answer.thought_tokens > request.max_tokens


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Return the tokens of prompts and answers of both."""
    return one[0] + other[0], one[1] + other[1]
