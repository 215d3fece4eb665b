"""How far the chances that a candidate gives its labels are from how often it is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from ladder.evidence import Candidate, Reliability
from ladder.gate.bounds import estimate
from ladder.gate.judged import RIGHT_FROM
from ladder.inference.answer import prior_of
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Outcome
from ladder.retrieval.health import calibration_error

DRAWS = 1_000
AS_A_RULE = 95
"""Percentile of what chance alone does."""


def reliability(
    evaluator: Evaluator, candidate: Candidate, outcomes: Sequence[Outcome]
) -> Reliability | None:
    """Return the calibration of a candidate; None where its answers have no chances.

    The chance of an answer is the softmax of the labels' log-likelihoods, less the prior where the
    candidate has one. Answers that were voted for or asked again have none.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what answered.
        outcomes: its answers.
    """
    if candidate.votes > 1 or candidate.rewrite:
        return None
    scored = [o for o in outcomes if o.score is not None and o.completion.choice_logprobs]
    if not scored:
        return None
    prior = np.array(prior_of(evaluator, candidate) or 0.0)
    chances, right = [], []
    for outcome in scored:
        values = softmax(np.array(outcome.completion.choice_logprobs) - prior)
        greedy = outcome.completion.greedy_choice
        by_token = candidate.decoding == "constrained" and greedy is not None
        chances.append(float(values[greedy] if by_token else values.max()))
        right.append((outcome.score or 0.0) >= RIGHT_FROM)
    return measured(chances, right, evaluator.task.gate.confidence)


def measured(chances: Sequence[float], right: Sequence[bool], confidence: float) -> Reliability:
    """Return how far chances are from what came true. Pure.

    The expected calibration error is above 0 for a perfect system too: what chance alone makes of
    so many rows is found by drawing rows that are right with just these chances.
    """
    squares = [(chance - hit) ** 2 for chance, hit in zip(chances, right, strict=True)]
    draw = np.random.default_rng(0)
    made = [
        calibration_error(chances, list(draw.random(len(chances)) < np.asarray(chances)))
        for _ in range(DRAWS)
    ]
    return Reliability(
        n=len(chances),
        brier=estimate(squares, confidence),
        ece=calibration_error(chances, right),
        ece_by_chance=float(np.percentile(made, AS_A_RULE)),
    )
