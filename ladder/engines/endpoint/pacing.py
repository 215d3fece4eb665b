"""How many requests may be under way at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ladder.engines.endpoint.failure import THROTTLED, TryError

START_CONCURRENCY = 4


class Pace:
    """One more per clean round, half as many on a 429."""

    def __init__(self, most: int, start: int = START_CONCURRENCY) -> None:
        self.most = most
        self.allowed = min(start, most)
        self._busy = 0
        self._clean = 0
        self._episode = 0
        self._resume_at = 0.0
        self._room = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, longest_pause_s: float) -> AsyncIterator[None]:
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
            except TryError as failure:
                if failure.kind == THROTTLED:
                    self.slow_down(episode, min(failure.pause or 0.0, longest_pause_s))
                raise
            self.speed_up()
        finally:
            self._busy -= 1
            async with self._room:
                self._room.notify_all()

    def slow_down(self, episode: int, pause: float) -> None:
        """Halve, once for all requests of an episode, and pause."""
        # The limit is the key's, not the request's: a pause that the server asks for holds for all.
        self._resume_at = max(self._resume_at, time.monotonic() + pause)
        self._clean = 0
        # Requests sent before the cut bring the same news: they do not cut again.
        if episode == self._episode:
            self._episode += 1
            self.allowed = max(1, self.allowed // 2)

    def speed_up(self) -> None:
        """Count a clean try; allow one more after a round of them."""
        self._clean += 1
        if self._clean >= self.allowed and self.allowed < self.most:
            self.allowed += 1
            self._clean = 0
