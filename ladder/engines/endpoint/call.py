"""One call of `complete`: its requests are answered side by side, tried again, and given up."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ladder.engines.base import Completion, Request
from ladder.engines.endpoint.breaker import GREETING, Breaker, Patience
from ladder.engines.endpoint.failure import THROTTLED, TryError
from ladder.engines.endpoint.giving_up import access_refused, endpoint_down
from ladder.engines.endpoint.loop import Put
from ladder.engines.endpoint.pacing import Pace
from ladder.engines.endpoint.sending import Sender, add

THROTTLED_TRIES = 3
"""So many times more tries has a request that is refused with 429."""
LONGEST_DOUBLING = 5
"""Failed tries after which the wait before the next does not grow any more."""


@dataclass
class Tries:
    """One request and what became of its tries."""

    request: Request
    seen: tuple[int, int]
    """How many outages and doubts had ended when it last began (`Breaker.ended`)."""
    begun: float = field(default_factory=time.perf_counter)
    failed: list[TryError] = field(default_factory=list)
    tokens: tuple[int, int] = (0, 0)
    """What failed tries cost, of prompts and answers."""
    number: int = 0
    """Its place in the call: lower ones were asked first."""

    def are_used_up(self, attempts: int) -> bool:
        """Tell whether the request is given up.

        A limit on requests is the key's and not the request's: with many in flight some are refused
        again and again while others are answered. So 429 counts a third of another failure, unless
        only one try was wanted.
        """
        throttled = sum(each.kind == THROTTLED for each in self.failed)
        counted = len(self.failed) if attempts == 1 else len(self.failed) - throttled
        return counted + throttled / THROTTLED_TRIES >= attempts

    def pay(self, tokens: tuple[int, int]) -> None:
        """Add what a try without an answer cost."""
        self.tokens = add(self.tokens, tokens)

    def forgive(self, seen: tuple[int, int]) -> None:
        """Begin anew after an outage: it is not the request's, nor part of its time."""
        if seen[0] != self.seen[0]:
            self.failed.clear()
        if seen != self.seen:
            self.seen, self.begun = seen, time.perf_counter()

    def gives_up(self, kind: str, words: str) -> Completion:
        """Return the error that stands in the answer's place."""
        tokens_in, tokens_out = self.tokens
        return Completion(error=words, kind=kind, tokens_in=tokens_in, tokens_out=tokens_out)


