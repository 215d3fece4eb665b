"""Benches whose model is a recording, and rungs with given candidates.

The recording holds what a rule says to every request that the candidates named can make; what is
asked beyond them fails, as it would with a recording of a real model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benches import bench_over, task_with

from ladder.engines.base import Completion
from ladder.engines.replay import record
from ladder.evidence import Candidate, Gap
from ladder.inference.evaluator import Evaluator
from ladder.inference.prompts import request_for
from ladder.progress import Watch
from ladder.rungs import LADDER
from ladder.rungs.protocol import Bench, Rung, Stage, Trains
from ladder.samples.data import Data
from ladder.task import RungName, Task

SECONDS = 0.01
"""What an answer took, unless a test says otherwise."""


def asking(instruction: str, rung: RungName = "prompt", **more: Any) -> Candidate:
    """Return a candidate that stands under an instruction, which is its name too."""
    values = {
        "description": instruction,
        "instruction": instruction,
        "model": "bundled:none",
        **more,
    }
    return Candidate.model_validate({"rung": rung, **values})


def replayed(
    folder: Path,
    data: Data,
    candidates: Callable[[Evaluator], Iterable[Candidate]],
    speak: Callable[[str], str],
    seconds: Callable[[str], float] = lambda prompt: SECONDS,
    watch: Watch | None = None,
    **task: object,
) -> Bench:
    """Return a bench whose base model is a recording in a folder.

    Args:
        folder: for the recording and the cache.
        data: every example of it may be asked about.
        candidates: what may be asked; whatever their model is, the recording answers.
        speak: the prompt of a request -> the model's answer.
        seconds: the prompt of a request -> what the answer took.
        watch: sees progress, and answers questions.
        task: further fields of the task.
    """
    path = folder / "recorded.jsonl"
    path.write_text("")
    task_ = task_with(models={"base": f"replay:{path}"}, **task)
    evaluator = bench_over(task_, data, folder / "asked").evaluator
    pairs = []
    for candidate in candidates(evaluator):
        engine = evaluator.engine(of(evaluator, candidate))
        for sample in (*data.train, *data.dev, *data.gate, *data.sealed):
            request = request_for(evaluator, of(evaluator, candidate), sample, engine)
            prompt = request.text
            took, words = seconds(prompt), len(prompt.split())
            pairs.append((request, Completion(speak(prompt), words, 1, took)))
    record(path, pairs)
    return bench_over(task_, data, folder, watch)


def of(known: Bench | Evaluator, candidate: Candidate) -> Candidate:
    """Return the candidate, asking the base model of a bench."""
    return candidate.but(model=known.task.models.base)


@dataclass
class GivenRung:
    """A rung with given candidates."""

    NAME: RungName
    candidates: list[Candidate]
    challengers: list[Candidate] = field(default_factory=list)
    """Raced in a challenge, if there are any."""
    missing: str | None = None
    """Why it cannot be tried."""

    @property
    def TRAINS(self) -> Trains:  # noqa: N802 - as a module's constant
        return _shipped(self.NAME).TRAINS

    @property
    def FIXES(self) -> frozenset[Gap]:  # noqa: N802 - as a module's constant
        return _shipped(self.NAME).FIXES

    @property
    def STAGES(self) -> tuple[Stage, ...]:  # noqa: N802 - as a module's constant
        return (lambda bench, leader: self.candidates,)

    @property
    def CHALLENGERS(self) -> tuple[Stage, ...]:  # noqa: N802 - as a module's constant
        return (lambda bench, leader: self.challengers,) if self.challengers else ()

    def needs(self, task: Task, data: Data) -> str | None:
        return self.missing

    def unavailable(self, bench: Bench) -> str | None:
        return None

    def pointless(self, bench: Bench) -> str | None:
        return _shipped(self.NAME).pointless(bench)


def _shipped(name: RungName) -> Rung:
    """Return the ladder's own rung of a name: what a given one trains and fixes is the same."""
    return next(rung for rung in LADDER if name == rung.NAME)
