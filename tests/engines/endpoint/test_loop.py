"""However a call ends, nothing is left open and nothing is said of the machinery."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines.endpoint.asking import ask, engine_for
from engines.faulty_server import RESET, FaultyServer, Seen, Step, failing

PROGRAM = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from ladder.engines.base import Request
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.endpoint.breaker import Patience
from ladder.errors import LadderError

outage_s = 30 if sys.argv[1] == "interrupt" else 0.5
patience = Patience(outage_s=outage_s, first_probe_s=0.05, longest_probe_s=0.2, first_wait_s=0.05)
engine = EndpointEngine("tiny", sys.argv[2], patience=patience, timeout_s=float(sys.argv[3]))
if sys.argv[4] == "streamed":
    engine = engine.streaming(8)
requests = [Request(text=f"q{number}") for number in range(200)]
try:
    print("ready", flush=True)
    stream = engine.complete(requests)
    if sys.argv[1] == "close":
        for number, answer in enumerate(stream):
            if number == 3:
                break
        stream.close()
    elif sys.argv[1] == "abandon":
        next(stream)
    elif sys.argv[1] == "raise":
        for _ in engine.complete(requests):
            raise KeyboardInterrupt
    else:
        while True:
            list(engine.complete(requests))
except (LadderError, KeyboardInterrupt) as error:
    print("ended", type(error).__name__, flush=True)
"""


BAD = {
    "503": failing(503),
    "404": failing(404),
    "hangs": Step(delay_s=20),
    "reset": RESET,
    "drips": Step(drip_s=0.3),
    "too large": Step(endless=b"x" * 100_000),
}


def started(url: str, how: str, timeout_s: float = 5, streamed: str = "") -> subprocess.Popen[str]:
    words = [sys.executable, "-W", "always", "-c", PROGRAM, how, url, str(timeout_s), streamed]
    program = subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    return program


def ended(program: subprocess.Popen[str]) -> str:
    out, err = program.communicate(timeout=20)
    assert err == ""
    assert program.returncode == 0
    return out


@pytest.mark.parametrize("how", ["close", "abandon"])
@pytest.mark.parametrize("streamed", ["", "streamed"])
def test_an_iterator_that_is_closed_or_dropped_early(how: str, streamed: str) -> None:
    with FaultyServer([Step(delay_s=0.02, words_s=0.01)]) as server:
        assert ended(started(server.url, how, streamed=streamed)) == ""


@pytest.mark.slow
@pytest.mark.parametrize("streamed", ["", "streamed"])
@pytest.mark.parametrize("trouble", BAD.values(), ids=BAD)
def test_an_endpoint_that_is_down(trouble: Step, streamed: str) -> None:
    with FaultyServer([trouble]) as server:
        out = ended(started(server.url, "all", 0.3, streamed))
    assert out == "ended EndpointDownError\n"


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("trouble", [Step(delay_s=0.02), Step(delay_s=20), failing(503), Step()])
def test_ctrl_c_at_any_moment(trouble: Step, after_s: float) -> None:
    with FaultyServer([trouble]) as server:
        program = started(server.url, "interrupt")
        time.sleep(after_s)
        start = time.monotonic()
        program.send_signal(signal.SIGINT)
        out = ended(program)
        assert time.monotonic() - start < 5
    assert out == "ended KeyboardInterrupt\n"


@pytest.mark.slow
def test_ctrl_c_in_a_whole_run(tmp_path: Path) -> None:
    rows = "".join(f'{{"input": "loaf {at}", "target": "bread"}}\n' for at in range(60))
    (tmp_path / "test.jsonl").write_text(rows)
    with FaultyServer([Step(delay_s=20)]) as server:
        (tmp_path / "task.yaml").write_text(
            "name: shop\ngoal: Sort the orders.\ndata: {test: test.jsonl}\nscore: contains\n"
            f"gate: {{min_score: 0.3}}\nmodels: {{base: 'openai:tiny@{server.url}'}}\n"
            "rungs: [prompt]\n"
        )
        words = ["-W", "always", "-m", "ladder", "assess", str(tmp_path / "task.yaml")]
        program = subprocess.Popen(
            [sys.executable, *words, "--runs", str(tmp_path / "runs")],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
        )  # fmt: skip
        while not server.seen:
            assert program.poll() is None, program.communicate()
            time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=20)
    assert program.returncode == 130
    noise = [line for line in err.splitlines() if "Warning" in line and "/ladder/" in line]
    assert not noise, err
    assert "Traceback" not in err
    assert "never" not in err
    assert "Stopped. What was measured is kept" in err


def test_closing_early_stops_the_work() -> None:
    def script(request: Seen) -> Step:
        return Step(delay_s=0 if request.question == "0" else 0.3)

    before = threading.active_count()
    with FaultyServer(script) as server:
        engine = engine_for(server.url, concurrency=4)
        stream = engine.complete([ask(str(number)) for number in range(100)])
        assert next(stream)[0] == 0
        start = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - start < 2
        time.sleep(0.2)  # what was on its way arrives
        asked = len(server.seen)
        time.sleep(0.4)
        assert len(server.seen) == asked < 20
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_closing_during_a_wait_does_not_hang() -> None:
    with FaultyServer([Step(), failing(429, retry_after="60")]) as server:
        engine = engine_for(server.url, concurrency=2, longest_wait_s=60)
        stream = engine.complete([ask()] * 10)
        next(stream)
        time.sleep(0.1)
        start = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - start < 2


def test_an_interrupt_in_the_caller_leaves_nothing_behind() -> None:
    # In a process of its own: what other tests left unclosed would be told here too.
    with FaultyServer([Step(), Step(delay_s=5)]) as server:
        assert ended(started(server.url, "raise")) == "ended KeyboardInterrupt\n"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C works as on a terminal, also where the tests are a background job that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_waiting_for_the_first_answer(interruptible: None) -> None:
    main = threading.main_thread().ident
    assert main is not None
    with FaultyServer([Step(delay_s=5)]) as server:
        timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
        start = time.monotonic()
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            list(engine_for(server.url).complete([ask()] * 20))
        assert time.monotonic() - start < 3
