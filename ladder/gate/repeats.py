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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
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
    """A prompt's answers, those of before first."""

    before: int
    now: int
    statistic: Callable[[Floats], Floats]
    """Weights (draws, answers) -> the statistic of each draw."""


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
            values = _imputed([*old, *new])
            prompts.append(_Prompt(len(old), len(new), _mean_gaps(values)))
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
            kernel = _hamming([*old, *new])
            effects.append(_unbiased(kernel, len(old)))
            prompts.append(_Prompt(len(old), len(new), _quadratic(kernel)))
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


def _mean_gaps(values: Floats) -> Callable[[Floats], Floats]:
    def statistic(weights: Floats) -> Floats:
        gaps: Floats = np.abs(weights @ values).mean(axis=1)
        return gaps

    return statistic


def _quadratic(kernel: Floats) -> Callable[[Floats], Floats]:
    def statistic(weights: Floats) -> Floats:
        found: Floats = np.einsum("ij,ij->i", weights @ kernel, weights)
        return found

    return statistic


def _hamming(texts: Sequence[str]) -> Floats:
    """Return the kernel (texts, texts): the share of places with the same character."""
    distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    small = np.array([[_alike(one, other) for other in distinct] for one in distinct])
    at = [distinct[text] for text in texts]
    kernel: Floats = small[np.ix_(at, at)]
    return kernel


def _alike(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return sum(a == b for a, b in zip(one, other, strict=False)) / longest if longest else 1.0


def _unbiased(kernel: Floats, before: int) -> float:
    """Return half the unbiased squared MMD; a side of one text is like itself."""
    within = [
        (part.sum() - np.trace(part)) / (len(part) * (len(part) - 1)) if len(part) > 1 else 1.0
        for part in (kernel[:before, :before], kernel[before:, before:])
    ]
    return float(sum(within) / 2 - kernel[:before, before:].mean())


def _permuted(prompts: Sequence[_Prompt], error: float, seed: int) -> tuple[float, float]:
    """Return the sum of the prompts' statistics, and its p-value."""
    draw = np.random.default_rng(seed)
    weights = [np.r_[np.full(p.before, -1 / p.before), np.full(p.now, 1 / p.now)] for p in prompts]
    observed = _total(prompts, [each[None] for each in weights])[0]
    if observed <= ROUNDING:
        return 0.0, 1.0
    most = min(MOST_DRAWN, math.ceil(4 / max(error, 1e-12)))
    drawn = as_large = 0
    while drawn < most and as_large < AS_LARGE:
        count = AT_ONCE if drawn else FIRST
        many = [draw.permuted(np.tile(each, (count, 1)), axis=1) for each in weights]
        as_large += int((_total(prompts, many) >= observed * (1 - ROUNDING)).sum())
        drawn += count
    return float(observed), (1 + as_large) / (drawn + 1)


def _total(prompts: Sequence[_Prompt], weights: Sequence[Any]) -> Floats:
    total: Floats = np.sum([p.statistic(w) for p, w in zip(prompts, weights, strict=True)], axis=0)
    return total
