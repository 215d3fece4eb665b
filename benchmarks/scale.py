"""What do a hundred thousand rows, and a million, take: seconds and memory, and how both grow.

    python benchmarks/scale.py [--rows 10000,100000,1000000] [--only reading|...]
    python benchmarks/scale.py --only client [--sleep 0.1,0.3,1] [--in-flight 1,16,64,256]

Rows are drawn: a command of 6 to 18 words out of 20,000, whose frequencies follow the law of Zipf
and Mandelbrot, with one of 40 labels; 3 in 100 repeat an earlier row but for a word at the end.
Each part runs in a process of its own, and its memory is the largest resident size (ru_maxrss) less
that of the same process before it began. Seconds are those of the processor, which other programs
leave alone; *wall* are the clock's. The exponent is the slope between two sizes: seconds grow as
rows to it.

The part `client` asks a server on loopback (loopback.py) that takes the same time for each answer:
with the leanest client there can be (sockets alone), with `ladder`'s, and with that behind its
cache. Its overhead is its wall time beyond what the server's sleep takes with so many in flight at
all times, as a share of that; ms are of a processor, for each request. `first` is the overhead of
the first call, in which the client finds out how much the server takes at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import loopback
import numpy as np

WORDS, LABELS, REPEATED = 20_000, 40, 0.03
LOOK = 100
MB = 1024
"""ru_maxrss is in KiB."""


def written(folder: Path, rows: int) -> Path:
    """Write train.jsonl with so many rows, test.jsonl with 2,000 more, and a task; return it."""
    draw = np.random.default_rng(rows)
    letters, share = random.Random(0), 1 / (np.arange(WORDS) + 2.7)
    words = [
        "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=3 + at % 7)) for at in range(WORDS)
    ]
    upto = np.cumsum(share / share.sum())[:-1]
    for name, count in (("train", rows), ("test", 2_000)):
        earlier: list[str] = []
        with (folder / f"{name}.jsonl").open("w") as file:
            for at in range(count):
                picked = np.searchsorted(upto, draw.random(6 + at % 13))
                text = " ".join(words[word] for word in picked)
                if earlier and draw.random() < REPEATED:
                    text = f"{earlier[int(draw.integers(len(earlier)))]} {words[at % WORDS]}"
                elif len(earlier) < 10_000:
                    earlier.append(text)
                row = {
                    "id": f"{name}-{at}",
                    "input": f"{text} {at:x}",
                    "target": f"label {at % LABELS}",
                }
                file.write(json.dumps(row) + "\n")
    task = folder / "task.yaml"
    task.write_text(
        "name: scale\ngoal: Name the label.\ndata: {train: train.jsonl, test: test.jsonl}\n"
        "answer: {type: label}\nscore: exact_match\ngate: {min_score: 0.8}\n"
    )
    return task


def reading(task: Path) -> Any:
    """Read the rows and check them."""
    from ladder.samples.reading import read_rows
    from ladder.task import load_task

    return len(read_rows(load_task(task)).train)


def duplicates(task: Path) -> Any:
    """Find the near-duplicates."""
    from ladder.samples.duplicates import like_pairs

    texts = [json.loads(line)["input"] for line in task.with_name("train.jsonl").open()]
    return len(like_pairs(texts))


def splitting(task: Path) -> Any:
    """Load the data: read, near-duplicates, split, contamination."""
    from ladder.progress import Quiet
    from ladder.samples.loading import load_data
    from ladder.task import load_task

    return len(load_data(load_task(task), None, Quiet()).train)


def cache(task: Path) -> Any:
    """Keep an answer for each row, and read them all back, look by look."""
    from ladder.files import digest_of
    from ladder.models.cache import Cache

    kept = Cache(task.with_name("cache") / "completions.sqlite")
    keys: list[str] = []
    found = 0
    with task.with_name("train.jsonl").open() as rows:
        for line in rows:
            row = json.loads(line)
            keys.append(digest_of(row["input"]))
            kept.put(keys[-1], {"text": row["target"], "tokens_in": 40, "tokens_out": 3})
            if len(keys) == LOOK:
                found += len(kept.get(keys))
                keys.clear()
    found += len(kept.get(keys))
    kept.close()
    return found


def drift(task: Path) -> Any:
    """Set the rows beside the test examples: all tests that need no embedding model."""
    from ladder.lifecycle.drift import some_of
    from ladder.lifecycle.shift import Side, shifts
    from ladder.samples.reading import read_recent
    from ladder.task import load_task

    def side(name: str) -> Side:
        rows = some_of(read_recent(load_task(task), task.with_name(name)))
        return Side(tuple(row.input for row in rows), tuple(row.target for row in rows))

    return len(shifts(side("test.jsonl"), side("train.jsonl")))


PARTS: dict[str, Callable[[Path], Any]] = {
    "reading": reading,
    "duplicates": duplicates,
    "splitting": splitting,
    "cache": cache,
    "drift": drift,
}


def _timed(requests: int, work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds, and ms of a processor for each request."""
    started, used = time.perf_counter(), time.process_time()
    work()
    used = time.process_time() - used
    return time.perf_counter() - started, 1e3 * used / requests


