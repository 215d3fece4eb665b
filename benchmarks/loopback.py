"""A chat endpoint on loopback that takes a fixed time for each answer, and the leanest client.

    python benchmarks/loopback.py SLEEP_S MOST LIFE_S

The server prints its port, answers each request after the same sleep, and refuses with 429 what
would be more than MOST in flight. It ends with its standard input, at the latest after LIFE_S. Both
ends speak just enough HTTP/1.1 for each other: what they do not do costs nothing, so the rest of a
client's time is the client's own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = json.dumps(
    {
        "id": "1",
        "object": "chat.completion",
        "model": "sleeper",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "label 7"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 40, "completion_tokens": 3, "total_tokens": 43},
    }
).encode()
BUSY = b'{"error": {"message": "too many requests in flight"}}'


def _response(status: bytes, body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n"
    return head % (status, len(body), more) + body


ANSWERED = _response(b"200 OK", ANSWER)
REFUSED = _response(b"429 Too Many Requests", BUSY, b"Retry-After: 0.05\r\n")


def whole(buffer: bytearray) -> int:
    """Return the bytes of the first message in a buffer; 0: it is not all there."""
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return 0
    at = buffer.lower().find(b"content-length:", 0, head)
    length = int(buffer[at + 15 : buffer.find(b"\r\n", at)]) if at >= 0 else 0
    return head + 4 + length if len(buffer) >= head + 4 + length else 0


class _Load:
    """What a server has in flight."""

    def __init__(self, sleep_s: float, most: int) -> None:
        self.sleep_s, self.most, self.now = sleep_s, most, 0


class _Answering(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load, self._buffer = load, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while size := whole(self._buffer):
            del self._buffer[:size]
            if self._load.now >= self._load.most:
                self._transport.write(REFUSED)
                continue
            self._load.now += 1
            asyncio.get_running_loop().call_later(self._load.sleep_s, self._answer)

    def _answer(self) -> None:
        self._load.now -= 1
        self._transport.write(ANSWERED)


async def serve(sleep_s: float, most: int, life_s: float) -> None:
    """Answer until the standard input ends, or the life is over."""
    loop, load = asyncio.get_running_loop(), _Load(sleep_s, most)
    server = await loop.create_server(lambda: _Answering(load), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    try:
        async with asyncio.timeout(life_s):
            await ended.wait()
    except TimeoutError:
        pass


@contextmanager
def serving(sleep_s: float, most: int, life_s: float = 600.0) -> Iterator[int]:
    """Start a server in a process of its own; yield its port."""
    words = [sys.executable, "-P", __file__, str(sleep_s), str(most), str(life_s)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin
        assert run.stdout
        try:
            yield int(run.stdout.readline())
        finally:
            run.stdin.close()


class _Asking(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, todo: deque[bytes], done: asyncio.Event, left: list[int]) -> None:
        self._todo, self._done, self._left = todo, done, left
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def start(self) -> None:
        if self._todo:
            self._transport.write(self._todo.popleft())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        size = whole(self._buffer)
        if size:
            json.loads(self._buffer[self._buffer.find(b"\r\n\r\n") : size])
            del self._buffer[:size]
            self._left[0] -= 1
            if not self._left[0]:
                self._done.set()
            self.start()


async def lean(port: int, bodies: list[bytes], in_flight: int) -> tuple[float, float]:
    """Ask with nothing but sockets; return seconds and CPU seconds, without connecting."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    todo = deque(head % len(body) + body for body in bodies)
    done, left, loop = asyncio.Event(), [len(bodies)], asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: _Asking(todo, done, left), "127.0.0.1", port)
        for _ in range(in_flight)
    ]
    started, cpu = time.perf_counter(), time.process_time()
    for _, connection in pairs:
        connection.start()
    await done.wait()
    took = time.perf_counter() - started, time.process_time() - cpu
    for transport, _ in pairs:
        transport.close()
    return took


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
