"""Endpoints on another machine are asked through httpx: here by way of a proxy, which answers."""

from __future__ import annotations

import pytest
from engines.endpoint.asking import ask, engine_for
from engines.faulty_server import RESET, FaultyServer, Seen, Step, failing, zipped
from engines.faulty_server import saying as said

from ladder.engines.endpoint import EndpointEngine

ELSEWHERE = "http://models.example/v1"


def through(server: FaultyServer, patch: pytest.MonkeyPatch, **options: int) -> EndpointEngine:
    for name in ("no_proxy", "all_proxy", "https_proxy", "http_proxy"):
        patch.delenv(name, raising=False)
        patch.delenv(name.upper(), raising=False)
    patch.setenv("http_proxy", server.url.removesuffix("/v1"))
    engine = engine_for(ELSEWHERE, **options)
    assert not engine.abilities.local
    return engine


def test_each_request_has_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer([Step(delay_s=0.05)]) as server:
        engine = through(server, monkeypatch, concurrency=24)
        answers = dict(engine.streaming(24).complete([ask(f"q{at}") for at in range(60)]))
    assert [answers[at].text for at in range(60)] == [f"q{at}" for at in range(60)]
    assert server.most_in_flight == 24
    assert {request.path for request in server.seen} == {f"{ELSEWHERE}/chat/completions"}


TROUBLES = {
    "reset": RESET,
    "cut": Step(cut=True),
    "slow": Step(delay_s=2.0),
    "dripping": Step(drip_s=0.05),
    "429": failing(429, retry_after="0.1"),
    "503": failing(503),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_what_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch, trouble: Step) -> None:
    def script(request: Seen) -> Step:
        return trouble if len(server.seen) == 2 else Step()

    with FaultyServer(script) as server:
        engine = through(server, monkeypatch, timeout_s=0.5, concurrency=2)
        answers = dict(engine.complete([ask(f"q{at}") for at in range(6)]))
    assert [answers[at].text for at in range(6)] == [f"q{at}" for at in range(6)]
    assert len(server.seen) == 7


def test_packed_and_streamed_answers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    body = said("packed").body
    assert isinstance(body, bytes)
    with FaultyServer([zipped(body), Step(words_s=0.01)]) as server:
        engine = through(server, monkeypatch)
        [(_, whole)] = engine.complete([ask("a")])
        [(_, streamed)] = engine.streaming(1).complete([ask("one two")])
    assert whole.text == "packed"
    assert streamed.text == "one two"
    assert streamed.first_s is not None
