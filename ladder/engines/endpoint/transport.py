"""An httpx client whose connections are aiohttp's: one costs as much alone as beside 255 others.

httpx's own transport looks at every connection for each request, 10 ms of a processor at 256; with
httpx-aiohttp it is less than one. Here is what that leaves out: proxies of the environment, headers
as long as httpx takes them, errors by their right names, and answers that nobody has asked for.
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from httpx_aiohttp import AiohttpTransport

HEAD_LIMIT_BYTES = 100_000
"""Of a status line and of each header, as httpx's own transport takes them."""
HEADERS_LIMIT = 1_000
AS_HTTPX = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.ConnectError),
    (UnicodeError, httpx.ConnectError),  # no host can have such a name
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientConnectionError, httpx.ReadError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
)
"""aiohttp's error -> httpx's. The first that fits. httpx-aiohttp 0.2 calls a connection that ends
before its answer a `ConnectTimeout`, as if nothing had been sent, and names some not at all."""


class Client(httpx.AsyncClient):
    """A client that takes proxies from the environment as httpx does, and sends through aiohttp."""

    def __init__(self, **options: Any) -> None:
        """Take the options of httpx's client."""
        super().__init__(**options)
        self._cookies = _Cookies()

    def _init_transport(self, *_: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return Transport(verify=options["verify"], limits=options["limits"])

    def _init_proxy_transport(
        self, proxy: httpx.Proxy, *_: Any, **options: Any
    ) -> httpx.AsyncBaseTransport:
        if proxy.url.scheme not in ("http", "https"):
            raise ValueError(f"a proxy over {proxy.url.scheme} is not supported")
        return Transport(proxy=proxy, verify=options["verify"], limits=options["limits"])


class _Cookies(httpx.Cookies):
    """Leaves out http.cookiejar for responses without Set-Cookie: a tenth of a request's work."""

    def extract_cookies(self, response: httpx.Response) -> None:
        if "set-cookie" in response.headers:
            super().extract_cookies(response)


class Transport(AiohttpTransport):
    """Sends what it is given over as many connections as there are requests at once."""

    def get_client(self) -> aiohttp.ClientSession:
        """Return the session that sends. It belongs to the running loop."""
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=self.limits.keepalive_expiry,
            ssl=self.ssl_context,
            # Another resolver, where it is installed, looks names up past Python's audit hooks.
            resolver=aiohttp.ThreadedResolver(),
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # httpx keeps them
            max_line_size=HEAD_LIMIT_BYTES,
            max_field_size=HEAD_LIMIT_BYTES,
            max_headers=HEADERS_LIMIT,
            request_class=_Request,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return the response, its body not read yet.

        Raises:
            httpx.TransportError: there is none.
        """
        with _as_httpx():
            response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream)
        return response


class _Request(aiohttp.ClientRequest):
    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send it, unless something came over a kept connection since its last answer.

        aiohttp 3.14 would take that for the answer to this request.
        """
        if conn.protocol is not None and conn.protocol.should_close:
            raise aiohttp.ServerDisconnectedError("an answer that nobody has asked for")
        return await super().send(conn)

    def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> Coroutine[Any, Any, None]:
        """Send the body at once, as aiohttp does by itself from Python 3.12 on.

        Else a request leaves only after whatever is ready: where many answers come in one moment,
        after all of them have been read.
        """
        work = super().write_bytes(writer, conn, content_length)
        return work if sys.version_info >= (3, 12) else _started_eagerly(work)


def _started_eagerly(work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
    """Run a coroutine to its first suspension; return one that does the rest, or raises its error.

    What `asyncio.Task(eager_start=True)` does from Python 3.12 on.
    """
    try:
        waits_for = work.send(None)
    except BaseException as ended:
        return _ended(ended)
    return _resumed(work, waits_for)


async def _ended(how: BaseException) -> None:
    if not isinstance(how, StopIteration):
        raise how


@types.coroutine
def _resumed(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Resume a coroutine that is suspended on `waits_for`: pass results and errors on to it."""
    while True:
        try:
            came = yield waits_for
        except BaseException as error:
            step = partial(work.throw, error)
        else:
            step = partial(work.send, came)
        try:
            waits_for = step()
        except StopIteration:
            return


class _Body(httpx.AsyncByteStream):
    def __init__(self, parts: httpx.AsyncByteStream) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._parts:
                yield part

    async def aclose(self) -> None:
        with _as_httpx():
            await self._parts.aclose()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise what aiohttp raises, perhaps as httpx-aiohttp has named it, as httpx's error."""
    try:
        yield
    except (httpx.HTTPError, aiohttp.ClientError, UnicodeError) as error:
        cause = error.__cause__ if isinstance(error, httpx.HTTPError) else error
        named = next((to for kind, to in AS_HTTPX if isinstance(cause, kind)), None)
        if named is None:
            raise
        raise named(_words(cause)) from None


def _words(error: BaseException | None) -> str:
    """Say what happened, without the URL that aiohttp names."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered HTTP {error.status}"
    if isinstance(error, aiohttp.ClientResponseError):
        return error.message
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error)
    return str(error)
