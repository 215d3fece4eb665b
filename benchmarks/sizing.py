"""Does the p95 that `ladder size` predicts come true under load, on this machine?

    python benchmarks/sizing.py RUN [RUN ...] [--requests N] [--json FILE]
    python benchmarks/sizing.py llama [--requests N] [--json FILE]

RUN is the folder of a run of `ladder assess` (of several: the newest): the system that it chose is
put behind HTTP (`run_server.py`) and asked the inputs of its own task. `llama` is llama.cpp's
server with the bundled SmolLM2-135M, one slot and no prefix reuse, asked those of r3. Each is a
real server on loopback, in a process of its own, that answers one request at a time in the order
of arrival.

It is first timed with one request at a time, and a run's own p95, of requests in its own process,
is set beside that. From these times alone comes what is predicted: the seconds that the server says
it worked on a request (`Server-Timing`) are its service, for which requests queue; what is left of
the round trip is the HTTP of client and server, which requests do side by side: a delay, without a
queue. Of `llama`, which says nothing, all of the round trip is service. Then it is loaded:

- closed loop, 1, 2 and 4 clients, each sending its next request when the last is answered;
  predicted by simulating them (`closed_times`): without a delay that is `economy.load.waits`, the
  way in which a run's p95 counts its queue;
- open loop, Poisson arrivals at half and at seven tenths of what the server can answer; predicted
  by `economy.queueing`, the way in which `ladder size` counts machines, and the delay.

It prints predicted and measured p95 with the interval of the measured one, and how long one request
alone takes after the load: where that has changed, the machine was not quiet, and nothing is shown.
Exit 1: a closed-loop prediction is more than a quarter off.
"""

from __future__ import annotations

import argparse
import heapq
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
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import llama
import numpy as np

from ladder.commands.size import Sized, SizeOptions, size_run
from ladder.economy.load import SHARE_IN_TIME
from ladder.economy.queueing import response_times
from ladder.errors import LadderError
from ladder.gate.quantiles import percentile, quantile_interval
from ladder.hardware import hardware
from ladder.report.reading import read_assessment
from ladder.wording import latency

ROOT = Path(__file__).parent.parent
ROWS = ROOT / "evalsets/r3_bakery_orders"
LLAMA = "llama"
CLIENTS = (1, 2, 4)
BUSY = (0.5, 0.7)
TOLERANCE = 0.25
WARM_UP = 10
OPENING_S = 900

Send = Callable[[str], float | None]
"""Sends an input, reads the answer; returns the seconds that the server worked, if it says so."""


@dataclass(frozen=True)
class Alone:
    """Requests that were sent one at a time, in seconds."""

    own: tuple[float, ...]
    """That the server worked on each."""
    rest: tuple[float, ...]
    """What is left of its round trip."""

    @property
    def whole(self) -> list[float]:
        """The round trips."""
        return [own + rest for own, rest in zip(self.own, self.rest, strict=True)]


