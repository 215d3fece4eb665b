"""A client for each request under way: one costs as much alone as beside 255 others.

One client with many connections looks at all of them, and asks the system about each idle one, for
every request that it sends (httpcore 1.0): at 256 in flight most of several ms for each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx


class Clients:
    """Clients of one connection each. One that is free is used again, the latest first."""

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        """Make the first one.

        Args:
            make: returns a client.

        Raises:
            EngineError: there cannot be one.
        """
        self._make = make
        self._all = [make()]
        self._free = list(self._all)

    @asynccontextmanager
    async def post(self, url: httpx.URL, body: bytes) -> AsyncIterator[httpx.Response]:
        """Send a request; yield the response, whose body has not been read yet."""
        client = self._free.pop() if self._free else self._one_more()
        try:
            async with client.stream("POST", url, content=body) as response:
                yield response
        finally:
            self._free.append(client)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._all:
            await client.aclose()

    def _one_more(self) -> httpx.AsyncClient:
        client = self._make()
        self._all.append(client)
        return client
