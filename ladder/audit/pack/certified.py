"""What a run certifies, and the least accuracy that it shows: nothing may be declared above it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ladder.evidence import Assessment, Attempt, Estimate

PARTS = 1000
"""A declared accuracy is a whole number of them, cut off and never rounded up."""


@dataclass(frozen=True)
class Certified:
    """The system that a run recommends, and its score on the held-out test set."""

    system: str
    """Its rung and description, or the control's name."""
    score: Estimate
    """On the held-out test examples; its low end is the certified lower bound."""
    verdict: str
    """Of the test set: pass or undecided."""

    @property
    def bound(self) -> float:
        """The certified lower bound of the gated score."""
        return float(self.score.low)


def certified(a: Assessment) -> Certified | None:
    """Return what a run certifies; None: no answer, or one that the test set refutes."""
    found = a.recommendation
    word = found.confirmed_verdict
    if found.confirmed is None or found.withheld or a.stopped or word not in ("pass", "undecided"):
        return None
    if found.rung is None and not found.control:
        return None
    chosen = a.chosen
    described = chosen.candidate.description if chosen and chosen.candidate else found.description
    name = f"{found.rung}: {described}" if found.rung else f"control: {described}"
    return Certified(name, found.confirmed, word)


def declared(bound: float) -> float:
    """Return what may be declared of a bound: cut off, so that it is never above it."""
    return min(math.floor(bound * PARTS) / PARTS, bound)  # the product may be rounded up


def bounds(a: Assessment) -> Mapping[str, float]:
    """Return the least value that a run shows of each metric, by the metric's name.

    Of the gated score it is that on the held-out test set, of another one that on the eval set.
    """
    known = {} if (it := certified(a)) is None else {a.task.scorer: it.bound}
    chosen = a.chosen
    if it is not None and chosen is not None and chosen.measurement is not None:
        known |= {name: one.low for name, one in chosen.measurement.others.items() if one.n}
    return known


def slices(attempt: Attempt | None) -> Mapping[str, Estimate]:
    """Return the scores of the kinds of rows; none where rows carry no kind."""
    return attempt.measurement.slices if attempt and attempt.measurement else {}


def level(a: Assessment) -> str:
    """Return the confidence of a run's intervals: `95 %`."""
    return f"{100 * float(a.task.gate['confidence'] or 0):g} %"
