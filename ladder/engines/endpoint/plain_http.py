"""HTTP/1.1 to a server on this machine: one connection, without TLS and without a proxy.

A server that answers hundreds of requests at once waits for a client that takes a millisecond for
each, and httpx's own transport takes 0.6 of it. This one takes 0.1 ms, and does not let other
requests go first between an answer and the next request: where answers come together, their
successors would all leave together as well, with the server idle until then, round after round. It
keeps to RFC 9112 as far as a client of JSON over POST needs it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx

HEAD_LIMIT_BYTES = 100_000
"""Of a status line and the headers, or of the line before a chunk."""
STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
HEAD_END = re.compile(rb"\n\r?\n")
BODILESS = frozenset({204, 304})


class _Socket(asyncio.Protocol):
    """What has come over a connection, and whether more may come."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.ended = False
        self._waiting: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def more(self) -> None:
        """Wait until something has come.

        Raises:
            httpx.RemoteProtocolError: the connection has ended.
        """
        if self.ended:
            raise httpx.RemoteProtocolError("the connection ended within a response")
        await self.wait()

    async def wait(self) -> None:
        """Wait until something has come, or the connection has ended."""
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    async def until(self, end: re.Pattern[bytes]) -> bytes:
        """Return what comes up to an end, that included."""
        at = 0
        while (found := end.search(self.buffer, at)) is None:
            at = max(0, len(self.buffer) - 3)
            if len(self.buffer) > HEAD_LIMIT_BYTES:
                raise httpx.RemoteProtocolError("a head without an end")
            before = len(self.buffer)
            while len(self.buffer) == before:
                await self.more()
        return self.take(found.end())

    def take(self, size: int) -> bytes:
        """Return so many of the bytes that are there."""
        part = bytes(self.buffer[:size])
        del self.buffer[:size]
        return part


class PlainTransport(httpx.AsyncBaseTransport):
    """Sends one request at a time over a connection that it keeps."""

    def __init__(self) -> None:
        self._socket: _Socket | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return the response, its body not read yet.

        Raises:
            httpx.ConnectError: nobody listens.
            httpx.RemoteProtocolError: what comes back is no response, or ends within one.
        """
        socket = await self._open(request)
        fields = b"".join(b"%b: %b\r\n" % field for field in request.headers.raw)
        line = b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)
        try:
            socket.transport.write(line + fields + b"\r\n" + await request.aread())
            status, version, headers = await _head(socket)
        except BaseException:
            self.shut()
            raise
        connection = headers.get("connection", "").lower()
        last = "close" in connection or (version == 0 and "keep-alive" not in connection)
        body = _Body(self, socket, status, headers, last)
        return httpx.Response(status, headers=headers, stream=body)

    async def _open(self, request: httpx.Request) -> _Socket:
        """Return the kept connection where it is still good, else a new one."""
        kept = self._socket
        # Whatever came without being asked for is no answer to the next request.
        if kept is not None and not (kept.ended or kept.buffer or kept.transport.is_closing()):
            return kept
        self.shut()
        limits = request.extensions.get("timeout", {})
        loop, url = asyncio.get_running_loop(), request.url
        try:
            async with asyncio.timeout(limits.get("connect")):
                _, self._socket = await loop.create_connection(_Socket, url.host, url.port or 80)
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time", request=request) from None
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from None
        return self._socket

    def shut(self) -> None:
        """Close the connection at once."""
        if self._socket is not None:
            self._socket.transport.abort()
            self._socket = None

    async def aclose(self) -> None:
        """Close the connection."""
        self.shut()


async def _head(socket: _Socket) -> tuple[int, int, httpx.Headers]:
    """Return status, minor version and headers of the response that comes."""
    while True:
        head = await socket.until(HEAD_END)
        first, *lines = re.split(rb"\r?\n", head.rstrip(b"\r\n"))
        found = STATUS.fullmatch(first)
        fields = [FIELD.fullmatch(line) for line in lines]
        if found is None or None in fields:
            raise httpx.RemoteProtocolError("what came is no HTTP response")
        if found[2] == b"101":
            raise httpx.RemoteProtocolError("another protocol than HTTP")
        if not found[2].startswith(b"1"):  # 100 to 199 are followed by the response
            named = [(each[1], each[2]) for each in fields if each is not None]
            return int(found[2]), int(found[1]), httpx.Headers(named)


class _Body(httpx.AsyncByteStream):
    """The body of a response, as it comes. The connection is kept where all of it was read."""

    def __init__(
        self,
        owner: PlainTransport,
        socket: _Socket,
        status: int,
        headers: httpx.Headers,
        last: bool,
    ) -> None:
        self._owner, self._socket, self._last = owner, socket, last
        self._status, self._headers, self._whole = status, headers, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        coded = self._headers.get("transfer-encoding", "").strip().lower()
        length = self._headers.get("content-length")
        if self._status in BODILESS:
            parts = self._sized(0)
        elif coded:
            if coded != "chunked":
                raise httpx.RemoteProtocolError("a transfer encoding that was not asked for")
            parts = self._chunks()
        elif length is None:
            parts, self._last = self._rest(), True
        else:
            if re.fullmatch(r"\d{1,18}", length) is None:
                raise httpx.RemoteProtocolError("a length that is no number")
            parts = self._sized(int(length))
        async for part in parts:
            yield part
        self._whole = True

    async def _sized(self, size: int) -> AsyncIterator[bytes]:
        socket = self._socket
        while size:
            if not socket.buffer:
                await socket.more()
            part = socket.take(size)
            size -= len(part)
            yield part

    async def _chunks(self) -> AsyncIterator[bytes]:
        end = re.compile(rb"\n")
        while True:
            line = await self._socket.until(end)
            found = re.fullmatch(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n]*)?\r?\n", line)
            if found is None:
                raise httpx.RemoteProtocolError("a chunk without its length")
            size = int(found[1], 16)
            if not size:
                while await self._socket.until(end) not in (b"\r\n", b"\n"):
                    pass  # trailers
                return
            async for part in self._sized(size):
                yield part
            if await self._socket.until(end) not in (b"\r\n", b"\n"):
                raise httpx.RemoteProtocolError("a chunk that is longer than it says")

    async def _rest(self) -> AsyncIterator[bytes]:
        socket = self._socket
        while socket.buffer or not socket.ended:
            if socket.buffer:
                yield socket.take(len(socket.buffer))
            else:
                await socket.wait()

    async def aclose(self) -> None:
        if self._last or not self._whole:
            self._owner.shut()