def client(sleep_s: float, in_flight: int, seconds: float) -> str:
    """Ask a server that sleeps, in three ways; return a line of figures.

    Args:
        sleep_s: for each answer.
        in_flight: requests at once.
        seconds: that the sleep takes in all, for each figure.
    """
    from ladder.engines.base import Request
    from ladder.engines.endpoint import EndpointEngine
    from ladder.engines.endpoint.chat_completions import payload
    from ladder.models.cache import Cache, CachedEngine

    count = max(3, round(seconds / sleep_s)) * in_flight

    def asked(name: str) -> list[Request]:
        told = f"{name}: turn on the lights in the kitchen, and dim those of the hall, number "
        turn = ("system", "Name the label of the command.")
        return [Request(messages=(turn, ("user", f"{told}{at}"))) for at in range(count)]

    def answered(engine: EndpointEngine | CachedEngine, name: str) -> tuple[float, float]:
        requests = asked(name)
        errors: list[str] = []

        def work() -> None:
            errors.extend(each.error for _, each in engine.complete(requests) if each.error)

        took = _timed(count, work)
        if errors:
            raise SystemExit(f"{len(errors)} requests were not answered: {errors[0]}")
        return took

    least = count / in_flight * sleep_s
    with (
        loopback.serving(sleep_s, in_flight) as port,
        tempfile.TemporaryDirectory() as folder,
    ):
        bodies = [json.dumps(payload("sleeper", each)).encode() for each in asked("lean")]
        lean_s, lean_cpu = asyncio.run(loopback.lean(port, bodies, in_flight))
        engine = EndpointEngine("sleeper", f"http://127.0.0.1:{port}/v1", concurrency=in_flight)
        first_s, _ = answered(engine, "first")
        own_s, own_ms = answered(engine, "own")
        cached = CachedEngine(engine, Cache(Path(folder) / "kept.sqlite"))
        kept_s, kept_ms = answered(cached, "kept")
    rates = " ".join(f"{count / each:8,.0f}" for each in (least, lean_s, own_s, kept_s))
    shares = " ".join(f"{each / least - 1:7.1%}" for each in (lean_s, own_s, kept_s, first_s))
    used = f"{1e3 * lean_cpu / count:6.3f} {own_ms:6.3f} {kept_ms:6.3f}"
    return f"{sleep_s:7g} {in_flight:9} {rates}  {shares}  {used}"


def clients(sleeps: list[float], sizes: list[int], seconds: float) -> None:
    """Print what the client takes beside the server's own time."""
    print(
        f"{'':17} {'requests/s':>35}  {'overhead':>31}  {'ms of a processor':>20}\n"
        f"{'sleep s':>7} {'in flight':>9} {'at most':>8} {'lean':>8} {'ladder':>8} {'cached':>8}  "
        f"{'lean':>7} {'ladder':>7} {'cached':>7} {'first':>7}  "
        f"{'lean':>6} {'ladder':>6} {'cached':>6}"
    )
    for sleep_s in sleeps:
        for in_flight in sizes:
            print(client(sleep_s, in_flight, seconds), flush=True)


def measured(part: str, task: Path) -> None:
    """Print seconds and MiB of a part, run in this process."""
    import resource

    import ladder.progress
    import ladder.samples.loading
    import ladder.task  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    found = PARTS[part](task)
    used, seconds = time.process_time() - used, time.perf_counter() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MB
    print(json.dumps({"seconds": seconds, "cpu": used, "mib": more, "found": found}))


def main() -> None:
    """Print seconds and memory of each part at each size."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", default="10000,100000,1000000")
    given.add_argument("--only", choices=[*PARTS, "client"])
    given.add_argument("--sleep", default="0.1,0.3,1", help="seconds of the client's server")
    given.add_argument("--in-flight", default="1,16,64,256")
    given.add_argument("--seconds", type=float, default=10.0, help="of sleep, for each figure")
    given.add_argument("--part", help=argparse.SUPPRESS)
    given.add_argument("--task", type=Path, help=argparse.SUPPRESS)
    options = given.parse_args()
    if options.part:
        measured(options.part, options.task)
        return
    if options.only == "client":
        sleeps = [float(each) for each in options.sleep.split(",")]
        sizes = [int(each) for each in options.in_flight.split(",")]
        clients(sleeps, sizes, options.seconds)
        return
    sizes = [int(each) for each in options.rows.split(",")]
    print(f"{'part':12} {'rows':>9} {'seconds':>9} {'wall':>9} {'MiB':>7}  exponent")
    for part in [options.only] if options.only else PARTS:
        last: tuple[int, float] | None = None
        for rows in sizes:
            with tempfile.TemporaryDirectory() as made:
                task = written(Path(made), rows)
                words = [sys.executable, __file__, "--part", part, "--task", str(task)]
                said = subprocess.run(words, capture_output=True, text=True, check=True)
            told = json.loads(said.stdout.splitlines()[-1])
            slope = math.log(told["cpu"] / last[1], rows / last[0]) if last else None
            last = (rows, told["cpu"])
            grows = "" if slope is None else f"{slope:.2f}"
            print(
                f"{part:12} {rows:9,} {told['cpu']:9.1f} {told['seconds']:9.1f} "
                f"{told['mib']:7.0f}  {grows}",
                flush=True,
            )


if __name__ == "__main__":
    main()
