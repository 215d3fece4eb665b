"""HTTP/1.1 as servers may write it, from a real socket that sends exact bytes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from conftest import ROOT
from engines.endpoint.asking import ask, engine_for, unused_url
from engines.faulty_server import FaultyServer, Step

from ladder.engines.endpoint.transport import HEAD_LIMIT_BYTES, Client

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Raw:
    """Sends one of its answers for each request; a part of one for each moment; `b""` hangs up."""

    def __init__(self, *answers: Sequence[bytes]) -> None:
        self.answers = list(answers)
        self.got: list[bytes] = []
        self.connections = 0

    @contextlib.asynccontextmanager
    async def running(self, port: int | None = 0) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1?a=b%20c"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                self.got.append(head + await reader.readexactly(2))
                for part in self.answers.pop(0):
                    if not part:
                        writer.close()
                        return
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.005)
            await reader.read()
        writer.close()


def asked(raw: Raw, times: int = 1) -> list[tuple[int, bytes]]:
    """Return status and body of so many requests in a row, from one client."""

    async def run() -> list[tuple[int, bytes]]:
        async with (
            raw.running() as url,
            Client(trust_env=False, timeout=5.0) as client,
        ):
            found = []
            for _ in range(times):
                async with client.stream("POST", url, content=b"{}") as response:
                    found.append((response.status_code, await response.aread()))
            return found

    return asyncio.run(asyncio.wait_for(run(), 20))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [OK],
        [OK[at : at + 1] for at in range(len(OK))],
        [OK[:-2], OK[-2:]],
        [b"HTTP/1.1 200\ncontent-length:5\n\nhello"],
        [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK],
        [CHUNKED + b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
        [CHUNKED, b"5\r", b"\nhel", b"lo\r\n0", b"\r\nTrailer: 1\r\n\r", b"\n"],
    ],
    ids=["whole", "by bytes", "split", "bare", "informed", "chunked", "chunks split"],
)
def test_an_answer_is_read_however_it_comes_and_the_connection_is_kept(parts) -> None:
    raw = Raw(parts, parts, [OK])
    assert asked(raw, 3) == [(200, b"hello")] * 3
    assert raw.connections == 1
    assert raw.got[0].lower().startswith(b"post /v1?a=b%20c http/1.1\r\nhost: 127.0.0.1:")
    assert raw.got[0].endswith(b"\r\n\r\n{}")
    assert raw.got[0] == raw.got[1] == raw.got[2]


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
        [b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", b""],
        [OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlies"],
        [OK, b""],
    ],
    ids=["told", "old", "until its end", "unasked bytes", "hung up after"],
)
def test_a_connection_that_cannot_be_used_again_is_not(parts) -> None:
    raw = Raw(parts, [OK])

    async def run() -> None:
        async with (
            raw.running() as url,
            Client(trust_env=False, timeout=5.0) as client,
        ):
            for _ in range(2):
                assert (await client.post(url, content=b"{}")).content == b"hello"
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert raw.connections == 2


def test_an_answer_that_nobody_asked_for_is_not_the_next_ones() -> None:
    raw = Raw([OK, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlies"], [OK])

    async def run() -> list[bytes]:
        async with raw.running() as url, Client(trust_env=False, timeout=5.0) as client:
            found = [(await client.post(url, content=b"{}")).content]
            await asyncio.sleep(0.05)
            with pytest.raises(httpx.RemoteProtocolError, match="nobody"):
                await client.post(url, content=b"{}")
            return [*found, (await client.post(url, content=b"{}")).content]

    assert asyncio.run(asyncio.wait_for(run(), 20)) == [b"hello"] * 2
    assert raw.connections == 2


def test_chunks_that_break_off_in_nonsense_are_a_time_out() -> None:
    """aiohttp 3.14 says nothing of it where the first of a body were right."""
    raw = Raw([CHUNKED, b"5\r\nhe", b"llo\r\n", b"zz\r\n"], [OK])

    async def run() -> bytes:
        async with raw.running() as url, Client(trust_env=False, timeout=5.0) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await client.post(url, content=b"{}")
            return (await client.post(url, content=b"{}")).content

    assert asyncio.run(asyncio.wait_for(run(), 20)) == b"hello"


def test_a_body_that_is_not_read_to_its_end_closes_the_connection() -> None:
    raw = Raw([b"HTTP/1.1 500 X\r\nContent-Length: 99\r\n\r\nhel"], [OK])

    async def run() -> bytes:
        async with (
            raw.running() as url,
            Client(trust_env=False, timeout=5.0) as client,
        ):
            async with client.stream("POST", url, content=b"{}") as response:
                assert response.status_code == 500
            return (await client.post(url, content=b"{}")).content

    assert asyncio.run(asyncio.wait_for(run(), 20)) == b"hello"
    assert raw.connections == 2


def test_a_status_without_a_body_has_none() -> None:
    raw = Raw([b"HTTP/1.1 204 None\r\n\r\n"], [OK])
    assert asked(raw, 2) == [(204, b""), (200, b"hello")]
    assert raw.connections == 1


@pytest.mark.parametrize(
    "parts",
    [
        [b"SSH-2.0-OpenSSH\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nX: " + b"y" * (HEAD_LIMIT_BYTES + 5)],
        [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", b""],
        [CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n"],
        [CHUNKED + b"5\r\nhello", b""],
        [CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n"],
        [
            CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n")
            + b"5\r\nhello\r\n0\r\n\r\n"
        ],
        [b"HTTP/1.1 200 OK\r\nConte", b""],
        [b""],
    ],
)
def test_what_is_no_response_is_an_error_and_the_next_request_begins_anew(parts) -> None:
    raw = Raw(parts)
    with pytest.raises(httpx.RemoteProtocolError):
        asked(raw)


def test_headers_may_be_long_and_many() -> None:
    long = b"".join(b"X-%d: %b\r\n" % (at, b"y" * 300) for at in range(200))
    raw = Raw([OK.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 60_000 + b"\r\n" + long + b"\r\n")])
    assert asked(raw) == [(200, b"hello")]


def test_a_cookie_comes_back_once() -> None:
    raw = Raw([OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: worker=3\r\n\r\n")], [OK])
    asked(raw, 2)
    assert b"cookie" not in raw.got[0].lower()
    assert raw.got[1].lower().count(b"\r\ncookie: worker=3\r\n") == 1


def test_a_redirect_is_not_followed() -> None:
    raw = Raw([b"HTTP/1.1 307 X\r\nLocation: /v2\r\nContent-Length: 0\r\n\r\n"], [OK])
    assert asked(raw) == [(307, b"")]
    assert len(raw.got) == 1


def test_a_server_that_begins_anew_is_asked_again() -> None:
    async def run() -> list[int]:
        statuses, raw = [], Raw([OK, b""])
        async with Client(trust_env=False, timeout=5.0) as client:
            async with raw.running() as url:
                statuses.append((await client.post(url, content=b"{}")).status_code)
            with pytest.raises(httpx.TransportError):
                await client.post(url, content=b"{}")
            raw.answers = [[OK]]
            async with raw.running(httpx.URL(url).port) as url:
                statuses.append((await client.post(url, content=b"{}")).status_code)
        return statuses

    assert asyncio.run(asyncio.wait_for(run(), 20)) == [200, 200]


LEFT_OPEN = """
import gc, sys
from conftest import ROOT
from engines.endpoint.asking import ask, engine_for
engine = engine_for(sys.argv[1], concurrency=2)
list(engine.complete([ask("a"), ask("b")]))
stopped = engine.complete([ask("a")] * 9)
next(stopped)
stopped.close()
for answer in engine.complete([ask("a")] * 9):
    break
