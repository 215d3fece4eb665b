"""A run without a way out: the namespace, what the kernel counts in it, and the certificate."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from small_tasks import write_task
from test_docs import assert_ran, run_pages

from ladder.evidence import Assessment, Isolation
from ladder.trust import isolation

HERE = Path(__file__).parent
FORBIDDEN = isolation._refused_by(isolation.UNSHARE)
needs_namespaces = pytest.mark.skipif(
    FORBIDDEN is not None, reason=f"this machine allows no network namespace: {FORBIDDEN}"
)
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
NOBODY = 65534
PYTHONS = (sys.executable, "/usr/bin/python3")


@pytest.fixture(scope="session")
def uploader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted program, compiled; where every user of this machine may start it."""
    folder = tmp_path_factory.mktemp("planted")
    made = folder / "uploader"
    subprocess.run(["cc", "-o", str(made), str(HERE / "uploader.c")], check=True)
    return made


def inside(
    *command: object, path: str | None = None, python: str = sys.executable, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command in a namespace, as `inside.py` does."""
    words = [python, str(HERE / "inside.py"), "--", *map(str, command)]
    env = {**os.environ, "CI": "true", "PYTHONPATH": str(ROOT)}
    if path is not None:
        env["PATH"] = path
    return subprocess.run(
        words, capture_output=True, text=True, check=False, env=env, timeout=300, **settings
    )


def counted(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@needs_namespaces
@needs_cc
def test_the_kernel_counts_what_a_c_program_attempts(uploader: Path) -> None:
    found = counted(inside(uploader, "tcp4", "udp4", "tcp6", "udp6", "here"))
    grown = isolation.since(
        isolation.Network(**found["before"]), isolation.Network(**found["after"])
    )
    assert found["attempts"] == 5
    assert grown["IpOutNoRoutes"] == grown["Ip6OutNoRoutes"] == 2
    assert grown["UdpNoPorts"] == 1
    assert found["said"] == "SENT\n"  # to loopback, where nobody listens; none could leave
    assert found["ci"] is None


@needs_namespaces
@needs_cc
def test_looking_up_a_name_is_an_attempt(uploader: Path) -> None:
    servers = Path("/etc/resolv.conf")
    if not servers.is_file() or "nameserver" not in servers.read_text():
        pytest.skip("this machine asks nobody for names")
    found = counted(inside(uploader, "name"))
    assert found["attempts"] >= 1
    assert found["said"] == ""


@needs_namespaces
def test_a_run_that_attempts_nothing_is_counted_as_such() -> None:
    found = counted(inside(sys.executable, "-c", "pass"))
    assert found["attempts"] == 0
    assert found["before"]["interfaces"] == found["after"]["interfaces"] == ["lo"]
    assert not found["before"]["routes"]
    assert found["namespace"] == found["inode"]
    assert found["outside"] == Path("/proc/self/ns/net").stat().st_ino != found["namespace"]
    assert found["by"].startswith("unshare from util-linux")


@needs_namespaces
def test_loopback_works_inside() -> None:
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname(), 5); print('reached')"
    )
    found = counted(inside(sys.executable, "-c", code))
    assert found["said"] == "reached\n"
    assert found["attempts"] == 0


@needs_namespaces
@pytest.mark.parametrize(
    "command",
    [
        ["unshare", "--map-root-user", "--net", "true"],
        ["ip", "link", "add", "d0", "type", "dummy"],
        [sys.executable, "-c", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"],
    ],
    ids=["another namespace", "another interface", "raw packets"],
)
def test_nothing_inside_can_get_around_the_count(command: Sequence[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    script = f"{' '.join(map(repr, command))} 2>/dev/null; echo $?"
    found = counted(inside("sh", "-c", script))
    assert found["sealed"]
    assert found["said"].strip() != "0"


@needs_namespaces
@needs_cc
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_an_ordinary_user_is_isolated_too(uploader: Path) -> None:
    others = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}
    python = next((each for each in PYTHONS if _reads_this(each, others)), None)
    if python is None:
        pytest.skip("an ordinary user can start no Python here that reads this checkout")
    shutil.copy(uploader, planted := Path("/tmp") / f"uploader-{os.getpid()}")
    try:
        found = counted(inside(planted, "tcp4", "udp6", python=python, **others))
    finally:
        planted.unlink()
    assert found["attempts"] == 2
    assert found["sealed"]


def _reads_this(python: str, others: dict[str, Any]) -> bool:
    code = f"open({str(HERE / 'inside.py')!r}); from datetime import UTC; import ladder.errors"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            [python, "-c", code], capture_output=True, check=False, env=env, **others
        )
    except OSError:
        return False
    return done.returncode == 0


@needs_cc
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="no bubblewrap here")
def test_without_unshare_bubblewrap_does(uploader: Path, tmp_path: Path) -> None:
    (tmp_path / "bwrap").symlink_to(str(shutil.which("bwrap")))
    done = inside(uploader, "tcp4", "tcp6", path=str(tmp_path))
    if done.returncode == 2 and "bwrap: not installed" not in done.stderr:
        pytest.skip(done.stderr)
    found = counted(done)
    assert found["by"].startswith("bubblewrap")
    assert found["attempts"] == 2


def test_where_no_tool_is_installed_it_says_so(tmp_path: Path) -> None:
    if isolation.network().leads_nowhere:
        pytest.skip("there is no network here")
    done = inside(path=str(tmp_path))
    assert done.returncode == 2
    assert "unshare: not installed" in done.stderr
    assert "install util-linux" in done.stderr
    assert "--network none" in done.stderr


def test_where_the_kernel_forbids_it_the_reason_and_the_fix_are_told(tmp_path: Path) -> None:
    """A tool that says what util-linux says where namespaces are forbidden."""
    if isolation.network().leads_nowhere:
        pytest.skip("there is no network here")
    said = "unshare: unshare failed: Operation not permitted"
    (tmp_path / "unshare").write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    done = inside(path=str(tmp_path))
    assert done.returncode == 2
    assert "Operation not permitted" in done.stderr
    assert "To mend it" in done.stderr


@needs_namespaces
def test_what_has_no_network_already_is_certified_as_it_is(tmp_path: Path) -> None:
    words = [*isolation.UNSHARE, sys.executable, str(HERE / "inside.py"), "--"]
    env = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}
    unshare = str(shutil.which("unshare"))
    found = counted(
        subprocess.run([unshare, *words[1:]], capture_output=True, text=True, check=False, env=env)
    )
    assert "no network here" in found["by"]
    assert found["outside"] is None
    assert not found["sealed"]


def test_the_variable_alone_isolates_nothing() -> None:
    if isolation.network().leads_nowhere:
        pytest.skip("there is no network here")
    words = [sys.executable, str(HERE / "inside.py"), "--"]
    env = {**os.environ, isolation.TOOL: "unshare from nowhere", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 2
    assert "there is a network here" in done.stderr


# The verb

SCORER = """
import socket
import subprocess

started = []


def close(answer, target):
    if not started:
        started.append(subprocess.run({command!r}))
        try:
            socket.create_connection(("192.0.2.9", 443), 2)
        except Exception:
            pass  # it keeps the error to itself
    return float(answer.strip().casefold() == target.casefold())
"""


def small(folder: Path, **fields: Any) -> Path:
    """Write a task of labels that TF-IDF answers: a climb of seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ("hot sand", "cold snow")
    return write_task(
        folder, lambda part, n: {"input": f"{part} {n} {words[n % 2]}", "target": "ab"[n % 2]},
        60, 120, **{"answer": {"type": "label"}, "score": "exact_match",
        "gate": {"min_score": 0.8}, "models": {"base": "bundled:smollm2-135m"}, **fields},
    )  # fmt: skip


def assess(path: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    runs = path.parent / "runs"
    command = [sys.executable, "-m", "ladder", "assess", path, "--isolated", "--runs", runs, *words]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "COLUMNS": "200", **more}, timeout=1800,
    )  # fmt: skip


