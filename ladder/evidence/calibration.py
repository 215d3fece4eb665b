"""How far the chances of answers can be trusted, and what may be answered by them."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.measurement import VerdictWord
from ladder.evidence.values import Estimate, Record


class ReliabilityBin(Record):
    """Answers whose chances are alike."""

    chance: float
    """The mean of their chances."""
    right: Estimate
    """Share of them that is right."""


class Reliability(Record):
    """How far the chances that a system gives its labels are from how often it is right."""

    n: int
    brier: Estimate
    """Mean squared distance of the chance of the answer given from 1 (right) or 0 (wrong)."""
    ece: float
    """Expected calibration error, ten bins of equal width."""
    ece_low: float | None = None
    """Of its two-sided interval, by bootstrap; None in files written before."""
    ece_high: float | None = None
    ece_by_chance: float
    """What a perfectly calibrated system of so many rows stays below in 95 of 100 cases."""
    bins: tuple[ReliabilityBin, ...] = ()
    """Bins in which there are answers; empty in files written before."""


class Abstention(Record):
    """What can be answered at a certified error: chosen on the dev set, judged on the eval set."""

    error: float
    """Share of the answers given that may be wrong."""
    confidence: float
    dev_rows: int
    needed: int | None = None
    """Where there is no threshold: dev examples that it would take, as far as is known; None: none
    would, for the surest answers are wrong too often."""
    threshold: float | None = None
    """Chance, as the system gives it, from which an answer is given; None: nothing is certified."""
    share: Estimate | None = None
    """Of the eval examples: those that are answered."""
    wrong: Estimate | None = None
    """Of the answers given, those to out-of-scope inputs included: those that are wrong; None: none
    was given."""
    verdict: VerdictWord = "none"
    """Of the error on the eval set; `none`: no threshold, or none was answered."""
    beyond_rows: tuple[int, int] = (0, 0)
    """Out-of-scope inputs beside the dev and the eval examples: any answer to one is wrong."""
    beyond: Estimate | None = None
    """Of those beside the eval examples: answered all the same; None: there are none, or nothing
    is certified."""
    medians: tuple[float, float] | None = None
    """Of the probabilities of answers to eval examples, and to the out-of-scope inputs beside them;
    None: there are none of these."""


CalibrationMethod = Literal["none", "platt", "isotonic"]


class Calibration(Record):
    """Chances as a system gives them, and as they are once calibrated on the dev set."""

    method: CalibrationMethod
    """`none`: no method came nearer to what is right, cross-fitted on the dev set."""
    dev_rows: int
    """Dev examples with a chance and a score."""
    without: int = 0
    """Eval examples with a score and without a chance."""
    curve: tuple[tuple[float, float], ...] = ()
    """Chance as given -> calibrated, in straight lines between; empty: as it is."""
    before: Reliability
    """On the eval set, like `after`."""
    after: Reliability
    abstention: Abstention
