"""However a call ends, nothing is left open and nothing is said of the machinery."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engines.faulty_server import RESET, FaultyServer, Step, failing

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
print("ready", flush=True)
try:
    stream = engine.complete(requests)
    if sys.argv[1] == "close":
        for number, answer in enumerate(stream):
            if number == 3:
                break
        stream.close()
    elif sys.argv[1] == "abandon":
        next(stream)
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


@pytest.mark.parametrize("streamed", ["", "streamed"])
@pytest.mark.parametrize("trouble", BAD.values(), ids=BAD)
def test_an_endpoint_that_is_down(trouble: Step, streamed: str) -> None:
    with FaultyServer([trouble]) as server:
        out = ended(started(server.url, "all", 0.3, streamed))
    assert out == "ended EndpointDownError\n"


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
