"""Two runs beside each other."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.measurement import Comparison
from ladder.evidence.values import Estimate, Record

Part = Literal["task", "data", "system", "code", "machine"]


class Change(Record):
    """One thing that the two runs do not have in common."""

    part: Part
    what: str
    first: str
    second: str


class Side(Record):
    """What one run says of a rung, or of its answer."""

    description: str
    score: Estimate
    """On the rows that this run measured: two of these are not compared row by row."""
    p95_ms: float | None = None
    usd_per_1k: float | None = None


class RungsCompared(Record):
    """A rung of both runs, or the answers of both."""

    name: str
    """Of a rung, or `answer`."""
    first: Side | None
    second: Side | None
    paired: Comparison | None = None
    """Second minus first, on the rows that both measured; none where they share no row."""
    won: tuple[str, ...] = ()
    """Rows that only the second has right: a score above that of the first."""
    lost: tuple[str, ...] = ()
    same_answer: int = 0
    """Of the shared rows: both gave the same answer, to the letter."""
    apart: int = 0
    """Rows of one id whose input or target is not the same in both: they are left out."""


class RunsCompared(Record):
    """What `ladder compare` finds."""

    first: str
    """The folder of the run."""
    second: str
    first_answer: str
    second_answer: str
    confidence: float
    changes: tuple[Change, ...]
    rungs: tuple[RungsCompared, ...]
