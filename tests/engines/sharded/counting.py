"""A model that answers slowly and writes down what it is asked, and where: for faults."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from ladder.engines.base import Abilities, Chunk, Completion, Request
from ladder.engines.sharded import ShardedEngine

IN_A_CHUNK = 4


class Counting:
    """Answers a text with its length. `deadly` ends its process, `vast` fills its memory."""

    def __init__(self, log: str, seconds: float, driver: int, weights: str = "") -> None:
        """Take the file to write to, the seconds of each answer, and whose model it is."""
        self.log, self.seconds, self.driver = Path(log), seconds, driver
        self.weights = weights if os.getpid() != driver else ""

    def fingerprint(self) -> dict[str, str]:
        return {"weights": self.weights or "counting"}

    def cut(self, requests):
        order = sorted(range(len(requests)), key=lambda at: requests[at].text)
        groups = [order[at : at + IN_A_CHUNK] for at in range(0, len(order), IN_A_CHUNK)]
        return [], [Chunk(tuple(group), 0, len(order)) for group in groups]

    def answer(self, requests, chunk):
        assert os.getpid() != self.driver, "the driver computes nothing"
        self._write("begun", requests)
        for request in requests:
            time.sleep(self.seconds)
            if "deadly" in request.text:
                os.kill(os.getpid(), signal.SIGKILL)
            if "vast" in request.text:
                raise MemoryError
        self._write("done", requests)
        return [Completion(request.text.upper(), 1, 1, 0.5) for request in requests]

    def _write(self, what, requests):
        import ray

        node = ray.get_runtime_context().get_node_id()
        line = json.dumps([what, os.getpid(), node, [request.text for request in requests]])
        with self.log.open("a") as file:
            file.write(f"{line}\n")


class Sharded(ShardedEngine):
    """The same on a cluster: only what a chat model has besides is left out."""

    @cached_property
    def abilities(self) -> Abilities:
        return Abilities(plain=True)


def as_rows(completions) -> list[list[object]]:
    """Return position, and the fields of each answer, as JSON holds them."""
    return [[at, asdict(completion)] for at, completion in completions]


def requests_of(texts) -> list[Request]:
    return [Request(text=text) for text in texts]
