"""What is known about a task's data."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.measurement import Comparison
from ladder.evidence.values import Record


class WordOverlap(Record):
    """Runs of words that held-out examples share with training examples and documents."""

    words: int
    """In a run."""
    rows: int
    checkable: int
    """Rows long enough to hold such a run: the others are unchecked, not clean."""
    overlapping: int
    top: tuple[str, ...]
    """The rows that share most, as `row ~ row or document: share`."""


class DataReport(Record):
    """What the rows are, and what they can tell."""

    FORMER = {"witnesses": "units"}

    train: int
    synthetic: int = 0
    """Of the training examples: those that a teacher wrote."""
    dev: int
    gate: int
    units: int = 0
    """Independent ones among the eval examples: a group counts once."""
    sealed: int
    reserve: int
    documents: int
    passages: int = 0
    """What the documents are read as: long ones are cut."""
    unlabeled: int
    out_of_scope: int = 0
    duplicates: int
    """Rows set aside because a like row stands in an earlier split."""
    duplicates_recall: float | None = None
    """The least chance with which a pair of like rows is found; None: every one is."""
    set_aside: tuple[str, ...] = ()
    """The first of them, as `row ~ row`."""
    contaminated: tuple[str, ...]
    """Held-out rows that repeat a training example, as `row ~ row`; they are not counted."""
    look_alikes: tuple[str, ...] = ()
    """Held-out rows that are a training example with another number or name in it: a person should
    look at them. Not counted either, but not called leaks."""
    contradictions: tuple[str, ...] = ()
    """The first rows with the input of an earlier row and another answer, as
    `row ~ row: answer / answer`; they are set aside."""
    contradicting: int = 0
    """How many such rows there are."""
    label_noise: float = 0.0
    """The least share of wrong targets that they imply: of the rows with a target, those that
    contradict what most rows with the same input say."""
    labelled: int = 0
    """Rows with a target, of which `label_noise` is a share."""
    reworded: tuple[str, ...] = ()
    """The first held-out examples that reword a training example but have another answer, as
    `row ~ row`; they are counted."""
    overlap: WordOverlap | None = None
    systems: int = 0
    """That share the climb's error: the rungs, and a control that may end it; 0 in files written
    before."""
    detectable: float | None
    """The smallest true score that these eval examples can be expected to prove."""
    rows_needed: dict[str, int | None] = {}
    """True score -> eval examples that prove the gate with it, at 80 % power."""
    shared_groups: int = 0
    """Groups with rows in train and in held-out examples: what one taught helps the other."""
    digests: dict[str, str]


class SyntheticCounts(Record):
    """What became of the rows that a teacher was asked to write; each is counted once."""

    asked: int
    unanswered: int
    """The engine gave an error."""
    form: int
    """Empty, cut off, or an answer that is not of the task's form."""
    duplicates: int
    """Near-duplicates of training examples, or of a row written before."""
    held_out: int
    """Too near a held-out example."""
    disagreed: int
    """The check of the answer came to another one."""
    kept: int


class SyntheticRecord(Record):
    """What is known of a file of synthetic rows: stands beside it, and carries no date."""

    schema_version: Literal[1] = 1
    task: str
    """The name of the task that the rows were written for."""
    teacher: str
    """Kind and name."""
    fingerprint: dict[str, str]
    """What the teacher's words depend on."""
    seed: int
    counts: SyntheticCounts
    check: str
    """How answers were checked."""
    measured: str = ""
    """What was built with the rows and without them; empty: no row was left to measure."""
    scores: tuple[float, float] | None = None
    """Mean scores on the dev examples, with and without."""
    gain: Comparison | None = None
    """With, against without."""
    accepted: bool
    """The gain is proven, so a task may train on the rows."""
    reason: str
    digest: str
    """The sha256 of the file."""
