"""Does the p95 that `ladder size` predicts come true under load, on this machine?

    python benchmarks/sizing.py [labels|llama] [--requests N] [--json FILE]

Starts a real server on loopback that answers one request at a time: `labels`, TF-IDF and logistic
regression over the first words of the answers of r3 behind Python's own HTTP server, or `llama`,
llama.cpp's server with the bundled SmolLM2-135M, one slot and no prefix reuse. It is first timed
with one request at a time. From these times come the predictions; then it is loaded:

- closed loop, 1, 2 and 4 clients, each sending its next request when the last is answered;
  predicted by `economy.load.waits`, the same way in which a run's p95 counts its queue;
- open loop, Poisson arrivals at half and at seven tenths of what it can answer; predicted by
  `economy.queueing.p95`, the way in which `ladder size` counts machines.

It prints predicted and measured p95 with the interval of the measured one, and how long one request
alone takes after the load: where that has changed, the machine was not quiet, and nothing is shown.
Exit 1: a closed-loop prediction is more than a quarter off.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import llama
import numpy as np

from ladder.economy.load import waits
from ladder.economy.queueing import p95
from ladder.gate.quantiles import percentile, quantile_interval
from ladder.hardware import hardware

ROOT = Path(__file__).parent.parent
ROWS = ROOT / "evalsets/r3_bakery_orders"
CLIENTS = (1, 2, 4)
BUSY = (0.5, 0.7)
TOLERANCE = 0.25
WARM_UP = 10
LABELS = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
model = make_pipeline(
    TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)), LogisticRegression(max_iter=1000)
).fit([row["input"] for row in rows], [row["target"].split()[0] for row in rows])

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        label = model.predict([asked["prompt"]])[0]
        body = json.dumps({"choices": [{"text": label}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

class OneAtATime(HTTPServer):
    request_queue_size = 128

OneAtATime(("127.0.0.1", int(sys.argv[2])), Answer).serve_forever()
"""


@contextmanager
def serving(kind: str, log: Path) -> Iterator[str]:
    """Start a server and yield its address; it is ended with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    if kind == "llama":
        command = llama.command(port, context=2048, slots=1, threads=1)
    else:
        command = [sys.executable, "-c", LABELS, str(ROWS / "train.jsonl"), str(port)]
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1/completions"
        finally:
            process.kill()
            process.wait(timeout=20)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=2).close()
            return
        if process.poll() is not None:
            raise SystemExit(log.read_text()[-2000:])
        time.sleep(0.2)
    raise SystemExit(f"no answer within two minutes: {log.read_text()[-2000:]}")


def ask(address: str, prompt: str) -> None:
    """Send one request and read the whole answer."""
    asked = {"prompt": prompt, "max_tokens": 8, "temperature": 0, "cache_prompt": False}
    body = json.dumps(asked).encode()
    request = urllib.request.Request(address, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        answer.read()


def timed(send: Callable[[str], None], prompt: str) -> float:
    """Return the seconds of one request."""
    started = time.perf_counter()
    send(prompt)
    return time.perf_counter() - started


def closed_loop(send: Callable[[str], None], prompts: Sequence[str], clients: int) -> list[float]:
    """Return the seconds of each request, as many under way at once as there are clients.

    The first ones, which meet a queue that is still filling, are left out, as they are predicted.
    """
    with ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(lambda prompt: timed(send, prompt), prompts))
    return found[clients:]


def open_loop(send: Callable[[str], None], prompts: Sequence[str], rate: float) -> list[float]:
    """Return the seconds from arrival to answer of requests that come independently."""
    arrivals = np.cumsum(np.random.default_rng(0).exponential(1 / rate, len(prompts)))
    begun = time.perf_counter()

    def arrive(prompt: str, at: float) -> float:
        time.sleep(max(0.0, begun + at - time.perf_counter()))
        send(prompt)
        return time.perf_counter() - begun - at

    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(pool.map(arrive, prompts, arrivals.tolist()))


def load_test(send: Callable[[str], None], prompts: Sequence[str]) -> dict[str, Any]:
    """Return the times of single requests, and predicted and measured p95 under each load."""
    for prompt in prompts[:WARM_UP]:
        send(prompt)
    service = [timed(send, prompt) for prompt in prompts]
    lines = []
    for clients in CLIENTS:
        queued = waits(service, clients)
        alone = service[clients - 1 :]
        predicted = percentile([w + s for w, s in zip(queued, alone, strict=True)], 0.95)
        lines.append(_line(f"closed, {clients}", predicted, closed_loop(send, prompts, clients)))
    for busy in BUSY:
        rate = busy / float(np.mean(service))
        found = open_loop(send, prompts, rate)
        lines.append(_line(f"open, {busy:.0%} busy", p95(service, rate, 1), found))
    after = [timed(send, prompt) for prompt in prompts]
    return {
        "service_ms": 1000 * median(service),
        "after_ms": 1000 * median(after),
        "requests": len(prompts),
        "lines": lines,
    }


def _line(load: str, predicted: float, measured: Sequence[float]) -> dict[str, Any]:
    got = percentile(measured, 0.95)
    low, high = quantile_interval(measured, 0.95, 0.95)
    return {
        "load": load,
        "predicted_ms": 1000 * predicted,
        "measured_ms": 1000 * got,
        "low_ms": None if low is None else 1000 * low,
        "high_ms": None if high is None else 1000 * high,
        "off": predicted / got - 1,
    }


def show(found: dict[str, Any]) -> None:
    """Print the table."""
    print(", ".join(f"{name} {value}" for name, value in hardware().items()))
    print(
        f"alone, median: {found['service_ms']:.4g} ms before, {found['after_ms']:.4g} ms after "
        f"({found['after_ms'] / found['service_ms'] - 1:+.0%}); {found['requests']} requests each"
    )
    print(f"{'load':<16}{'predicted p95':>15}{'measured p95':>15}{'95 % interval':>22}{'off':>8}")
    for line in found["lines"]:
        ends = " to ".join(
            "?" if end is None else f"{end:.4g}" for end in (line["low_ms"], line["high_ms"])
        )
        print(
            f"{line['load']:<16}{line['predicted_ms']:>12.4g} ms{line['measured_ms']:>12.4g} ms"
            f"{ends:>22}{line['off']:>+8.0%}"
        )


def main() -> None:
    """Parse, serve, load, print."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("kind", nargs="?", choices=("labels", "llama"), default="labels")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = [json.loads(line) for line in (ROWS / "test.jsonl").read_text().splitlines()]
    prompts = [str(rows[at % len(rows)]["input"]) for at in range(given.requests)]
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(given.kind, Path(folder) / "server.log") as address,
    ):
        found = {"kind": given.kind, **load_test(lambda prompt: ask(address, prompt), prompts)}
    show(found)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    closed = [line for line in found["lines"] if line["load"].startswith("closed")]
    sys.exit(any(abs(line["off"]) > TOLERANCE for line in closed))


if __name__ == "__main__":
    main()
