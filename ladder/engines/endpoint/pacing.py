"""How many requests may be under way at once, and whose turn is next."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from ladder.engines.endpoint.failure import THROTTLED, TryError

START_CONCURRENCY = 4
STARTS_AT = 8
"""The first round has so many times fewer requests than the limit, where that is more."""


@dataclass
class Room:
    """What an endpoint has shown of how many requests it takes at once. Calls share it."""

    allowed: int = 0
    """Under way at once, as the last call ended; 0: nothing is known."""
    limited: bool = False
    """It has refused some for their number."""


class Pace:
    """Twice as many each round until the first 429; then half, and one more each round.

    This is the slow start and the congestion avoidance of TCP (RFC 5681). Of the requests that wait
    the one that was asked first goes next, so that one that was refused and comes back waits behind
    none that was asked after it.
    """

    def __init__(self, most: int, room: Room | None = None) -> None:
        """Allow what the room is known for.

        Args:
            most: requests under way at once, at most.
            room: is read, and told of what is learnt.
        """
        self.most = most
        self._known = room or Room()
        start = max(START_CONCURRENCY, most // STARTS_AT)
        self._known.allowed = min(self._known.allowed or start, most)
        self._busy = 0
        self._clean = 0
        self._episode = 0
        self._resume_at = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrival = count()

    @property
    def allowed(self) -> int:
        """Requests that may be under way at once now."""
        return self._known.allowed

    @asynccontextmanager
    async def turn(self, number: int, longest_pause_s: float) -> AsyncIterator[None]:
        """Wait for room and for the end of a pause, then let one try run.

        Args:
            number: of the request: lower ones were asked first.
            longest_pause_s: that a server may ask for.
        """
        await self._enter(number)
        try:
            while (left := self._resume_at - time.monotonic()) > 0:
                await asyncio.sleep(left)
            episode = self._episode
            try:
                yield
            except TryError as failure:
                if failure.kind == THROTTLED:
                    self.slow_down(episode, min(failure.pause or 0.0, longest_pause_s))
                raise
            self.speed_up()
        finally:
            self._busy -= 1
            self._admit()

    async def _enter(self, number: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (number, next(self._arrival), turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was let in, and has ended meanwhile
                self._busy -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._busy < self.allowed:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._busy += 1
                turn.set_result(None)

    def slow_down(self, episode: int, pause: float) -> None:
        """Halve, once for all requests of an episode, and pause."""
        # The limit is the key's, not the request's: a pause that the server asks for holds for all.
        self._resume_at = max(self._resume_at, time.monotonic() + pause)
        self._clean = 0
        self._known.limited = True
        # Requests sent before the cut bring the same news: they do not cut again.
        if episode == self._episode:
            self._episode += 1
            self._known.allowed = max(1, self.allowed // 2)

    def speed_up(self) -> None:
        """Count a clean try; allow one more for each, or for a round of them."""
        self._clean += 1
        if self.allowed < self.most and self._clean >= (self.allowed if self._known.limited else 1):
            self._known.allowed += 1
            self._clean = 0