@dataclass(frozen=True)
class Call:
    """What the requests of one call share."""

    sender: Sender
    breaker: Breaker
    pace: Pace
    timeout_s: float
    """Seconds that one try may take."""
    attempts: int
    """Tries for one request before it is given up (`Tries.are_used_up`)."""
    timed: bool = False
    """The clock of a request runs from its first try to its answer, waits included."""

    async def answer_all(self, requests: Sequence[Request], at_once: int, put: Put) -> None:
        """Answer requests, so many at once; put the position of each and its answer.

        It ends early, and without an error, where nothing more may be sent (`Permits.stopped`).

        Raises:
            EndpointDownError: the endpoint answers nothing any more.
            EngineError: it does not accept the key.
        """
        todo = iter(enumerate(requests))

        async def work() -> None:
            for at, request in todo:
                completion = await self._answer_or_stop(at, request)
                if completion is not None:
                    put((at, completion))
                if self.sender.permits.stopped:
                    return

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(at_once, len(requests))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _answer_or_stop(self, number: int, request: Request) -> Completion | None:
        """Return the answer; where nothing more may be sent, what the tries so far have cost."""
        tries = Tries(request, self.breaker.ended, number=number)
        try:
            return await self._answer(tries)
        except asyncio.CancelledError:
            if not self.sender.permits.stopped:
                raise
        return tries.gives_up("stopped", "stopped before an answer") if any(tries.tokens) else None

    async def _answer(self, tries: Tries) -> Completion:
        """Try until there is an answer, or until there is no more hope of one."""
        while True:
            self.sender.permits.wait()
            if tries.failed and not self.breaker.in_doubt:
                tries.forgive(self.breaker.ended)
                if tries.are_used_up(self.attempts):
                    last = tries.failed[-1]
                    many = f"no answer in {len(tries.failed)} attempts; the last: "
                    words = str(last) if len(tries.failed) == 1 else f"{many}{last}"
                    return tries.gives_up(last.kind, words)
                patience = self.breaker.patience
                if tries.failed:
                    await asyncio.sleep(backoff_s(tries.failed, patience))
            try:
                async with self.pace.turn(tries.number, self.breaker.patience.longest_wait_s):
                    completion = await self._in_turn(tries)
                    if completion is not None:
                        return completion
            except TryError as failure:
                if not failure.passing:
                    return tries.gives_up(failure.kind, str(failure))
                tries.failed.append(failure)

    async def _in_turn(self, tries: Tries) -> Completion | None:
        """Send what the breaker lets through; None where that was not the request itself."""
        spent = tries.are_used_up(self.attempts)
        while not isinstance(turn := self.breaker.take(spent), str):
            await asyncio.sleep(turn)
        if turn == "go":
            tries.forgive(self.breaker.ended)
            spent = tries.are_used_up(self.attempts)
            return None if spent else await self._try(tries, self.timeout_s)
        try:
            limit_s = self.breaker.limit_s(self.timeout_s)
            if turn == "probe":
                tries.begun = time.perf_counter()
                return await self._try(tries, limit_s)
            await self._check(tries, limit_s)
            return None
        finally:
            self.breaker.release()

    async def _check(self, tries: Tries, limit_s: float) -> None:
        """See whether the endpoint is up; the request that waits for it pays."""
        check = Tries(self.breaker.known or GREETING, self.breaker.ended)
        try:
            paid = await self._try(check, limit_s, check=True)
            tries.pay((paid.tokens_in, paid.tokens_out))
        except TryError:
            tries.pay(check.tokens)

    async def _try(self, tries: Tries, limit_s: float, *, check: bool = False) -> Completion:
        """Send a request once and note how it went.

        Raises:
            TryError: it was not answered.
            EndpointDownError: that was once too often.
            EngineError: the key is refused.
        """
        began, start = time.monotonic(), time.perf_counter()
        try:
            stream = self.sender.support.stream and not check
            completion = await self.sender.send(tries.request, limit_s, stream=stream)
        except TryError as failure:
            tries.pay(failure.tokens)
            self._note(failure, began, check)
            raise
        self.breaker.answer(tries.request, completion.seconds)
        seconds = time.perf_counter() - (tries.begun if self.timed else start)
        first_s = completion.first_s
        if first_s is not None:
            first_s += seconds - completion.seconds
        lost = add(completion.lost_tokens, tries.tokens)
        return replace(completion, seconds=seconds, first_s=first_s, lost_tokens=lost)

    def _note(self, failure: TryError, began: float, check: bool) -> None:
        """Count a failed try.

        Raises:
            EndpointDownError: it was once too often.
            EngineError: the key is refused.
        """
        down = self.breaker.fail(failure, began, check=check)
        shut = down and failure.kind == "HTTP 403" and self.breaker.known is None
        if failure.kind == "HTTP 401" or shut:
            raise access_refused(self.sender.address, failure) from None
        if down:
            raise endpoint_down(
                self.sender.model, self.sender.address, self.breaker, failure
            ) from None


def backoff_s(failed: Sequence[TryError], patience: Patience) -> float:
    """Return the seconds until the next try of a request whose tries have failed.

    Exponential backoff with full jitter, on top of what the server asked for.
    """
    widest = patience.first_wait_s * 2.0 ** min(len(failed) - 1, LONGEST_DOUBLING)
    wait = random.uniform(0, widest) + (failed[-1].pause or 0.0)
    return min(wait, patience.longest_wait_s)
