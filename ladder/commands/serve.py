"""Answer typed decisions over HTTP from the system that a run chose, on this machine.

Each connection has a thread of its own; one thread, which called `serve`, asks the model. What
waits meanwhile is asked together, so that the model's batches are full when there is much to do.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from ladder.commands.typed_questions import FORMS, Form, RefusedError, body_of
from ladder.engines.endpoint import is_loopback
from ladder.errors import LadderError, StateError
from ladder.lifecycle.served import Decided, Deciding
from ladder.redaction import redact
from ladder.wording import harmless

BASE = "/v1/"
BODY_LIMIT_BYTES = 2_000_000
MOST_WAITING = 256
"""Requests; more are told to come later."""
AT_ONCE = 16
"""Inputs that are asked together, at most."""
IDLE_S = 60.0
ANSWER_S = 600.0
"""That a request waits at most."""

Waiting = tuple[str, "Future[Decided]"]


class Inbox:
    """Where requests wait until the model is asked. `work` runs on one thread."""

    def __init__(self, decide: Callable[[Sequence[str]], list[Decided]]) -> None:
        self._decide = decide
        self._waiting: queue.Queue[Waiting] = queue.Queue(MOST_WAITING)

    def ask(self, about: str) -> Decided:
        """Wait for the answer to one input.

        Raises:
            RefusedError: too much is waiting, or the answer takes too long.
        """
        answer: Future[Decided] = Future()
        try:
            self._waiting.put_nowait((about, answer))
        except queue.Full:
            raise RefusedError("too many requests are waiting; come again later", 503) from None
        try:
            return answer.result(ANSWER_S)
        except FutureTimeoutError:
            answer.cancel()
            raise RefusedError("no answer in time", 504) from None

    def work(self) -> None:
        """Answer what waits, until the process is told to end."""
        while True:
            batch = [self._waiting.get()]
            while len(batch) < AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            self._answer([each for each in batch if each[1].set_running_or_notify_cancel()])

    def _answer(self, batch: Sequence[Waiting]) -> None:
        if not batch:  # nobody waits for it any more
            return
        try:
            answers = self._decide([about for about, _ in batch])
        except LadderError as error:
            answers = [Decided(error=str(error), kind="error")] * len(batch)
        except Exception as error:  # one strange input must not end the answers of all others
            said = f"{type(error).__name__}: {error}"
            answers = [Decided(error=said, kind="error")] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)


def open_server(
    system: Deciding, inbox: Inbox, forms: Sequence[str], host: str, port: int
) -> ThreadingHTTPServer:
    """Return a server that listens, and whose handlers put what is asked into an inbox.

    Raises:
        StateError: the port is taken, or there is no such address on this machine.
    """
    known = {BASE + name: FORMS[name] for name in forms}
    try:
        server = ThreadingHTTPServer((host, port), _handler(system, inbox, known))
    except OSError as error:
        said = error.strerror or str(error)
        fix = "Name another --port (0: any that is free), or an address of this machine: --host"
        raise StateError(f"{host}:{port}: {said}. {fix}") from None
    server.daemon_threads = True
    return server


def serve(
    system: Deciding, forms: Sequence[str], host: str, port: int, tell: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C; the model is asked on this thread."""
    inbox = Inbox(system.decide)
    with open_server(system, inbox, forms, host, port) as server:
        address = f"http://{host}:{server.server_port}/v1"
        tell(f"{system.task}: {system.what}")
        tell(f"labels: {', '.join(system.labels)}")
        if system.changed:
            tell(
                f"warning: {', '.join(system.changed)} changed since it was certified: "
                "run `ladder revalidate`"
            )
        if not is_loopback(host):
            tell(f"warning: whoever reaches {host} may ask; there is no key and no encryption")
        for form in forms:
            tell(f"POST {address}/{form} · as a model of a task: {form}:{system.task}@{address}")
        tell("Ctrl-C ends it.")
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            inbox.work()
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """One connection. What it answers from is handed to its class (`_handler`)."""

    system: Deciding
    inbox: Inbox
    forms: Mapping[str, Form]
    timeout = IDLE_S
    protocol_version = "HTTP/1.1"
    server_version = "ladder"
    sys_version = ""

    def do_POST(self) -> None:
        try:
            form = self.forms.get(urlsplit(self.path).path.rstrip("/"))
            if form is None:
                raise RefusedError(f"ask at {' or '.join(self.forms)}", 404)
            asked = form.read(body_of(self._content()), self.system.labels)
            decided = self.inbox.ask(asked.about)
            if decided.error and not decided.is_no_answer:
                raise RefusedError(decided.error, 502)
            self._send(HTTPStatus.OK, form.put(asked, decided))
        except RefusedError as refused:
            self._refuse(refused)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.rstrip("/")
        if path == f"{BASE}models":
            model = {"id": self.system.task, "object": "model", "owned_by": "ladder"}
            self._send(HTTPStatus.OK, {"object": "list", "data": [model]})
        elif path == "/health":
            self._send(HTTPStatus.OK, {"status": "ok"})
        else:
            self._refuse(RefusedError(f"ask at {' or '.join(self.forms)}", 404))

    def _content(self) -> bytes:
        if self.headers.get("Origin"):
            # A page in a browser is no client of this: it would ask on somebody's behalf.
            raise RefusedError("requests of web pages are refused", 403)
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise RefusedError("Content-Length is missing", 411)
        if int(length) > BODY_LIMIT_BYTES:
            raise RefusedError(f"the body is over {BODY_LIMIT_BYTES:,} bytes", 413)
        return self.rfile.read(int(length))

    def _refuse(self, refused: RefusedError) -> None:
        words = redact(harmless(str(refused), 600))
        self.close_connection = True  # what is left of a body is nobody's next request
        self._send(HTTPStatus(refused.status), {"error": {"message": words}})

    def _send(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: what is asked is nobody's business."""


def _handler(system: Deciding, inbox: Inbox, forms: Mapping[str, Form]) -> type[_Handler]:
    return type("Handler", (_Handler,), {"system": system, "inbox": inbox, "forms": forms})
