"""An evidence pack: which artefact bears on which point of the AI Act, and what is for a human."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.values import Record

Share = Literal["in part", "for a human"]
"""How much of a point the pack holds evidence for; never that a requirement is met."""


class MappedPoint(Record):
    """A point of the Act, and what there is for it."""

    point: str
    words: str
    """Of the Act."""
    files: tuple[str, ...]
    """Of the pack."""
    human: str
    """What a person has to write or to do."""

    @property
    def share(self) -> Share:
        """How much there is."""
        return "in part" if self.files else "for a human"


class Kept(Record):
    """How long something is to be kept."""

    what: str
    at_least: str
    until: str
    """ISO 8601: not before this day, were it counted from the measurement."""
    source: str


class ActDate(Record):
    """A day that the Act names."""

    day: str
    what: str
    source: str


class EvidencePack(Record):
    """pack.json: the index of the pack, for programs."""

    schema_version: Literal[1] = 1
    ladder_version: str
    task: str
    run: str
    """UTC, ISO 8601: when the assessment was written."""
    assessment: str
    """Its sha256."""
    certified: float | None
    """The certified lower bound of the gated score; None: nothing is certified."""
    annex_iv: tuple[MappedPoint, ...]
    articles: tuple[MappedPoint, ...]
    questions: tuple[str, ...]
    """What a reader would still ask."""
    keep: tuple[Kept, ...]
    dates: tuple[ActDate, ...]
    to_verify: str
    files: dict[str, str]
    """Every other file of the pack -> sha256."""
    left_out: dict[str, str]
    """File of the run that holds rows or answers and is not in the pack -> sha256."""
