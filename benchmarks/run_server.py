"""The system that a run of `ladder assess` chose, behind HTTP on loopback, for a load test.

    python benchmarks/run_server.py RUN PORT

Opens the certified system as `ladder serve` and `ladder revalidate` do, for every type of answer:
a control, or what answers as the run's candidate says. One request is answered at a time, in the
order of arrival. Nothing of its answer is kept or taken from before: its documents are searched
for, and its model is asked, again; a request that the model was not asked about is an error. Only
the prior of a calibration is read once, as everywhere.

`POST /` with `{"prompt": TEXT}` answers `{"text": ANSWER}`, and says in `Server-Timing` the
milliseconds from the first line of the request to its answer, in which nothing else is done here.
`GET /inputs` has the inputs of the task's eval and test rows. It ends by itself after some hours.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Timer
from typing import Any

from ladder.climb.opening import COMPLETIONS, make_bench
from ladder.evaluation.control import fitted_way
from ladder.evidence import Candidate
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.lifecycle.answering import open_certified
from ladder.lifecycle.own_rows import with_own_rows
from ladder.lifecycle.plan import learn_abilities
from ladder.models.cache import Cache, Forgetful, Reading
from ladder.progress import Quiet
from ladder.samples.loading import load_data
from ladder.samples.rows import Sample

MOST_SECONDS = 4 * 3600
"""That it lives, should nobody end it."""
WAITING = 512
"""Connections that the kernel holds until they are taken; in the order of arrival."""

Answer = Callable[[str], str]
"""Input -> answer."""


@contextmanager
def opened(run: Path) -> Iterator[tuple[Answer, list[str]]]:
    """Open the system that a run chose; yield what answers, and the task's held-out inputs.

    Raises:
        LadderError: the run has no plan, its task is wrong, or its system does not answer.
    """
    certified = open_certified(run, "trusted")
    task, plan = certified.task, certified.plan
    with tempfile.TemporaryDirectory(prefix="ladder-sizing-") as made:
        folder = Path(made)
        cache = Cache(folder / COMPLETIONS)
        try:
            data = with_own_rows(load_data(task, cache, Quiet()), certified.path, plan)
            bench = make_bench(task, data, cache, folder, folder, Quiet())
            learn_abilities(bench, plan)
            bench.evaluator.retriever.cache = Forgetful()
            if plan.candidate is None:
                predict = fitted_way(bench.evaluator, plan.control)
                found: Answer = lambda text: predict([text])[0]  # noqa: E731
            else:
                found = by_candidate(bench.evaluator, plan.candidate)
            yield found, [row.input for row in (*data.gate, *data.sealed)]
        finally:
            cache.close()


def by_candidate(evaluator: Evaluator, candidate: Candidate) -> Answer:
    """Return what answers as a candidate does; its model is loaded, its prior is known.

    Raises:
        RuntimeError: when asked, where no request went to the model, or it failed.
    """
    shown = evaluator.data.train[:1] or evaluator.data.dev[:1]
    answer(evaluator, candidate, shown, scored=False)
    engine = evaluator.engine(candidate)
    engine.store = Reading(engine.store)

    def one(text: str) -> str:
        asked = engine.calls
        row = Sample(id="request", input=text, target="")
        [found] = answer(evaluator, candidate, [row], scored=False)
        evaluator.retriever.forget([row])
        if found.completion.error is not None and not found.completion.is_own_fault:
            raise RuntimeError(found.completion.error)
        if engine.calls == asked:
            raise RuntimeError("the model was not asked: the answer was kept from before")
        return found.text

    return one


class Handler(BaseHTTPRequestHandler):
    """One request. What it answers from is handed to its class."""

    answer: Answer
    inputs: list[str]
    wbufsize = -1  # head and body are sent together

    def parse_request(self) -> bool:
        """Begin the request's time: before, its client was still sending."""
        self.begun = time.perf_counter()
        return super().parse_request()

    def do_GET(self) -> None:
        """Say that it is there, or what to ask."""
        self._send(200, self.inputs if self.path == "/inputs" else "ready")

    def do_POST(self) -> None:
        """Answer; what goes wrong is told to the client."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            self._send(200, {"text": type(self).answer(asked["prompt"])})
        except Exception as error:
            self._send(500, f"{type(error).__name__}: {error}")

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.send_header("server-timing", f"own;dur={1000 * (time.perf_counter() - self.begun)}")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing of a request."""


def handler_of(found: Answer, inputs: list[str]) -> type[Handler]:
    """Return a handler of a system's requests."""
    return type("Of", (Handler,), {"answer": staticmethod(found), "inputs": inputs})


class OneAtATime(HTTPServer):
    """Takes the next connection when the last one is answered."""

    request_queue_size = WAITING


def main() -> None:
    """Open, then listen until the process is ended."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("run", type=Path)
    parser.add_argument("port", type=int)
    given = parser.parse_args()
    end = Timer(MOST_SECONDS, os._exit, [1])
    end.daemon = True
    end.start()
    with opened(given.run) as (found, inputs):
        OneAtATime(("127.0.0.1", given.port), handler_of(found, inputs)).serve_forever()


if __name__ == "__main__":
    main()
