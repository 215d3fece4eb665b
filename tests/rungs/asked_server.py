"""A climb whose model is a real server on this machine that answers as a test says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from engines.faulty_server import FaultyServer, Seen, Step

from ladder.evidence import Candidate
from ladder.models.cache import Cache
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.task import Task


def saying(speak: Callable[[Seen], str], delay_s: float = 0.0) -> FaultyServer:
    """Return a server that answers with what `speak` returns, with 11 tokens in and 3 out."""

    def script(request: Seen) -> Step:
        message = {"role": "assistant", "content": speak(request)}
        usage = {"prompt_tokens": 11, "completion_tokens": 3}
        body = {"choices": [{"message": message}], "usage": usage}
        return Step(body=json.dumps(body).encode(), delay_s=delay_s)

    return FaultyServer(script)


def climb_at(
    url: str,
    folder: Path,
    rows: tuple[Sample, ...],
    labels: tuple[str, ...] = (),
    train: tuple[Sample, ...] = (),
    score: str = "exact_match",
    **answer: object,
) -> Bench:
    """Return a climb over rows, asking the server at a URL."""
    task = Task.model_validate(
        {
            "name": "asked",
            "goal": "Answer.",
            "data": {"test": "test.jsonl"},
            "answer": answer,
            "score": score,
            "gate": {"min_score": 0.5},
            "models": {"base": f"openai:tiny@{url}"},
            "prices": {"input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0},
        }
    )
    splits = Data(train, (), rows, (), labels=labels)
    return Bench(task, splits, Cache(folder / "kept.sqlite"), folder, folder)


def chat(bench: Bench, **more: object) -> Candidate:
    base = Candidate(rung="prompt", description="t", model=bench.task.models.base, form="chat")
    return base.model_copy(update=more)