list(engine_for(sys.argv[2], attempts=1).complete([ask("a")]))
del answer, stopped, engine
gc.collect()
"""


def test_nothing_is_left_open() -> None:
    """Neither after an end, nor where the caller stops, nor where nobody listens."""
    with FaultyServer([Step(delay_s=0.02)]) as server:
        words = [sys.executable, "-P", "-W", "always::ResourceWarning", "-c", LEFT_OPEN]
        ended = subprocess.run(
            [*words, server.url, unused_url()],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_where_nobody_listens_there_is_no_connection() -> None:
    async def run() -> None:
        async with Client(trust_env=False) as client:
            await client.post(unused_url(), content=b"{}")

    with pytest.raises(httpx.ConnectError):
        asyncio.run(run())


def test_a_request_that_is_given_up_leaves_no_answer_for_the_next() -> None:
    raw = Raw([b"HTTP/1.1 100 Continue\r\n\r\n"] * 40, [OK])

    async def run() -> bytes:
        async with raw.running() as url, Client(trust_env=False) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.06):
                    await client.post(url, content=b"{}")
            return (await client.post(url, content=b"{}")).content

    assert asyncio.run(asyncio.wait_for(run(), 20)) == b"hello"


LARGE = b"x" * 20_000_000
"""More than a connection takes before its server reads."""


@pytest.mark.parametrize("reads", [True, False])
def test_a_body_that_has_to_wait_is_sent_whole_or_given_up(reads: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1 if reads else 0.5)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            whole = await reader.readexactly(len(LARGE)) == LARGE
            assert f"content-length: {len(LARGE)}".encode() in head.lower()
            writer.write(OK.replace(b"hello", b"whole" if whole else b"other"))
            await writer.drain()
        writer.close()

    async def run() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, Client(trust_env=False, timeout=5.0) as client:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            async with asyncio.timeout(5.0 if reads else 0.2):
                return (await client.post(url, content=LARGE)).content

    if reads:
        assert asyncio.run(run()) == b"whole"
    else:
        with pytest.raises(TimeoutError):
            asyncio.run(run())


def test_a_cookie_that_a_server_sets_is_sent_with_the_next_request() -> None:
    raw = Raw([OK.replace(b"Content", b"Set-Cookie: at=3; Path=/\r\nContent")], [OK])
    assert [body for _, body in asked(raw, 2)] == [b"hello", b"hello"]
    assert b"cookie" not in raw.got[0].lower()
    assert b"cookie: at=3" in raw.got[1].lower()


def test_a_host_that_does_not_take_a_connection_is_not_waited_for() -> None:
    async def run(url: str) -> None:
        async with Client(trust_env=False, timeout=httpx.Timeout(5.0, connect=0.2)) as client:
            await client.post(url, content=b"{}")

    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # the system leaves unanswered what comes beyond the first
        for _ in range(4):
            more = waiting.enter_context(socket.socket())
            more.setblocking(False)
            more.connect_ex(full.getsockname())
        with pytest.raises(httpx.ConnectTimeout, match=r"^no connection in time$"):
            asyncio.run(run(f"http://127.0.0.1:{full.getsockname()[1]}/v1?key=hush"))


@pytest.mark.parametrize("host", ["a..example", "127.1", "x" * 64 + ".example"])
def test_a_host_that_cannot_be_is_no_connection(host: str) -> None:
    [(_, answer)] = engine_for(f"http://{host}:9/v1?key=hush12345", attempts=1).complete([ask()])
    assert answer.kind == "no connection"
    assert "hush" not in (answer.error or "")
