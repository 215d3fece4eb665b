"""Endpoints on another machine: here by way of a proxy, which answers."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from engines.endpoint.asking import ask, engine_for
from engines.faulty_server import RESET, FaultyServer, Seen, Step, failing, zipped
from engines.faulty_server import saying as said

from ladder.engines.endpoint import EndpointEngine
from ladder.errors import EngineError

ELSEWHERE = "http://models.example/v1"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "all_proxy", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def through(server: FaultyServer, patch: pytest.MonkeyPatch, **options: int) -> EndpointEngine:
    patch.setenv("http_proxy", server.url.removesuffix("/v1"))
    engine = engine_for(ELSEWHERE, **options)
    assert not engine.abilities.local
    return engine


def test_each_request_has_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer([Step(delay_s=0.5)]) as server:
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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the key and the certificate, signed by itself, of models.example."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "models.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("models.example")]), False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = tmp_path_factory.mktemp("tls") / "models.pem"
    path.write_bytes(key.private_bytes(pem, form, plain) + made.public_bytes(pem))
    return path


class Tunnel(socketserver.ThreadingTCPServer):
    """A proxy that wants a login, and is itself the server that it leads to."""

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.heads: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Tunnelled)


class Tunnelled(socketserver.StreamRequestHandler):
    server: Tunnel

    def handle(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        self.server.heads.append(head)
        if b"proxy-authorization: basic bwu6ahvzaa==" not in head.lower():  # me:hush
            self.wfile.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            safe = self.server.context.wrap_socket(self.request, server_side=True)
        except OSError:
            return
        with safe, safe.makefile("rb") as lines:
            self.server.heads.append(b"".join(iter(lines.readline, b"\r\n")))
            body = said("safe").body
            assert isinstance(body, bytes)
            safe.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@pytest.fixture
def tunnel(certificate: Path) -> Iterator[Tunnel]:
    with Tunnel(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


SAFE = "https://models.example/v1"


@pytest.mark.parametrize(
    ("login", "trusted", "kind", "words"),
    [
        ("me:hush@", True, "", ""),
        ("me:hush@", False, "no secure connection", "CERTIFICATE_VERIFY_FAILED"),
        ("me:wrong@", True, "connection broke", "ProxyError"),
    ],
    ids=["safe", "not trusted", "not let through"],
)
def test_tls_is_checked_through_a_proxy_with_a_login(
    monkeypatch: pytest.MonkeyPatch, tunnel: Tunnel, certificate: Path, login, trusted, kind, words
) -> None:
    monkeypatch.setenv("https_proxy", f"http://{login}127.0.0.1:{tunnel.server_address[1]}")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    [(_, answer)] = engine_for(SAFE, attempts=1).complete([ask()])
    assert answer.kind == kind
    assert answer.text == ("" if kind else "safe")
    assert words in (answer.error or "")
    assert tunnel.heads[0].startswith(b"CONNECT models.example:443 HTTP/1.1\r\n")
    assert len(tunnel.heads) == (1 if kind else 2)


def test_a_proxy_that_speaks_socks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(EngineError, match=r"the proxy in the environment: .*socks5"):
        list(engine_for(SAFE).complete([ask()]))


def test_hosts_that_no_proxy_is_for_are_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer() as server:
        through(server, monkeypatch)
        monkeypatch.setenv("no_proxy", "models.example")
        [(_, answer)] = engine_for(ELSEWHERE, attempts=1, timeout_s=2.0).complete([ask()])
    assert answer.kind == "no connection"
    assert server.seen == []
