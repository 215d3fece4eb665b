"""How far the chances that a candidate gives its labels are from how often it is right."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ladder.evidence import Candidate, Reliability, ReliabilityBin
from ladder.gate.bounds import estimate
from ladder.gate.judged import RIGHT_FROM
from ladder.inference.answer import prior_of
from ladder.inference.chances import chance
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Outcome
from ladder.retrieval.health import BINS, calibration_error

DRAWS, BLOCK = 1_000, 100
"""Draws in all, and at a time."""
AS_A_RULE = 95
"""Percentile of what chance alone does."""


def reliability(
    evaluator: Evaluator, candidate: Candidate, outcomes: Sequence[Outcome]
) -> Reliability | None:
    """Return the calibration of a candidate; None where its answers have no chances.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what answered.
        outcomes: its answers.
    """
    chances, right = chances_of(evaluator, candidate, outcomes)
    known = np.isfinite(chances)
    if not known.any():
        return None
    confidence = evaluator.task.gate.confidence
    return measured(
        [chance for chance, there in zip(chances, known, strict=True) if there],
        [hit for hit, there in zip(right, known, strict=True) if there],
        confidence,
    )


def chances_of(
    evaluator: Evaluator, candidate: Candidate, outcomes: Sequence[Outcome]
) -> tuple[list[float], list[bool]]:
    """Return the chance of each answer that has a score, and whether it is right.

    The chance is the softmax of the labels' log-likelihoods, less the prior where the candidate has
    one, or what a classifier says itself. NaN: there is none. Answers that were voted for or asked
    again have none.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what answered.
        outcomes: its answers.
    """
    scored = [outcome for outcome in outcomes if outcome.score is not None]
    right = [(outcome.score or 0.0) >= RIGHT_FROM for outcome in scored]
    told = candidate.votes <= 1 and not candidate.rewrite
    if not told or all(_is_mute(outcome) for outcome in scored):
        return [math.nan] * len(scored), right
    prior = prior_of(evaluator, candidate)
    chances = (chance(candidate, outcome.completion, prior) for outcome in scored)
    return [math.nan if known is None else known for known in chances], right


def _is_mute(outcome: Outcome) -> bool:
    return not outcome.completion.choice_logprobs and outcome.completion.chance is None


def measured(chances: Sequence[float], right: Sequence[bool], confidence: float) -> Reliability:
    """Return how far chances are from what came true. Pure.

    The expected calibration error is above 0 for a perfect system too: what chance alone makes of
    so many rows is found by drawing rows that are right with just these chances. It is off by at
    most what the shares of right answers in its bins are off, taken together (the triangle
    inequality), and that is drawn too: so its interval holds in at least so many of 100 cases.

    Args:
        chances: of the answers given, 0..1; at least one.
        right: whether each is right.
        confidence: of the intervals.
    """
    squares = [(chance - hit) ** 2 for chance, hit in zip(chances, right, strict=True)]
    given, hits = np.asarray(chances, dtype=float), np.asarray(right, dtype=bool)
    ece = calibration_error(chances, right)
    off = _off(given, hits, confidence)
    return Reliability(
        n=len(chances),
        brier=estimate(squares, confidence),
        ece=ece,
        ece_low=max(0.0, ece - off),
        ece_high=min(1.0, ece + off),
        ece_by_chance=_by_chance(given),
        bins=_bins(given, hits, confidence),
    )


def _by_chance(chances: NDArray[np.float64]) -> float:
    """Return the calibration error that rows which are right by their chances stay below.

    The error is the sum over bins of the absolute gaps, so all draws of a block are one product.
    """
    n, draw = len(chances), np.random.default_rng(0)
    inside = np.equal.outer(_places(chances), np.arange(BINS)).astype(float)
    made = []
    for size in [BLOCK] * (DRAWS // BLOCK):
        gaps = chances - (draw.random((size, n)) < chances)
        made.append(np.abs(gaps @ inside).sum(axis=1) / n)
    return float(np.percentile(np.concatenate(made), AS_A_RULE))


def _off(chances: NDArray[np.float64], right: NDArray[np.bool_], confidence: float) -> float:
    """Return how far the calibration error of such rows is off, at most, at this confidence.

    Each bin is drawn with its own share of right answers, two right and two wrong added to it
    (Agresti and Coull, 1998): else a bin that was always right would never be off.
    """
    places = _places(chances)
    rows = np.bincount(places, minlength=BINS)
    shares = (np.bincount(places, weights=right, minlength=BINS) + 2) / (rows + 4)
    drawn = np.random.default_rng(0).binomial(rows, shares, size=(DRAWS, BINS))
    off = np.abs(drawn - rows * shares).sum(axis=1) / len(chances)
    return float(np.percentile(off, 100 * confidence))


def _places(chances: NDArray[np.float64]) -> NDArray[np.int_]:
    """Return the bin of each chance."""
    return np.minimum((chances * BINS).astype(np.int_), BINS - 1, dtype=np.int_)


def _bins(
    chances: NDArray[np.float64], right: NDArray[np.bool_], confidence: float
) -> tuple[ReliabilityBin, ...]:
    """Return the bins that the expected calibration error is an average over."""
    place = _places(chances)
    return tuple(
        ReliabilityBin(
            chance=float(chances[place == number].mean()),
            right=estimate(list(right[place == number].astype(float)), confidence),
        )
        for number in np.unique(place)
    )
