"""What do workers of a Ray cluster lose to the way their work is handed out?

    python benchmarks/cluster.py [--workers 1 2 4] [--requests 320] [--seconds 0.1] [--address HOST:PORT]

A model that sleeps so long for each request answers on 1, 2, 4 workers through `engines.sharded`. Each
line: the seconds of a call once the workers are there, and the share of them that is sleep: 100 %
is what nobody hands out. Without an address a cluster of one machine is started on loopback; sleep
takes no core, so the machine may have fewer than there are workers.
"""  # noqa: E501

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from ladder.engines.base import Chunk, Completion, Request
from ladder.engines.sharded.crew import Crew, Model, Place
from ladder.trust.quiet import be_quiet

IN_A_CHUNK = 8
LOOPBACK = "127.0.0.2"
STORE = 80 << 20


class Sleeper:
    """Sleeps so long for each request, and computes nothing."""

    def __init__(self, seconds: float) -> None:
        """Take the seconds of one request."""
        self.seconds = seconds

    def fingerprint(self) -> dict[str, str]:
        """Return the same on every machine."""
        return {"weights": "none"}

    def cut(self, requests: Sequence[Request]) -> tuple[list[tuple[int, Completion]], list[Chunk]]:
        """Cut by position."""
        many = len(requests)
        starts = range(0, many, IN_A_CHUNK)
        return [], [Chunk(tuple(range(at, min(many, at + IN_A_CHUNK))), 0, many) for at in starts]

    def answer(self, requests: Sequence[Request], chunk: Chunk) -> list[Completion]:
        """Sleep for each request."""
        time.sleep(self.seconds * len(requests))
        return [Completion(request.text) for request in requests]


def main() -> None:
    """Print seconds and efficiency for each number of workers."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    given.add_argument("--requests", type=int, default=320)
    given.add_argument("--seconds", type=float, default=0.1)
    given.add_argument("--address", default="")
    options = given.parse_args()
    be_quiet()
    opener = partial(Sleeper, options.seconds)
    requests = [Request(text=f"request {number}") for number in range(options.requests)]
    with _address(options.address, max(options.workers)) as address:
        for workers in options.workers:
            taken = timed(Place(address, cpus=1, workers=workers), opener, requests)
            asleep = options.requests * options.seconds / workers
            print(
                f"{workers} workers: {taken:.2f} s for {options.requests} requests, "
                f"{asleep / taken:.1%} of it sleep",
                flush=True,
            )


def timed(place: Place, opener: partial[Sleeper], requests: Sequence[Request]) -> float:
    """Return the seconds of a call, once all workers have answered one before it."""
    here = opener()
    crew, model = Crew(place, print), Model("sleeper", here, opener)
    asked = requests[: IN_A_CHUNK * (place.workers or 1)]
    while sum(crew.counts.machines.values()) < (place.workers or 1):
        list(crew.answer(model, asked, here.cut(asked)[1]))
    started = time.perf_counter()
    answered = list(crew.answer(model, requests, here.cut(requests)[1]))
    taken = time.perf_counter() - started
    assert sorted(at for at, _ in answered) == [*range(len(requests))]
    crew.close()
    return taken


@contextmanager
def _address(named: str, cores: int) -> Iterator[str]:
    if named:
        yield named
        return
    from ray.cluster_utils import Cluster

    common = {"object_store_memory": STORE, "node_ip_address": LOOPBACK, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cores, **common})
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
