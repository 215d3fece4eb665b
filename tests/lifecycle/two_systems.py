"""A champion and a candidate that local servers answer for, each with the plan of its run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml
from benches import saying
from engines.faulty_server import Seen
from trained import write_plan

from ladder.climb.opening import open_bench
from ladder.evaluation.measure import measure
from ladder.evidence import Candidate
from ladder.lifecycle.plain_prompts import PROMPTS
from ladder.progress import Quiet
from ladder.task import load_task

LABELS = ("bread", "cake")
KINDS = ("shop", "web")
WANTED = {prompt.text: prompt.wanted for prompt in PROMPTS}
Speak = Callable[[str], str]
"""What a model is asked last -> its answer."""


def knows(text: str) -> str:
    """Answer rows and fixed prompts rightly."""
    if text in WANTED:
        return WANTED[text]
    return next((label for label in LABELS if label in text.split()), "bread")


def number_of(text: str) -> int:
    """Return the number that a row carries; -1 of a fixed prompt."""
    words = [word for word in text.split() if word.startswith("n") and word[1:].isdigit()]
    return int(words[0][1:]) if words else -1


def row(number: int, kinds: bool = True) -> dict[str, str]:
    draw = Random(number)
    words = ["".join(draw.choices("abcdefghijklmopqrstuvwxyz", k=7)) for _ in range(6)]
    label = LABELS[number % 2]
    made = {"id": f"r{number}", "input": f"n{number} {label} {' '.join(words)}", "target": label}
    return {**made, "stratum": KINDS[number // 2 % 2]} if kinds else made


@dataclass(frozen=True)
class Two:
    champion: Path
    candidate: Path


def write_task(folder: Path, url: str, rows: int, **more: Any) -> Path:
    lines = (json.dumps(row(number)) for number in range(rows))
    (folder / "test.jsonl").write_text("".join(f"{line}\n" for line in lines))
    values = {
        "name": "shop", "goal": "Sort the orders.", "data": {"test": "test.jsonl"},
        "answer": {"type": "label", "labels": list(LABELS)}, "score": "exact_match",
        "gate": {"min_score": 0.3}, "prices": {"input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0},
        "models": {"base": f"openai:old@{url}", "student": f"openai:new@{url}"},
    }  # fmt: skip
    path = folder / "task.yaml"
    path.write_text(yaml.safe_dump({**values, **more}))
    return path


def plan_of(task: Path, model: str, runs: str) -> Path:
    bench = open_bench(load_task(task), task.parent / runs, Quiet())
    candidate = Candidate(rung="prompt", description=runs, model=model, form="chat")
    measurement, _, _ = measure(bench.evaluator, candidate, bench.data.gate, all_rows=True)
    return write_plan(bench, candidate, measurement)


@contextmanager
def two_systems(
    folder: Path,
    new: Speak,
    old: Speak = knows,
    rows: int = 300,
    runs: tuple[str, str] = ("old", "new"),
    **task: Any,
) -> Iterator[Two]:
    """Serve two models and write the plan of each, certified on the same rows."""

    def speak(seen: Seen) -> str:
        asked = seen.question
        return new(asked) if seen.payload["model"] == "new" else old(asked)

    with saying(speak) as server:
        path = write_task(folder, server.url, rows, **task)
        named = load_task(path).models
        champion = plan_of(path, str(named.base), runs[0])
        candidate = plan_of(path, str(named.student), runs[1])
        yield Two(champion, candidate)