@contextmanager
def serving(command: Callable[[int], list[str]]) -> Iterator[str]:
    """Start a server and yield its address; it is ended with the block.

    Args:
        command: starts it, for a port.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command(port), stdout=log, stderr=log) as process,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(timeout=20)


def _wait(address: str, process: subprocess.Popen[bytes], log: Any) -> None:
    until = time.monotonic() + OPENING_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=2).close()
            return
        time.sleep(0.2)
    log.seek(0)
    raise SystemExit(f"the server did not open: {log.read().decode()[-2000:]}")


def ask(address: str, prompt: str) -> float | None:
    """Send one request and read the whole answer.

    Returns:
        the seconds that the server says it worked on it; None: it does not say.
    """
    asked = {"prompt": prompt, "max_tokens": 8, "temperature": 0, "cache_prompt": False}
    to = urlsplit(address)
    connection = HTTPConnection(to.netloc, timeout=600)
    try:
        head = {"content-type": "application/json"}
        connection.request("POST", to.path, json.dumps(asked).encode(), head)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise SystemExit(f"{address}: {answer.status} {content.decode()[:500]}")
    told = answer.getheader("server-timing", "").partition("dur=")[2]
    return float(told) / 1000 if told else None


def timed(send: Send, prompt: str) -> tuple[float, float | None]:
    """Return the seconds of one request, and those of the server."""
    started = time.perf_counter()
    own = send(prompt)
    return time.perf_counter() - started, own


def one_at_a_time(send: Send, prompts: Sequence[str]) -> Alone:
    """Send each request when the last is answered."""
    found = [timed(send, prompt) for prompt in prompts]
    own = [whole if said is None else min(said, whole) for whole, said in found]
    rest = [whole - mine for (whole, _), mine in zip(found, own, strict=True)]
    return Alone(tuple(own), tuple(rest))


def closed_times(alone: Alone, clients: int) -> list[float]:
    """Return the predicted seconds of requests, in the order in which they are answered. Pure.

    Each of `clients` sends its next request as soon as the last is answered. A request is first
    under way for its delay, and then waits for those that have reached the server before it.
    """
    requests = enumerate(zip(alone.rest, alone.own, strict=True))
    # (when it reaches the server, its place, when it was sent, its service); the first is next
    under_way = [(rest, at, 0.0, own) for at, (rest, own) in islice(requests, clients)]
    heapq.heapify(under_way)
    free, found = 0.0, list[float]()
    while under_way:
        arrived, _, sent, service = heapq.heappop(under_way)
        free = max(free, arrived) + service
        found.append(free - sent)
        for at, (rest, own) in islice(requests, 1):
            heapq.heappush(under_way, (free + rest, at, free, own))
    return found


def open_p95(alone: Alone, rate: float) -> float:
    """Return the predicted p95 in seconds of requests that come independently. Pure.

    Args:
        alone: their services, and the delays.
        rate: requests a second.
    """
    queued = response_times(alone.own, rate, 1)
    delays = np.random.default_rng(2).choice(alone.rest, len(queued))
    return float(np.quantile(queued + delays, SHARE_IN_TIME))


def closed_loop(send: Send, prompts: Sequence[str], clients: int) -> list[float]:
    """Return the seconds of each request, as many under way at once as there are clients.

    The first ones, which meet a queue that is still filling, are left out, as they are predicted.
    """
    with ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(lambda prompt: timed(send, prompt)[0], prompts))
    return found[clients:]


def open_loop(send: Send, prompts: Sequence[str], rate: float) -> list[float]:
    """Return the seconds from arrival to answer of requests that come independently."""
    arrivals = np.cumsum(np.random.default_rng(0).exponential(1 / rate, len(prompts)))
    begun = time.perf_counter()

    def arrive(prompt: str, at: float) -> float:
        time.sleep(max(0.0, begun + at - time.perf_counter()))
        send(prompt)
        return time.perf_counter() - begun - at

    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(pool.map(arrive, prompts, arrivals.tolist()))


def load_test(send: Send, prompts: Sequence[str]) -> dict[str, Any]:
    """Return the times of single requests, and predicted and measured p95 under each load."""
    for prompt in prompts[:WARM_UP]:
        send(prompt)
    alone, lines = one_at_a_time(send, prompts), []
    for clients in CLIENTS:
        predicted = percentile(closed_times(alone, clients)[clients:], SHARE_IN_TIME)
        lines.append(_line(f"closed, {clients}", predicted, closed_loop(send, prompts, clients)))
    for busy in BUSY:
        rate = busy / float(np.mean(alone.own))
        found = open_loop(send, prompts, rate)
        lines.append(_line(f"open, {busy:.0%} busy", open_p95(alone, rate), found))
    return {
        "alone_ms": 1000 * median(alone.whole),
        "own_ms": 1000 * median(alone.own),
        "after_ms": 1000 * median(one_at_a_time(send, prompts).whole),
        "alone_p95_ms": _p95(alone.whole),
        "requests": len(prompts),
        "lines": lines,
    }


def _line(load: str, predicted: float, measured: Sequence[float]) -> dict[str, Any]:
    got, low, high = _p95(measured)
    return {
        "load": load,
        "predicted_ms": 1000 * predicted,
        "measured_ms": got,
        "low_ms": low,
        "high_ms": high,
        "off": 1000 * predicted / got - 1 if got else 0.0,
    }


def _p95(seconds: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Return the p95 and its 95 % interval in milliseconds; None: no such end."""
    found = (percentile(seconds, SHARE_IN_TIME), *quantile_interval(seconds, SHARE_IN_TIME, 0.95))
    return tuple(None if each is None else 1000 * each for each in found)


