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
    so many rows is found by drawing rows that are right with just these chances. For the same
    reason an error drawn anew from these rows is too high: its interval is read from how far it
    moves (the basic bootstrap; Efron and Tibshirani, 1993, §13), not from where it lies.

    Args:
        chances: of the answers given, 0..1; at least one.
        right: whether each is right.
        confidence: of the intervals.
    """
    squares = [(chance - hit) ** 2 for chance, hit in zip(chances, right, strict=True)]
    given, hits = np.asarray(chances, dtype=float), np.asarray(right, dtype=bool)
    ece = calibration_error(chances, right)
    made, moved = _drawn_errors(given, hits)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(moved, [tail, 100 - tail])
    return Reliability(
        n=len(chances),
        brier=estimate(squares, confidence),
        ece=ece,
        ece_low=float(np.clip(2 * ece - high, 0.0, ece)),
        ece_high=float(np.clip(2 * ece - low, ece, 1.0)),
        ece_by_chance=float(np.percentile(made, AS_A_RULE)),
        bins=_bins(given, hits, confidence),
    )


def _drawn_errors(
    chances: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return calibration errors of rows that are right by their chances, and of rows drawn anew.

    The error is the sum over bins of the absolute gaps, so all draws of a block are one product.
    """
    n, draw = len(chances), np.random.default_rng(0)
    inside = np.equal.outer(_places(chances), np.arange(BINS)).astype(float)
    gaps = inside * (chances - right)[:, None]
    by_chance, moved = [], []
    for size in [BLOCK] * (DRAWS // BLOCK):
        off = chances - (draw.random((size, n)) < chances)
        by_chance.append(np.abs(off @ inside).sum(axis=1) / n)
        times = draw.multinomial(n, np.full(n, 1 / n), size=size)
        moved.append(np.abs(times @ gaps).sum(axis=1) / n)
    return np.concatenate(by_chance), np.concatenate(moved)


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
