"""Benches over given data: what a rung is given, without files of a task. Nothing is asked yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.faulty_server import FaultyServer, Seen, Step

from ladder.climb.opening import make_bench
from ladder.evidence import Candidate
from ladder.models.cache import Cache
from ladder.progress import Quiet, Watch
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.task import Task

NO_DATA = Data((), (), (), ())


def task_with(**more: object) -> Task:
    """Return a task whose files nobody reads."""
    values: dict[str, object] = {
        "name": "asked",
        "goal": "Answer.",
        "data": {"test": "test.jsonl"},
        "score": "exact_match",
        "gate": {"min_score": 0.5},
    }
    return Task.model_validate({**values, **more})


def bench_over(task: Task, data: Data, folder: Path, watch: Watch | None = None) -> Bench:
    """Return a bench over data; what it keeps lies in a folder."""
    cache = Cache(folder / "kept.sqlite")
    return make_bench(task, data, cache, folder / "run", folder / "artefacts", watch or Quiet())


def with_data(bench: Bench, **parts: Any) -> Bench:
    """Return a bench with other data of the same task; its completions stay cached."""
    return replace(bench, evaluator=bench.evaluator.with_data(replace(bench.data, **parts)))


def bench_at(
    url: str,
    folder: Path,
    rows: tuple[Sample, ...],
    labels: tuple[str, ...] = (),
    train: tuple[Sample, ...] = (),
    answer: Mapping[str, object] | None = None,
    **more: object,
) -> Bench:
    """Return a bench whose eval set is `rows`, and whose base is the endpoint at a URL."""
    values: dict[str, object] = {
        "models": {"base": f"openai:tiny@{url}"},
        "prices": {"input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0},
        "answer": answer or {},
    }
    data = Data(train, (), rows, (), labels=labels)
    return bench_over(task_with(**{**values, **more}), data, folder)


def chat(bench: Bench, **more: object) -> Candidate:
    """Return a candidate of the base model that is asked in a chat."""
    base = Candidate(rung="prompt", description="t", model=bench.task.models.base, form="chat")
    return base.but(**more)


def saying(speak: Callable[[Seen], str], delay_s: float = 0.0) -> FaultyServer:
    """Return a server that answers with what `speak` returns, with 11 tokens in and 3 out."""

    def script(request: Seen) -> Step:
        message = {"role": "assistant", "content": speak(request)}
        usage = {"prompt_tokens": 11, "completion_tokens": 3}
        body = {"choices": [{"message": message}], "usage": usage}
        return Step(body=json.dumps(body).encode(), delay_s=delay_s)

    return FaultyServer(script)