def load_llama(requests: int) -> dict[str, Any]:
    """Load llama.cpp's server."""
    rows = [json.loads(line) for line in (ROWS / "test.jsonl").read_text().splitlines()]
    prompts = [str(row["input"]) for row in rows]
    with serving(lambda port: llama.command(port, context=2048, slots=1, threads=1)) as address:
        to = f"{address}/v1/completions"
        return {"loaded": LLAMA, **load_test(lambda text: ask(to, text), cycled(prompts, requests))}


def load_run(run: Path, requests: int) -> dict[str, Any]:
    """Load the system that a run chose.

    Raises:
        LadderError: there is no such run, or its system cannot be sized.
    """
    a, folder = read_assessment(run)
    print(f"{folder}", flush=True)
    sized = size_run(folder, SizeOptions())
    print(f"ladder size: {in_short(sized)}", flush=True)
    times = sized.system.latency.service_s if sized.system.latency else ()
    here = str(Path(__file__).with_name("run_server.py"))
    with serving(lambda port: [sys.executable, here, str(folder), str(port)]) as address:
        with urllib.request.urlopen(f"{address}/inputs", timeout=60) as answer:
            prompts = cycled(json.load(answer), requests)
        found = load_test(lambda text: ask(address, text), prompts)
    return {
        "loaded": f"{a.task.name}/{folder.name}",
        "sized": sized.as_record(),
        "run_p95_ms": _p95(times),
        "run_requests": len(times),
        **found,
    }


def in_short(found: Sized) -> str:
    """Say machines, service, memory and money in a line."""
    s, memory = found.sizing, found.memory
    machines = "no number of machines" if s.machines is None else f"{s.machines} machine(s)"
    held = f"weights {memory.weights_mb:,.0f} MiB" if memory else f"memory: {found.no_memory}"
    money = "" if s.usd_per_month is None else f"; owning {s.usd_per_month:,.2f} USD a month"
    return (
        f"{machines} for {s.peak_per_second:.4g} requests a second; service mean "
        f"{latency(s.service_ms)}, p95 {latency(s.service_p95_ms)}; {held}{money}"
    )


def cycled(prompts: Sequence[str], count: int) -> list[str]:
    """Return so many prompts, from the first on again where there are fewer."""
    return [prompts[at % len(prompts)] for at in range(count)]


def show(found: dict[str, Any]) -> None:
    """Print the table."""
    print(
        f"alone, median: {found['alone_ms']:.4g} ms before, {found['after_ms']:.4g} ms after "
        f"({found['after_ms'] / found['alone_ms'] - 1:+.0%}), {found['own_ms']:.4g} ms of it at "
        f"the server; {found['requests']} requests each"
    )
    if kept := found.get("run_p95_ms"):
        now = found["alone_p95_ms"]
        print(
            f"the run's own p95: {kept[0]:.4g} ms ({_ends(*kept[1:])}), {found['run_requests']} "
            f"requests; alone now: {now[0]:.4g} ms ({_ends(*now[1:])}): {kept[0] / now[0] - 1:+.0%}"
        )
    print(f"{'load':<16}{'predicted p95':>15}{'measured p95':>15}{'95 % interval':>22}{'off':>8}")
    for line in found["lines"]:
        print(
            f"{line['load']:<16}{line['predicted_ms']:>12.4g} ms{line['measured_ms']:>12.4g} ms"
            f"{_ends(line['low_ms'], line['high_ms']):>22}{line['off']:>+8.0%}",
        )
    sys.stdout.flush()


def _ends(*ends: float | None) -> str:
    return " to ".join("?" if end is None else f"{end:.4g}" for end in ends)


def main() -> None:
    """Parse, serve, load, print."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("loaded", nargs="+", metavar="RUN", help=f"a run's folder, or {LLAMA}")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.requests <= max(CLIENTS):
        parser.error(f"--requests {given.requests}: more than {max(CLIENTS)} are needed")
    print(", ".join(f"{name} {value}" for name, value in hardware().items()))
    every = []
    for name in given.loaded:
        try:
            count = given.requests
            found = load_llama(count) if name == LLAMA else load_run(Path(name), count)
        except LadderError as error:
            parser.error(str(error))
        show(found)
        every.append(found)
        if given.json:
            given.json.write_text(json.dumps(every, indent=1) + "\n")
    closed = [one for found in every for one in found["lines"] if one["load"].startswith("closed")]
    sys.exit(any(abs(line["off"]) > TOLERANCE for line in closed))


if __name__ == "__main__":
    main()
