"""What a rung is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Literal, Protocol

from ladder.evidence import Attempt, Candidate, Control, Gap, Verdict
from ladder.evidence.parity import Parity
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Scores
from ladder.samples.data import Data
from ladder.selection.on_dev import dev_scores
from ladder.task import RungName, Task
from ladder.training.trainer import Trainer


@dataclass
class History:
    """What was measured so far, in the order of the climb."""

    attempts: list[Attempt] = field(default_factory=list)
    scores: dict[str, Scores] = field(default_factory=dict)
    """Rung, or `control` -> its scores on the same eval set."""
    control: Control | None = None
    """None before it is measured, and where there are no training examples."""
    parity: Parity | None = None
    """Of a base that is a GGUF file, once it was compared."""
    seen: Callable[[Attempt], None] | None = None
    """Is told of each attempt once it is over."""

    def add(self, attempt: Attempt, scores: Scores | None = None) -> None:
        """Append an attempt, and its scores where it was measured."""
        self.attempts.append(attempt)
        if scores:
            self.scores[attempt.rung] = scores
        if self.seen is not None:
            self.seen(attempt)

    @property
    def failed_clearly(self) -> int:
        """How many systems in a row, up to the last one, failed clearly; the control is the first.

        One that was skipped has no verdict, and its share is not handed on.
        """
        judged = [self.control.verdict] if self.control and self.control.verdict else []
        verdicts = [*judged, *(attempt.verdict for attempt in self.attempts)]
        return len(list(takewhile(_is_clear, reversed(verdicts))))

    def best(self) -> Attempt | None:
        """Return the measured attempt with the highest score on the eval set so far.

        It may decide whether a rung is climbed, and never what is built (`Bench.best_on_dev`).
        """
        measured = [attempt for attempt in self.attempts if attempt.measurement]
        return max(measured, key=_score, default=None)

    def at(self, rung: RungName) -> Attempt | None:
        """Return the attempt at a rung, if it was measured."""
        found = [a for a in self.attempts if a.rung == rung and a.measurement]
        return found[0] if found else None


def _is_clear(verdict: Verdict | None) -> bool:
    return verdict is not None and any(limit.clear for limit in verdict.limits)


def _score(attempt: Attempt) -> float:
    return attempt.measurement.score.mean if attempt.measurement else -1.0


@dataclass(frozen=True)
class Bench:
    """What a rung is given."""

    evaluator: Evaluator
    trainer: Trainer
    folder: Path
    """The run's own folder: runs/<task>/<utc>/."""
    history: History = field(default_factory=History)

    @property
    def task(self) -> Task:
        """The user's job."""
        return self.evaluator.task

    @property
    def data(self) -> Data:
        """Its examples and documents."""
        return self.evaluator.data

    def best_on_dev(self) -> Attempt | None:
        """Return the measured attempt whose system is best on the dev set; of equals the lowest.

        None where nothing was measured. What is built on it does not depend on the eval examples,
        so that these can judge what is built.

        Raises:
            NoVerdictError: too many requests failed to tell.
        """
        known = [(each, each.candidate) for each in self.history.attempts if each.measurement]
        systems = [(attempt, candidate) for attempt, candidate in known if candidate]
        if len(systems) < 2:
            return systems[0][0] if systems else None
        with self.evaluator.models.asking("race"):
            scores = dev_scores(self.evaluator, [candidate for _, candidate in systems])
        return systems[scores.index(max(scores))][0]


Stage = Callable[[Bench, Candidate | None], list[Candidate]]
"""Candidates to race next, given the incumbent: the winner of the stages before (None at first)."""

Trains = Literal["nothing", "base", "student"]
"""What a rung trains: the task's base model, or a student of the best rung on the dev set."""


class Rung(Protocol):
    """A way to customise: a module with these names, and a line in `rungs.LADDER`."""

    @property
    def NAME(self) -> RungName:  # noqa: N802 - a module's constant
        """The rung's name in task.yaml and in reports."""
        ...

    @property
    def TRAINS(self) -> Trains:  # noqa: N802 - a module's constant
        """What it trains."""
        ...

    @property
    def FIXES(self) -> frozenset[Gap]:  # noqa: N802 - a module's constant
        """Failures of the rungs below that it can fix: it is not climbed for any other."""
        ...

    @property
    def STAGES(self) -> tuple[Stage, ...]:  # noqa: N802 - a module's constant
        """Groups of candidates, raced one after the other."""
        ...

    @property
    def CHALLENGERS(self) -> tuple[Stage, ...]:  # noqa: N802 - a module's constant
        """Further stages, whose winner must also be better on fresh training examples."""
        ...

    def needs(self, task: Task, data: Data) -> str | None:
        """Return what the task or its data lack for this rung, or None."""
        ...

    def unavailable(self, bench: Bench) -> str | None:
        """Return what else is missing on this machine or in what was measured so far, or None."""
        ...

    def pointless(self, bench: Bench) -> str | None:
        """Return why it is not worth trying after what was measured so far, or None."""
        ...
