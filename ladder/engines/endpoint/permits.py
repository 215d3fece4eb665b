"""Whether the requests of one call may still be sent: asked before each try."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ladder.engines.base import Request

Ahead = Callable[[Request], None]
"""Called before a try; where it raises, nothing more may be sent."""
Ended = Callable[[Request, tuple[int, int] | None], None]
"""Called after a try, with the tokens of prompt and answer that it cost; None: nobody knows."""


@dataclass
class Permits:
    """Those of one call of `complete`. Where nothing more may be sent, no try waits any longer."""

    ahead: Ahead | None = None
    ended: Ended | None = None
    stopped: Exception | None = None
    """What `ahead` raised: nothing more is sent."""
    waiting: set[asyncio.Task[Any]] = field(default_factory=set)
    """Tasks of requests that wait for their next try."""

    def wait(self) -> None:
        """Let this task be ended while its request waits for its next try.

        Raises:
            CancelledError: nothing more may be sent.
        """
        task = asyncio.current_task()
        if task is not None:
            self.waiting.add(task)
        if self.stopped:
            raise asyncio.CancelledError

    def go(self, request: Request) -> None:
        """Ask whether a try may be sent; where it may not, end all that wait.

        Raises:
            CancelledError: it may not.
        """
        task = asyncio.current_task()
        if task is not None:
            self.waiting.discard(task)
        if self.ahead is not None and not self.stopped:
            try:
                self.ahead(request)
            except Exception as error:
                self.stopped = error
                for other in self.waiting:
                    other.cancel()
        if self.stopped:
            raise asyncio.CancelledError

    def end(self, request: Request, cost: tuple[int, int] | None) -> None:
        """Tell what a try has cost, in tokens of prompt and answer; None: nobody knows."""
        if self.ended is not None:
            self.ended(request, cost)
