"""The address of an endpoint, the key or login that is sent there, and what is shown of them."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import httpx
import pytest
from engines.endpoint.asking import answer_of, ask, engine_for, unused_url
from engines.faulty_server import FaultyServer, Seen, Step, failing, saying

from ladder.engines.endpoint import EndpointEngine
from ladder.engines.endpoint.access import address_of, is_loopback, open_client
from ladder.errors import EngineError
from ladder.models.cache import Cache, CachedEngine
from ladder.redaction import redact

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LADDER_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_query_and_password_are_used_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDER_API_KEY", KEY)
    with FaultyServer([failing(400, "no")]) as server:
        url = server.url.replace("://", "://me:hush@") + "/?api-version=2&sig=shush1"
        engine = engine_for(url)
        [(_, completion)] = engine.complete([ask()])
    assert server.seen[0].path == "/v1/chat/completions?api-version=2&sig=shush1"
    assert server.seen[0].headers["Authorization"].startswith("Basic ")
    shown = f"{engine!r} {engine.fingerprint()} {completion}"
    assert "hush" not in shown
    where = {"endpoint": server.url, "model": "tiny"}
    assert engine.fingerprint() == {**where, "query": "api-version=2"}


ONE = "https://h/v1?deployment=good&api-version=1"
SAME = {
    "order": "https://h/v1?api-version=1&deployment=good",
    "a key": f"{ONE}&api-key=sk-1",
    "signed": f"{ONE}&sig=abc&se=2027-01-01",
    "an access token": f"{ONE}&accessToken=abc",
    "a function's code": f"{ONE}&code=abc",
    "fragment": f"{ONE}#x",
}
OTHER = {
    "deployment": "https://h/v1?deployment=bad&api-version=1",
    "version": "https://h/v1?deployment=good&api-version=2",
    "neither": "https://h/v1",
    "another field": f"{ONE}&tuned=1",
    "its value": f"{ONE}&tuned=2",
    "no value": f"{ONE}&tuned",
    "twice": f"{ONE}&deployment=good",
    "a country's code": f"{ONE}&country_code=de",
}


@pytest.mark.parametrize("url", SAME.values(), ids=SAME)
def test_what_lets_somebody_in_does_not_decide_who_answers(url: str) -> None:
    assert EndpointEngine("m", url).fingerprint() == EndpointEngine("m", ONE).fingerprint()


def test_everything_else_in_a_url_does() -> None:
    found = [EndpointEngine("m", url).fingerprint() for url in (ONE, *OTHER.values())]
    assert len({str(each) for each in found}) == len(found)
    assert all(each["endpoint"] == "https://h/v1" for each in found)


def test_one_deployment_does_not_get_the_kept_answers_of_another(tmp_path: Path) -> None:
    def script(request: Seen) -> Step:
        return saying("right" if "deployment=good" in request.path else "wrong")

    store = Cache(tmp_path / "cache.sqlite")
    with FaultyServer(script) as server:
        for name, text in (("good", "right"), ("bad", "wrong"), ("good", "right")):
            engine = CachedEngine(engine_for(f"{server.url}?deployment={name}"), store)
            assert [answer.text for _, answer in engine.complete([ask()])] == [text]
    assert len(server.seen) == 2


def test_a_value_that_may_be_a_secret_stands_as_a_digest() -> None:
    engine = EndpointEngine("m", "https://h/v1?tuned=hunter2&deployment=good")
    query = engine.fingerprint()["query"]
    assert re.fullmatch("deployment=good&tuned=[0-9a-f]{16}", query)
    assert redact("hunter2 good") == "[secret] good"


def test_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDER_API_KEY", f" {KEY}\n")
    with FaultyServer() as server:
        assert answer_of(server).error is None
    assert server.seen[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_named_key_is_sent_and_none_sends_no_header(
    monkeypatch: pytest.MonkeyPatch, settings_at: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    with FaultyServer() as server:
        answer_of(server)
        port = httpx.URL(server.url).port
        settings_at.write_text(f"endpoints: {{'127.0.0.1:{port}': MY_KEY}}\n")
        settings_at.chmod(0o600)
        monkeypatch.setenv("MY_KEY", KEY)
        monkeypatch.setenv("LADDER_API_KEY", "another")
        answer_of(server)
    assert "Authorization" not in server.seen[0].headers, "OPENAI_API_KEY is for api.openai.com"
    assert server.seen[1].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [400, 401, 429])
def test_the_key_is_never_repeated(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("LADDER_API_KEY", KEY)
    # The key straddles the 200th character: cutting first would leave a part of it.
    with FaultyServer([failing(status, f"{'x' * 190}{KEY} is wrong, {KEY}")]) as server:
        engine = engine_for(server.url, attempts=1)
        try:
            [(_, completion)] = engine.complete([ask()])
            told = completion.error or ""
        except EngineError as error:
            told = "".join(traceback.format_exception(error))
    assert "[secret]" in told
    assert KEY[:8] not in f"{told} {engine!r} {engine.fingerprint()} {vars(engine)}"


def test_a_key_that_no_header_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDER_API_KEY", "sk-two\nlines")
    with pytest.raises(EngineError, match="LADDER_API_KEY") as caught:
        list(engine_for(unused_url()).complete([ask()]))
    assert "two" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://[::1]:80/v1", True),
        ("https://api.example.com/v1", False),
        ("http://localhost.example.com/v1", False),
        ("http://127.0.0.1@example.com/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://0.0.0.0/v1", False),
    ],
)
def test_local_means_loopback(url: str, local: bool) -> None:
    abilities = EndpointEngine("tiny", url).abilities
    assert abilities.local is local
    assert abilities.served, "else neither the spending limit nor the time limit is held"
    assert (abilities.plain, abilities.scores_choices, abilities.context) == (False, False, 8192)


def test_what_is_local_does_not_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", unused_url())
    with FaultyServer() as server:
        assert answer_of(server).text == "hello"


@pytest.mark.parametrize(
    "url", ["ftp://host/v1", "http://", "host/v1", "http://u:hush@h:port/", ""]
)
def test_a_wrong_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(EngineError, match="https://host/v1") as caught:
        EndpointEngine("tiny", url)
    assert "hush" not in str(caught.value)


def test_the_address_is_taken_apart() -> None:
    found = address_of("tiny", "https://me:hush@api.example.com/v1/?version=2#part")
    assert str(found.url) == "https://api.example.com/v1/chat/completions?version=2"
    assert (found.shown, found.login) == ("https://api.example.com/v1", ("me", "hush"))
    assert not found.local
    assert found.headers() == {}, "a login is sent in place of a key"
    assert found.advice() == "Is the login in its URL valid?"
    assert "hush" not in repr(found)
    assert "LADDER_API_KEY" in address_of("tiny", unused_url()).advice()


def test_a_proxy_of_an_unknown_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://proxy:70")
    elsewhere = address_of("tiny", "https://api.example.com/v1")
    with pytest.raises(EngineError, match=r"example\.com/v1: the proxy in the environment: "):
        open_client(elsewhere, {}, 1.0)


@pytest.mark.parametrize(
    ("host", "here"), [("LOCALHOST.", True), ("127.0.0.1", True), ("localhost.example", False)]
)
def test_hosts_of_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here
