"""A real HTTP server on 127.0.0.1 that misbehaves on demand, one step per request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Step:
    """What the server does with one request."""

    status: int = 200
    body: bytes | None = None
    """None: answer with the last message, as a working endpoint would."""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    """Promise twice the bytes, send these, and close the connection."""
    usage: bool = True
    words_s: float | None = None
    """Seconds before each word of an answer that is streamed; None: it comes whole."""


def failing(status: int, message: str = "on demand", **headers: str) -> Step:
    """Answer with an error; `retry_after="1"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Step(status, json.dumps({"error": {"message": message}}).encode(), named)


def raw(body: Any) -> Step:
    """Answer 200 with this JSON value."""
    return Step(200, json.dumps(body).encode())


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    at: float
    path: str
    headers: Mapping[str, str]
    payload: dict[str, Any]

    @property
    def question(self) -> str:
        content: str = self.payload["messages"][-1]["content"]
        return content


class FaultyServer:
    """Takes one step of its script per request, in order of arrival; the last one repeats.

    A script may also be a function from the request to its step.
    """

    def __init__(self, script: Sequence[Step] | Callable[[Seen], Step] = (Step(),)) -> None:
        self.script = script
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


def _echo(request: Seen, usage: bool) -> bytes:
    message = {"role": "assistant", "content": f"  {request.question}\n"}
    body: dict[str, Any] = {"choices": [{"message": message, "finish_reason": "length"}]}
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


def _handler(server: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = Seen(time.monotonic(), self.path, dict(self.headers), payload)
            step = server.arrive(request)
            server.closing.wait(step.delay_s)
            if payload.get("stream") and step.words_s is not None:
                with suppress(OSError):
                    _stream(self, server, step, request.question)
                server.leave()
                return
            body = _echo(request, step.usage) if step.body is None else step.body
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
