"""Read data files into Samples and Documents. Nothing is dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass

from ladder.samples.columns import Understood
from ladder.samples.preferences import Preference


@dataclass(frozen=True, slots=True)
class Sample:
    """One row: what goes in, what should come out."""

    id: str
    input: str
    target: str
    """The right answer; where there are several the first, which is shown and learnt."""
    also_right: tuple[str, ...] = ()
    """Further answers that are as right."""
    doc_ids: tuple[str, ...] = ()
    """Documents that hold the answer, where the user knows them."""
    group: str = ""
    """Rows of one conversation or customer: they count once, as one unit."""
    stratum: str = ""
    """The kind of row whose share in production the task knows (use.strata)."""
    time: str = ""

    @property
    def targets(self) -> tuple[str, ...]:
        """Every answer that is right."""
        return (self.target, *self.also_right)

    @property
    def unit(self) -> tuple[str, str]:
        """Whose evidence this is: its group's, or its own."""
        return ("group", self.group) if self.group else ("row", self.id)


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of the user's knowledge."""

    id: str
    title: str
    text: str
    start: int = 0
    """Where in its document a passage begins, in characters."""
    cut_from: str = ""
    """The id of the document, where this is a passage of it."""

    @property
    def source(self) -> str:
        """The id of the document that this is, or is a part of."""
        return self.cut_from or self.id


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer that a person has graded."""

    input: str
    answer: str
    human: float
    """The grade in 0..1; 1 is right."""
    target: str = ""


@dataclass(frozen=True)
class Rows:
    """Everything the task's data files hold."""

    train: tuple[Sample, ...] = ()
    dev: tuple[Sample, ...] = ()
    """Given by the user, to choose by; none: a part of `train` does."""
    test: tuple[Sample, ...] = ()
    examples: tuple[Sample, ...] = ()
    documents: tuple[Document, ...] = ()
    unlabeled: tuple[Sample, ...] = ()
    out_of_scope: tuple[Sample, ...] = ()
    synthetic: tuple[Sample, ...] = ()
    graded: tuple[Graded, ...] = ()
    preferences: tuple[Preference, ...] = ()
    digests: tuple[tuple[str, str], ...] = ()
    files: tuple[Understood, ...] = ()
    """How each file was read."""
