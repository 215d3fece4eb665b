"""What is said when an endpoint is given up, or refuses the key."""

from __future__ import annotations

import re
import time

import pytest
from engines.endpoint.asking import answer_of, ask, engine_for, unused_url
from engines.faulty_server import FaultyServer, Step, failing, raw

from ladder.engines.endpoint.access import address_of
from ladder.engines.endpoint.breaker import Breaker, Patience
from ladder.engines.endpoint.failure import TryError
from ladder.engines.endpoint.giving_up import endpoint_down
from ladder.errors import EngineError


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LADDER_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_the_error_repeats_what_the_server_said() -> None:
    with FaultyServer([failing(500, "the GPU\nfell off")]) as server:
        assert "HTTP 500: the GPU fell off" in str(answer_of(server).error)
    with FaultyServer([raw({"error": {"message": "upstream is down"}})]) as server:
        assert "upstream is down" in str(answer_of(server).error)


def test_a_refused_key_stops_the_run() -> None:
    with FaultyServer([Step(), failing(401, "who are you?")]) as server:
        stream = engine_for(server.url, concurrency=1).complete([ask()] * 100)
        assert next(stream)[1].text == "hello"
        with pytest.raises(EngineError, match=r"who are you\?.*LADDER_API_KEY"):
            next(stream)
    assert len(server.seen) == 2


def test_a_refused_key_is_told_though_it_comes_as_a_stream() -> None:
    step = Step(401, b"data: {}", {"Content-Type": "text/event-stream"})
    with FaultyServer([step]) as server, pytest.raises(EngineError, match="refuses access"):
        list(engine_for(server.url).streaming(1).complete([ask()]))


def test_a_forbidden_key_stops_the_run_where_nothing_was_ever_answered() -> None:
    told = pytest.raises(EngineError, match=r"who are you\?.*LADDER_API_KEY")
    with FaultyServer([failing(403, "who are you?")]) as server, told:
        list(engine_for(server.url).complete([ask()] * 100))
    assert len(server.seen) <= 9


def test_nothing_listens() -> None:
    url = unused_url()
    with pytest.raises(EngineError, match="nothing listens at") as caught:
        list(engine_for(url).complete([ask()] * 20))
    assert url in str(caught.value)


def test_a_server_that_goes_away_fails_the_rest_only() -> None:
    with FaultyServer() as server:
        engine = engine_for(server.url)
        assert dict(engine.complete([ask()]))[0].text == "hello"
    [(_, completion)] = engine.complete([ask()])
    assert "no connection" in str(completion.error)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("HTTP 404", "no answers from tiny at http://127.0.0.1:9/v1 since .*: 3 x HTTP 404 "
         r"\(said\)\. Fix the URL or the model's name\. "),
        ("HTTP 503", r"Start the server, or fix the URL, the model's name or the key\. "),
        ("HTTP 403", r"3 x HTTP 403 \(said\)\. No key was sent: set LADDER_API_KEY"),
        ("no connection", "^nothing listens at http://127.0.0.1:9/v1 since "),
    ],
)  # fmt: skip
def test_the_commonest_failure_decides_the_advice(kind: str, told: str) -> None:
    breaker = Breaker(Patience())
    for failure in [TryError("rare"), *(TryError(kind, "said") for _ in range(3))]:
        breaker.fail(failure, time.monotonic())
    address = address_of("tiny", "http://127.0.0.1:9/v1")
    error = endpoint_down("tiny", address, breaker, TryError(kind))
    assert re.search(told, str(error).replace("1 x rare, ", "").replace(", 1 x rare", ""))
    assert error.counts == {"rare": 1, kind: 3}