def record_of(path: Path) -> tuple[Assessment, Path]:
    [file] = (path.parent / "runs").glob("*/*/assessment.json")
    return Assessment.model_validate_json(file.read_text()), file.parent


@pytest.mark.slow
@needs_namespaces
def test_a_climb_that_attempts_nothing_says_so_everywhere(tmp_path: Path) -> None:
    path = small(tmp_path / "task")
    done = assess(path, CI="true", HF_HUB_DISABLE_TELEMETRY="0")
    assert done.returncode == 0, done.stderr
    line = "No route to anywhere: 0 attempted connections"
    assert line in done.stdout
    found, folder = record_of(path)
    assert found.isolation is not None
    assert found.isolation.attempts == 0
    assert found.isolation.had_no_route
    assert found.isolation.sealed
    assert found.isolation.unset == ("CI",)
    assert found.isolation.opt_outs["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert found.isolation.opt_outs["HF_HUB_OFFLINE"] == "1"
    assert found.isolation.began < found.isolation.ended
    assert line in (folder / "report.md").read_text()
    assert "0 attempted connections" in (folder / "report.html").read_text()
    assert "\ncontrol passed, score" in done.stdout  # what happens is still told while it does


@pytest.mark.slow
@needs_namespaces
@needs_cc
def test_a_planted_c_program_is_counted_and_python_is_listed(
    tmp_path: Path, uploader: Path
) -> None:
    path = small(tmp_path / "task", score="mine:close")
    (path.parent / "mine.py").write_text(SCORER.format(command=[str(uploader), "tcp4", "udp6"]))
    done = assess(path, "--allow-code")
    assert done.returncode == 0, done.stderr
    found, folder = record_of(path)
    assert found.isolation is not None
    assert found.isolation.by_kernel == 2
    [refused] = found.isolation.by_python
    assert (refused.host, refused.port, refused.times) == ("192.0.2.9", 443, 1)
    assert "mine" in refused.by
    said = "No route to anywhere: 3 attempted connections, none could leave (192.0.2.9:443 by "
    assert said in done.stdout
    assert "3 attempted connections, none could leave" in (folder / "report.md").read_text()
    assert "3 attempted connections" in (folder / "report.html").read_text()


@pytest.mark.slow
@needs_namespaces
def test_the_commands_about_isolation_run(tmp_path: Path) -> None:
    small(tmp_path)
    done = run_pages([ROOT / "docs/isolation.md"], tmp_path)
    assert_ran(done)
    assert "MLFLOW_DISABLE_TELEMETRY=true" in done.stdout
    assert "No route to anywhere: 0 attempted connections" in done.stdout


@pytest.mark.slow
def test_a_server_cannot_be_had_there(tmp_path: Path) -> None:
    if FORBIDDEN is not None:
        pytest.skip(FORBIDDEN)
    path = small(tmp_path / "task", models={"base": "openai:m@http://127.0.0.1:9/v1"})
    done = assess(path)
    assert done.returncode == 2
    assert "127.0.0.1" in done.stderr
    assert "loopback is the run's own" in done.stderr


@pytest.mark.slow
@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_its_exit_code(number: int, tmp_path: Path) -> None:
    """Its scorer waits: the signal comes while the climb goes on."""
    path = small(tmp_path / "task", score="mine:wait")
    began = tmp_path / "began"
    (path.parent / "mine.py").write_text(
        f"import pathlib, time\n\n\ndef wait(answer, target):\n"
        f"    pathlib.Path({str(began)!r}).touch()\n    time.sleep(600)\n    return 1.0\n"
    )
    command = ["-m", "ladder", "assess", str(path), "--isolated", "--allow-code"]
    process = subprocess.Popen(
        [sys.executable, *command, "--runs", str(tmp_path / "runs")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        while not began.exists() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(number)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 128 + number, said
    assert b"Stopped." in said


@pytest.mark.slow
@needs_namespaces
def test_a_terminal_stays_one(tmp_path: Path) -> None:
    """What is inside draws its bar on the terminal of whoever started it."""
    path = small(tmp_path / "task")
    ours, theirs = pty.openpty()
    command = ["-m", "ladder", "assess", str(path), "--isolated", "--runs", str(tmp_path / "r")]
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                said += os.read(ours, 65536)
            except OSError:  # its other end is closed
                break
    assert process.wait(60) == 0, said
    assert b"\x1b[" in said
    assert b"0 attempted connections" in said


# The record


def certificate(**changed: Any) -> Isolation:
    usual: dict[str, Any] = {
        "by": "unshare from util-linux 2.38.1", "kernel": "Linux 6.1", "namespace": 2,
        "outside": 1, "sealed": True, "interfaces_before": ("lo",), "interfaces_after": ("lo",),
        "routes_before": (), "routes_after": (), "counters": {}, "by_kernel": 0, "by_python": (),
        "python_times": 0, "opt_outs": {}, "unset": ("CI",), "began": "a", "ended": "b",
    }  # fmt: skip
    return Isolation(**{**usual, **changed})


def test_a_way_out_that_appeared_is_not_called_isolated() -> None:
    from ladder.report.isolation import isolation_line

    said = isolation_line(certificate(interfaces_after=("lo", "eth0"), routes_after=("eth0 0",)))
    assert "NOT isolated" in said
    assert "eth0" in said
    assert isolation_line(certificate(by_kernel=1)).startswith(
        "No route to anywhere: 1 attempted connection, none could leave"
    )
