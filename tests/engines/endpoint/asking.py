"""What the tests of the endpoint engine ask a server on this machine, with little patience."""

from __future__ import annotations

import socket
from dataclasses import fields
from typing import Any

from engines.faulty_server import FaultyServer

from ladder.engines.base import Completion, Request
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.endpoint.breaker import Patience


def engine_for(url: str, **options: Any) -> EndpointEngine:
    quick = {"first_wait_s": 0.01, "longest_wait_s": 0.3, "first_probe_s": 0.05}
    known = {field.name for field in fields(Patience)}
    waits = {name: options.pop(name) for name in known & options.keys()}
    patience = Patience(**{**quick, "longest_probe_s": 0.2, "outage_s": 1.0, **waits})
    return EndpointEngine(
        "tiny", url, **{"timeout_s": 5.0, "attempts": 3, **options}, patience=patience
    )


def ask(question: str = "hello", **fields: Any) -> Request:
    return Request(messages=(("system", "be brief"), ("user", question)), **fields)


def answer_of(server: FaultyServer, request: Request | None = None, **options: Any) -> Completion:
    [(at, completion)] = engine_for(server.url, **options).complete([request or ask()])
    assert at == 0
    return completion


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
