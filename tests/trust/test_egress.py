"""A connection of Python's to another machine is an error where a task keeps its data here."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from small_tasks import write_task

from ladder.engines.endpoint.transport import Client
from ladder.errors import EgressError
from ladder.models.staying import from_hub, stay_here
from ladder.task import load_task
from ladder.trust import egress
from ladder.trust.guarded import guarded

ELSEWHERE = "192.0.2.7"
"""An address that is nobody's (RFC 5737): were one connect let through, nobody would get it."""


@pytest.fixture
def kept() -> None:
    egress.keep_here("my/task.yaml")


def tcp(host: str, port: int = 443) -> None:
    with socket.socket() as made:
        made.settimeout(2)
        made.connect((host, port))


def udp(host: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"x", (host, 53))


def datagram_message(host: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendmsg([b"x"], [], 0, (host, 53))


def by_code(host: str) -> None:
    with socket.socket() as made:
        made.settimeout(2)
        made.connect_ex((host, 443))


async def _streams(host: str) -> None:
    await asyncio.wait_for(asyncio.open_connection(host, 443), 2)


async def _aiohttp(host: str) -> None:
    async with Client(trust_env=False, timeout=2) as client:
        await client.post(f"http://{host}/")


ATTEMPTS: dict[str, Callable[[str], object]] = {
    "tcp": tcp,
    "udp": udp,
    "sendmsg": datagram_message,
    "connect_ex": by_code,
    "look-up": lambda host: socket.getaddrinfo(host, 443),
    "old look-up": socket.gethostbyname,
    "asyncio": lambda host: asyncio.run(_streams(host)),
    "httpx": lambda host: httpx.get(f"http://{host}/", timeout=2, trust_env=False),
    "aiohttp": lambda host: asyncio.run(_aiohttp(host)),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_leads_elsewhere_is_refused(name: str, kept: None) -> None:
    with pytest.raises(EgressError) as error:
        ATTEMPTS[name](ELSEWHERE)
    said = str(error.value)
    assert ELSEWHERE in said
    assert "my/task.yaml" in said
    assert "data_may_leave: true" in said
    assert [found.host for found in egress.refused()] == [ELSEWHERE]


def test_the_error_names_the_module_that_wanted_it(kept: None) -> None:
    with pytest.raises(EgressError, match=r"test_egress.* wanted to connect to 192\.0\.2\.7:443"):
        tcp(ELSEWHERE)
    with pytest.raises(EgressError, match="test_egress"):  # not the library that carries it
        httpx.get(f"http://{ELSEWHERE}/", trust_env=False)


def test_aiohttp_does_not_look_names_up_elsewhere(kept: None) -> None:
    with pytest.raises(EgressError, match=r"models\.example"):
        asyncio.run(_aiohttp("models.example"))


def test_other_threads_are_held_to_it(kept: None) -> None:
    met: list[BaseException] = []

    def attempt() -> None:
        try:
            tcp(ELSEWHERE)
        except EgressError as error:
            met.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(met) == 1


@pytest.mark.parametrize("address", ["example.org", "fe80::1%lo", "169.254.169.254", "10.0.0.1"])
def test_other_machines_are_not_this_one(address: str) -> None:
    assert not egress.is_here(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LocalHost.", b"localhost", None, "", "0.0.0.0",
     "::ffff:127.0.0.1", socket.gethostname()],
)  # fmt: skip
def test_this_machine_is(address: object) -> None:
    assert egress.is_here(address)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_loopback_passes(family: socket.AddressFamily, kept: None) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as server:
        with socket.create_connection(server.getsockname()[:2], 5):
            pass
        with (
            socket.create_connection(("localhost", server.getsockname()[1]), 5)
            if (family == socket.AF_INET)
            else socket.socket()
        ):
            pass


def test_sockets_in_the_file_system_pass(kept: None, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
    one, other = socket.socketpair()
    one.close()
    other.close()


@pytest.mark.skipif(not hasattr(socket, "AF_VSOCK"), reason="no virtual sockets here")
def test_a_socket_to_the_host_of_a_virtual_machine_does_not(kept: None) -> None:
    try:
        made = socket.socket(socket.AF_VSOCK)
    except OSError:
        pytest.skip("the kernel has none")
    with made, pytest.raises(EgressError, match="AF_VSOCK"):
        made.connect((2, 1024))


def test_a_fetch_that_the_user_named_passes_and_nothing_after_it(kept: None) -> None:
    with egress.fetching(), socket.socket() as made:
        made.setblocking(False)
        assert made.connect_ex((ELSEWHERE, 443))  # whatever the network says: it was asked
    with pytest.raises(EgressError):
        tcp(ELSEWHERE)


def small(folder: Path, **fields: object) -> Path:
    return write_task(
        folder, lambda part, n: {"input": f"{part} {n}", "target": "ab"[n % 2]}, 30, 30,
        score="exact_match", **fields,
    )  # fmt: skip


def test_a_task_keeps_its_data_here_unless_it_says_otherwise(tmp_path: Path) -> None:
    stay_here(load_task(small(tmp_path)))
    assert egress.keeps_here()
    stay_here(load_task(small(tmp_path, rules={"data_may_leave": True})))
    assert not egress.keeps_here()
    stay_here(load_task(small(tmp_path)))  # a comparison of two: one may ask its endpoint
    assert not egress.keeps_here()


@pytest.fixture
def without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def test_the_hub_is_off_unless_the_task_names_something_of_it(
    tmp_path: Path, without_the_variable: None
) -> None:
    named = load_task(small(tmp_path, models={"base": "hf:owner/name@abc"}))
    assert list(from_hub(named)) == ["hf:owner/name@abc"]
    stay_here(named)
    assert "HF_HUB_OFFLINE" not in os.environ
    (tmp_path / "owner/name").mkdir(parents=True)
    stay_here(load_task(small(tmp_path, models={"base": "hf:owner/name"})))
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_rows_and_metrics_of_the_hub_are_known(tmp_path: Path) -> None:
    rows = load_task(small(tmp_path, data={"examples": "datasets:owner/rows@0#train"}))
    assert list(from_hub(rows)) == ["datasets:owner/rows@0#train"]
    metric = small(tmp_path)
    metric.write_text(metric.read_text().replace("exact_match", "evaluate:rouge"))
    assert list(from_hub(load_task(metric))) == ["evaluate:rouge"]


PROGRAM = f"""
import socket, sys
print(sys.argv[1:], __name__)
import beside
socket.create_connection(({ELSEWHERE!r}, 443), 2)
"""


def test_a_program_that_is_started_has_the_same_guard(kept: None, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("print('found beside it')\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, *guarded(tmp_path / "program.py"), "--x"],
        capture_output=True, text=True, check=False, env={**os.environ, egress.LOG: str(log)},
    )  # fmt: skip
    assert done.stdout == "['--x'] __main__\nfound beside it\n"
    assert done.returncode == 1
    assert "EgressError" in done.stderr.splitlines()[-1]
    assert "program.py wanted to connect" in done.stderr
    assert [found.port for found in egress.refused_by_all(log)] == [443]


def test_a_user_is_told_in_one_line(tmp_path: Path, ladder) -> None:
    """A scorer of the user's own that asks a server elsewhere."""
    scorer = (
        "import socket\n\n\ndef near(answer, target):\n"
        f"    socket.create_connection(({ELSEWHERE!r}, 443), 2)\n    return 1.0\n"
    )
    path = small(tmp_path, models={"base": "replay:answers.jsonl"}, rungs=["prompt"])
    (tmp_path / "answers.jsonl").write_text("")
    path.write_text(path.read_text().replace("exact_match", "mine:near"))
    (tmp_path / "mine.py").write_text(scorer)
    said = ladder("assess", path, "--allow-code", "--runs", tmp_path / "runs")
    said.refused(ELSEWHERE, "mine", "data_may_leave")
    assert not egress.keeps_here()
