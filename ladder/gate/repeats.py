"""Do answers to the same prompts, each asked several times, still come from one model? Pure.

The null is that a prompt's answers of both sides are draws of one distribution, so that they may be
exchanged: the statistic is set beside that of permutations within each prompt. Two statistics: the
distance of mean log-probabilities, and the maximum mean discrepancy of texts.

Sources: mean log-probability of each token of the first place, Log Probability Tracking (arXiv
2512.03816); MMD with the Hamming kernel on characters, permuted within the prompt, Model Equality
Testing (arXiv 2410.20247); p-values that count the observed one, Phipson and Smyth (2010);
permutations that end early, Besag and Clifford, Biometrika 78 (1991).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
FIRST, AT_ONCE = 200, 2_000
"""Permutations drawn together, at first and from then on: most looks end with the first."""
AS_LARGE = 20
"""So many permuted statistics as large as the observed one end the drawing: it is no alarm."""
MOST_DRAWN = 400_000
ROUNDING = 1e-9


class Distance(NamedTuple):
    """How far two sides are from each other."""

    effect: float
    """Of log-probabilities nats; of texts 0 (the same) to 1 (never alike)."""
    p: float


class _Prompt(NamedTuple):
    """A prompt's statistic, and how it is had of the same answers exchanged between the sides."""

    observed: float
    permuted: Callable[[np.random.Generator, int], Floats]
    """So many permutations -> the statistic of each."""


def logprob_distance(
    before: Sequence[Sequence[Mapping[str, float]]],
    now: Sequence[Sequence[Mapping[str, float]]],
    error: float,
    seed: int = 0,
) -> Distance:
    """Compare first-token log-probabilities, of which an answer tells the likeliest tokens alone.

    A token that an answer does not tell is no likelier than the least likely one that it tells.

    Args:
        before: prompt -> answer -> token -> log-probability, nats.
        now: of the same prompts, in the same order.
        error: that an alarm may spend: so many permutations are drawn that p can be below it.
        seed: of the permutations.

    Returns:
        the mean distance of a token's mean log-probability; a p-value.
    """
    prompts = []
    for old, new in zip(before, now, strict=True):
        if old and new:
            prompts.append(_of_values(len(old), len(new), _imputed([*old, *new])))
    if not prompts:
        return Distance(0.0, 1.0)
    observed, p = _permuted(prompts, error, seed)
    return Distance(observed / len(prompts), p)


def text_distance(
    before: Sequence[Sequence[str]], now: Sequence[Sequence[str]], error: float, seed: int = 0
) -> Distance:
    """Compare texts that a model wrote, by the share of characters that are alike place by place.

    Args:
        before: prompt -> texts.
        now: of the same prompts, in the same order.
        error: that an alarm may spend.
        seed: of the permutations.

    Returns:
        half the unbiased MMD, squared, as a mean over the prompts; a p-value.
    """
    prompts, effects = [], []
    for old, new in zip(before, now, strict=True):
        if old and new:
            distinct = [*dict.fromkeys([*old, *new])]
            kernel = np.array([[_alike(one, other) for other in distinct] for one in distinct])
            counts = [np.array([side.count(text) for text in distinct]) for side in (old, new)]
            effects.append(_unbiased(kernel, *counts))
            prompts.append(_of_texts(kernel, *counts))
    if not prompts:
        return Distance(0.0, 1.0)
    _, p = _permuted(prompts, error, seed)
    return Distance(max(0.0, math.fsum(effects) / len(effects)), p)


def _imputed(answers: Sequence[Mapping[str, float]]) -> Floats:
    """Return log-probabilities (answers, tokens)."""
    tokens = sorted({token for answer in answers for token in answer})
    least = [min(answer.values(), default=0.0) for answer in answers]
    rows = [
        [answer.get(token, low) for token in tokens]
        for answer, low in zip(answers, least, strict=True)
    ]
    return np.array(rows, dtype=float)


def _of_values(before: int, now: int, values: Floats) -> _Prompt:
    """Return the prompt whose answers are values: (answers, tokens), those of before first."""
    weights = np.r_[np.full(before, -1 / before), np.full(now, 1 / now)]

    def statistic(each: Floats) -> Floats:
        gaps: Floats = np.abs(each @ values).mean(axis=1)
        return gaps

    def permuted(draw: np.random.Generator, count: int) -> Floats:
        return statistic(draw.permuted(np.tile(weights, (count, 1)), axis=1))

    return _Prompt(float(statistic(weights[None])[0]), permuted)


def _of_texts(kernel: Floats, before: Counts, now: Counts) -> _Prompt:
    """Return the prompt whose answers are so many of each text.

    Which of two equal texts is on which side is all the same: their numbers are drawn, at once.
    """
    every, old, new = before + now, int(before.sum()), int(now.sum())

    def statistic(each: Counts) -> Floats:
        weights = each / new - (every - each) / old
        found: Floats = np.einsum("ij,ij->i", weights @ kernel, weights)
        return found

    def permuted(draw: np.random.Generator, count: int) -> Floats:
        return statistic(draw.multivariate_hypergeometric(every, new, count, method="marginals"))

    return _Prompt(float(statistic(now[None])[0]), permuted)


def _alike(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return sum(a == b for a, b in zip(one, other, strict=False)) / longest if longest else 1.0


def _unbiased(kernel: Floats, before: Counts, now: Counts) -> float:
    """Return half the unbiased squared MMD; a side of one text is like itself."""
    within = [
        (side @ kernel @ side - side.sum()) / (side.sum() * (side.sum() - 1))
        if side.sum() > 1
        else 1.0
        for side in (before, now)
    ]
    return float(sum(within) / 2 - before @ kernel @ now / (before.sum() * now.sum()))


def _permuted(prompts: Sequence[_Prompt], error: float, seed: int) -> tuple[float, float]:
    """Return the sum of the prompts' statistics, and its p-value."""
    draw = np.random.default_rng(seed)
    observed = math.fsum(prompt.observed for prompt in prompts)
    if observed <= ROUNDING:
        return 0.0, 1.0
    most = min(MOST_DRAWN, math.ceil(4 / max(error, 1e-12)))
    drawn = as_large = 0
    while drawn < most and as_large < AS_LARGE:
        count = AT_ONCE if drawn else FIRST
        total = np.sum([prompt.permuted(draw, count) for prompt in prompts], axis=0)
        as_large += int((total >= observed * (1 - ROUNDING)).sum())
        drawn += count
    return observed, (1 + as_large) / (drawn + 1)
