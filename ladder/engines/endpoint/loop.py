"""One call's event loop on a thread of its own, whose results the caller takes as they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue

from ladder.engines.base import Completion

Put = Callable[[tuple[int, Completion]], None]
CLOSE_SECONDS = 5.0


class Loop:
    """Runs a coroutine; whatever ends it, no task, loop or connection is left open."""

    def __init__(self, work: Callable[[Put], Awaitable[None]]) -> None:
        """Take what to run; it is handed the function that its results are put with."""
        self._work = work
        self._results: SimpleQueue[tuple[int, Completion] | BaseException | None] = SimpleQueue()
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        # A daemon, so that an iterator which nobody closes does not keep the program alive.
        self._thread = threading.Thread(target=self._run, daemon=True)

    def results(self) -> Iterator[tuple[int, Completion]]:
        """Start, and yield each result as it comes; raise what ended the work."""
        self._thread.start()
        while (result := self._results.get()) is not None:
            if isinstance(result, BaseException):
                raise result
            yield result

    def stop(self) -> None:
        """End the work, and wait a little for its connections to close."""
        self._stopped = True
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.ident is not None:
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        ended: BaseException | None = None
        try:
            asyncio.run(self._main())
        except BaseException as error:  # the caller's to raise
            ended = error
        self._results.put(ended)

    async def _main(self) -> None:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if not self._stopped:  # it may have been, before there was anything to cancel
            await self._work(self._results.put)
