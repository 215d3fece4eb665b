"""Why a candidate did not pass, and which changes helped."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.measurement import Comparison
from ladder.evidence.values import Asked, Estimate, Record
from ladder.task import RungName

Gap = Literal["context", "skill", "cost"]
"""What a failed rung lacks: what the model is given, what it can do, or cost and latency alone."""

CauseName = Literal[
    "format",
    "missing",
    "labels",
    "skill",
    "knowledge",
    "retrieval",
    "redundancy",
    "ranking",
    "distraction",
    "position",
    "harm",
    "routing",
    "context",
    "cost",
    "latency",
]


class Cause(Record):
    """One reason for wrong answers."""

    name: CauseName
    share: float
    """Of the wrong answers."""
    recoverable: Estimate | None = None
    """The score had the rows of this cause been right."""
    sample_ids: tuple[str, ...] = ()
    sentence: str


class Diagnosis(Record):
    """Why a rung did not pass, and what would fix it."""

    FORMER = {"arms": "ablations", "untold": "unresolved"}

    causes: tuple[Cause, ...]
    refuses: tuple[RungName, ...] = ()
    """Rungs that cannot fix these causes."""
    sentence: str
    ablations: dict[str, Estimate] = {}
    """Ablation -> score of the same rows with one thing changed."""
    unresolved: tuple[str, ...] = ()
    """What could not be told apart, and why."""
    asked: Asked = Asked()
    """What the ablations took, of which nothing was kept from before."""


class Fix(Record):
    """A change that an ablation showed to help, tried on the rows that choose."""

    cause: CauseName
    change: str
    """What was changed, in a few words."""
    on_dev: Comparison
    """Against the system without the change; p adjusted for all the changes that were tried."""
    unseen: Comparison | None = None
    """The same on rows that chose nothing."""
    tokens: tuple[float, float]
    """Mean prompt tokens without and with the change."""
    kept: bool


class ContextCosts(Record):
    """What reading more costs, on rows whose right document is known."""

    rows: int
    texts: int
    """Handed over in the split, the right document among them."""
    curve: dict[int, Estimate]
    """Texts handed over -> score."""
    knee: int
    """The fewest texts within one standard error of the best."""
    alone: Estimate
    """The right document and nothing else."""
    split: dict[str, Estimate]
    """What stands beside it, and where it stands -> score."""
    length: Comparison
    """Alone, against beside filler."""
    distraction: Comparison
    """Beside filler, against beside real texts."""
    position: Comparison
    """In the best place, against in the worst; beside real texts."""
