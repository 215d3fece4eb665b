"""A real HTTP server on 127.0.0.1 that misbehaves on demand, one step per request.

A `Step` says what happens to one request; the functions below make the usual ones. `outage` turns
a step into one that happens in a window of time only.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOT_THERE = b"404 page not found"


@dataclass(frozen=True)
class Step:
    """What the server does with one request."""

    status: int = 200
    body: bytes | Callable[[Seen], bytes] | None = None
    """None: answer with the last message, as a working endpoint would."""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    """Promise twice the bytes, send these, and close the connection."""
    usage: bool = True
    words_s: float | None = None
    """Seconds before each word of an answer that is streamed; None: it comes whole."""
    reset: bool = False
    """Answer nothing: the connection is reset."""
    drip_s: float = 0.0
    """Seconds before each byte of the head and the body."""
    endless: bytes = b""
    """Send this over and over as the body, until the client hangs up; length unknown."""


def failing(status: int, message: str = "on demand", **headers: str) -> Step:
    """Answer with an error; `retry_after="1"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Step(status, json.dumps({"error": {"message": message}}).encode(), named)


def raw(body: Any) -> Step:
    """Answer 200 with this JSON value."""
    return Step(200, json.dumps(body).encode())


def saying(content: Any, usage: tuple[int, int] | None = (11, 3), **choice: Any) -> Step:
    """Answer 200 with this content; further fields go into the choice, or replace its message."""
    message = {"role": "assistant", "content": content}
    body: dict[str, Any] = {"choices": [{"index": 0, "message": message, **choice}]}
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return raw(body)


def html(status: int = 200) -> Step:
    """Answer with a page, as a proxy or a login does."""
    page = b"<!doctype html><html><body><h1>Sign in</h1></body></html>"
    return Step(status, page, {"Content-Type": "text/html"})


def zipped(body: bytes) -> Step:
    """Answer 200 with a packed body."""
    return Step(200, gzip.compress(body), {"Content-Encoding": "gzip"})


RESET = Step(reset=True)
BROKEN_GZIP = Step(200, b"not packed at all", {"Content-Encoding": "gzip"})
REFUSAL = saying(None, message={"content": None, "refusal": "I cannot help with that."})
NO_CHOICES = raw({"id": "1", "object": "chat.completion"})
FILTERED = saying("half an ans", finish_reason="content_filter")
CUT_SHORT = saying("", finish_reason="length")
TOOL_CALL = saying(None, message={"content": None, "tool_calls": [{"type": "function"}]})
ERROR_BESIDE = raw(
    {"error": {"message": "upstream", "code": 502}, "choices": [{"message": {"content": "x"}}]}
)


def echoing(status: int, spell: Callable[[str], str] = str) -> Step:
    """Answer with an error that repeats the request's path and headers, spelt in some way."""

    def body(request: Seen) -> bytes:
        said = spell(f"{request.path} {request.headers.get('Authorization', '')}")
        return json.dumps({"error": {"message": f"bad request: {said}"}}).encode()

    return Step(status, body)


def outage(
    trouble: Step, start_s: float, end_s: float, well: Callable[[Seen], Step] = lambda _: Step()
) -> Callable[[Seen], Step]:
    """Return a script: trouble from start to end, counted from the first request, else well."""
    begun: list[float] = []

    def script(request: Seen) -> Step:
        begun.append(request.at)
        return trouble if start_s <= request.at - begun[0] < end_s else well(request)

    return script


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    at: float
    path: str
    headers: Mapping[str, str]
    payload: dict[str, Any]

    @property
    def question(self) -> str:
        """What was asked last, or the text to continue."""
        turns = self.payload.get("messages")
        said: str = turns[-1]["content"] if turns else self.payload["prompt"]
        return said


class FaultyServer:
    """Takes one step of its script per request, in order of arrival; the last one repeats.

    A script may also be a function from the request to its step. What is asked for with GET is
    what `pages` holds by its path, or 404.
    """

    def __init__(
        self,
        script: Sequence[Step] | Callable[[Seen], Step] = (Step(),),
        pages: Mapping[str, Any] | None = None,
    ) -> None:
        self.script = script
        self.pages = pages or {}
        self.got: list[str] = []
        self.seen: list[Seen] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.http = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def __enter__(self) -> FaultyServer:
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()

    def arrive(self, request: Seen) -> Step:
        with self.lock:
            self.seen.append(request)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            if callable(self.script):
                return self.script(request)
            return self.script[min(len(self.seen), len(self.script)) - 1]

    def leave(self) -> None:
        with self.lock:
            self.in_flight -= 1

    @property
    def questions(self) -> list[str]:
        return [request.question for request in self.seen]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up before its request was whole."""
        if not isinstance(sys.exc_info()[1], OSError | json.JSONDecodeError):
            super().handle_error(request, client_address)


def _echo(request: Seen, usage: bool) -> bytes:
    message = {"role": "assistant", "content": f"  {request.question}\n"}
    body: dict[str, Any] = {"choices": [{"message": message, "finish_reason": "stop"}]}
    if usage:
        body["usage"] = {"prompt_tokens": 11, "completion_tokens": 3}
    return json.dumps(body).encode()


def _stream(handler: BaseHTTPRequestHandler, server: FaultyServer, step: Step, text: str) -> None:
    """Send the words one by one as server-sent events, the usage last."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    handler.end_headers()
    parts: list[dict[str, Any]] = [{"choices": [{"delta": {"role": "assistant"}}]}]
    parts += [{"choices": [{"delta": {"content": f"{word} "}}]} for word in text.split()]
    parts += [{"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3}}]
    for part in parts[: None if step.usage else -1]:
        server.closing.wait(step.words_s or 0)
        handler.wfile.write(f"data: {json.dumps(part)}\n\n".encode())
        handler.wfile.flush()
    if not step.cut:
        handler.wfile.write(b"data: [DONE]\n\n")
    handler.close_connection = True


def _misbehave(
    handler: BaseHTTPRequestHandler, server: FaultyServer, step: Step, request: Seen
) -> None:
    """Reset the connection, or send far too slowly, or without end."""
    handler.close_connection = True
    if step.reset:
        now = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        handler.connection.close()
        return
    given = step.body(request) if callable(step.body) else step.body
    body = _echo(request, step.usage) if given is None else given
    named = {"Connection": "close", **step.headers}
    if not step.endless:
        named["Content-Length"] = str(len(body))
    head = f"HTTP/1.1 {step.status} Drip\r\n" + "".join(f"{k}: {v}\r\n" for k, v in named.items())
    sent = head.encode() + b"\r\n" + (b"" if step.endless else body)
    parts = [sent[at : at + 1] for at in range(len(sent))] if step.drip_s else [sent]
    for part in parts:
        if server.closing.wait(step.drip_s):
            return
        handler.wfile.write(part)
        handler.wfile.flush()
    while step.endless and not server.closing.wait(step.drip_s):
        handler.wfile.write(step.endless)


def _handler(server: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            server.got.append(self.path)
            found = server.pages.get(self.path)
            body = NOT_THERE if found is None else json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = Seen(time.monotonic(), self.path, self.headers, payload)
            step = server.arrive(request)
            server.closing.wait(step.delay_s)
            if payload.get("stream") and step.words_s is not None:
                with suppress(OSError):
                    _stream(self, server, step, request.question)
                server.leave()
                return
            if step.reset or step.drip_s or step.endless:
                with suppress(OSError):
                    _misbehave(self, server, step, request)
                server.leave()
                return
            given = step.body(request) if callable(step.body) else step.body
            if given is None and step.status == 200 and "messages" not in payload:
                step, given = replace(step, status=404), NOT_THERE  # it knows chats alone
            body = _echo(request, step.usage) if given is None else given
            # Counted as gone before the last byte: the client may ask again at once after it.
            server.leave()
            with suppress(OSError):  # the client has hung up
                self.send_response(step.status)
                self.send_header("Content-Length", str(len(body) * (2 if step.cut else 1)))
                for name, value in step.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            self.close_connection = step.cut

    return Handler
