"""A task's data: its examples by what they are for, its documents, grades and preferences."""

from __future__ import annotations

from dataclasses import dataclass

from ladder.samples.columns import Understood
from ladder.samples.preferences import Preference
from ladder.samples.rows import Document, Graded, Sample
from ladder.task import Task


@dataclass(frozen=True)
class Data:
    """A task's examples by what they are for, and what they may be read with."""

    train: tuple[Sample, ...]
    dev: tuple[Sample, ...]
    gate: tuple[Sample, ...]
    sealed: tuple[Sample, ...]
    reserve: tuple[Sample, ...] = ()
    documents: tuple[Document, ...] = ()
    unlabeled: tuple[Sample, ...] = ()
    out_of_scope: tuple[Sample, ...] = ()
    """Inputs that none of the labels answers."""
    labels: tuple[str, ...] = ()
    duplicates: tuple[tuple[str, str], ...] = ()
    """(row set aside, earlier row that says the same)."""
    contaminated: tuple[tuple[str, str], ...] = ()
    """(held-out example, training example) that are alike; the gate counts no such rows."""
    leaked: tuple[Sample, ...] = ()
    """The contaminated rows themselves."""
    contradictions: tuple[tuple[Sample, Sample], ...] = ()
    """(row set aside, earlier row with the same input and another answer)."""
    mislabelled: int = 0
    """Rows that contradict what most rows with the same input say: so many are wrong at least."""
    labelled: int = 0
    """Rows with a target, those set aside included."""
    reworded: tuple[tuple[str, str], ...] = ()
    """(held-out example, training example) that are reworded and differ in their answer: counted,
    since no answer leaks, but a person should look at the first of them."""
    synthetic: tuple[Sample, ...] = ()
    """The last of the training examples: a teacher's, which may teach and never judge."""
    graded: tuple[Graded, ...] = ()
    """Answers that people have graded."""
    preferences: tuple[Preference, ...] = ()
    """Answers that people preferred to others."""
    digests: tuple[tuple[str, str], ...] = ()
    """(file of the task, sha256 of its bytes)."""
    files: tuple[Understood, ...] = ()
    """How each file was read."""

    def systems(self, task: Task) -> int:
        """Return how many share a climb's error: its rungs, and a control that may end it."""
        return len(task.rungs) + bool(self.train and task.stops_at_control)

    @property
    def observed(self) -> tuple[Sample, ...]:
        """The training examples that no model wrote."""
        return self.train[: len(self.train) - len(self.synthetic)]

    @property
    def targets(self) -> tuple[str, ...]:
        """Every right answer that a person gave, of training and held-out examples."""
        rows = (*self.observed, *self.dev, *self.gate, *self.sealed, *self.reserve, *self.leaked)
        return tuple(target for row in rows for target in row.targets)
