"""Chances that mean something: corrected on the dev set, and measured on the eval set.

What is corrected is the chance of the answer that was given (top-label calibration; Gupta and
Ramdas, 2022): no answer changes. Platt scaling (1999) has two figures to learn, and is what few
examples can carry; isotonic regression (Zadrozny and Elkan, 2002) takes any rising form, and joins
from `ENOUGH_FOR_ISOTONIC` examples on. Which of them is taken, if any, the dev set says, each of
its parts corrected by what the others taught.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from ladder.evaluation.reliability import chances_of, measured
from ladder.evidence import Abstention, Calibration, CalibrationMethod, Candidate
from ladder.evidence.measurement import VerdictWord
from ladder.gate.bounds import estimate, lower_bound
from ladder.gate.certified import SAFEST, certify, holds, rows_needed
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Outcome
from ladder.retrieval.health import calibrated

ENOUGH_FOR_ISOTONIC = 200
LEAST_ROWS = 20
"""Dev examples from which a correction is learnt: a fold has two or more."""
FOLDS = 10
SURE = 1e-6
"""A chance is held this far from 0 and 1, where its logarithm ends."""
LOGITS = np.arange(-14.0, 14.25, 0.25)
"""Where the curve of Platt scaling is drawn."""
CERTIFIED_ERROR = 0.05
"""Share of the answers given that may be wrong."""

Curve = tuple[tuple[float, float], ...]
"""Chance as given -> calibrated, in straight lines between; empty: as it is."""
Beyond = tuple[Sequence[float], Sequence[float]]
"""Chances of answers to out-of-scope inputs, all of them wrong: beside dev, and beside eval."""
NONE_BEYOND: Beyond = ((), ())
Fit = Callable[[Sequence[float], Sequence[bool]], Curve]


def calibration(
    evaluator: Evaluator,
    candidate: Candidate,
    dev: Sequence[Outcome],
    outcomes: Sequence[Outcome],
    beyond: Beyond = NONE_BEYOND,
) -> Calibration | None:
    """Return what a candidate's chances are worth; None where its answers have none.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what answered.
        dev: its answers to dev examples.
        outcomes: its answers to eval examples.
        beyond: the chances of its answers to out-of-scope inputs.
    """
    chances, right = chances_of(evaluator, candidate, outcomes)
    if not np.isfinite(chances).any():
        return None
    on_dev = chances_of(evaluator, candidate, dev)
    confidence = evaluator.task.gate.confidence
    return calibration_of(on_dev, (chances, right), confidence, beyond=beyond)


def calibration_of(
    dev: tuple[Sequence[float], Sequence[bool]],
    unseen: tuple[Sequence[float], Sequence[bool]],
    confidence: float,
    error: float = CERTIFIED_ERROR,
    beyond: Beyond = NONE_BEYOND,
) -> Calibration:
    """Return what chances are worth before and after, and what may be answered by them. Pure.

    They are corrected, and their error is told, by what has a label; what may be answered is
    chosen and judged with the out-of-scope inputs among the rest.

    Args:
        dev: the chance of each dev answer, NaN where it has none, and whether it is right.
        unseen: the same of eval answers; at least one has a chance.
        confidence: of intervals, and of what is certified.
        error: share of the answers given that may be wrong.
        beyond: the chances of answers to out-of-scope inputs.
    """
    known, (chances, right) = _known(*dev), _known(*unseen)
    method, curve = fitted(*known)
    before = measured(chances, right, confidence)
    after = measured(applied(curve, chances), right, confidence) if curve else before
    return Calibration(
        method=method,
        dev_rows=len(known[0]),
        without=len(unseen[0]) - len(chances),
        curve=curve,
        before=before,
        after=after,
        abstention=abstention(dev, unseen, confidence, error, beyond),
    )


def fitted(chances: Sequence[float], right: Sequence[bool]) -> tuple[CalibrationMethod, Curve]:
    """Return the correction with the lowest Brier score, cross-fitted; none where none lowers it.

    Args:
        chances: of dev answers, 0..1.
        right: whether each is right.
    """
    if len(chances) < LEAST_ROWS:
        return "none", ()
    ways: dict[CalibrationMethod, Fit] = {"platt": platt}
    if len(chances) >= ENOUGH_FOR_ISOTONIC:
        ways["isotonic"] = isotonic
    best: CalibrationMethod = "none"
    least = _brier(chances, right)
    for name, fit in ways.items():
        found = _brier(cross_fitted(fit, chances, right), right)
        if found < least:
            best, least = name, found
    return best, ways[best](chances, right) if best != "none" else ()


def cross_fitted(fit: Fit, chances: Sequence[float], right: Sequence[bool]) -> list[float]:
    """Return each chance corrected by what the rows of the other folds taught."""
    given, hits = np.asarray(chances, dtype=float), np.asarray(right, dtype=bool)
    fold = np.random.default_rng(0).permutation(len(given)) % FOLDS
    corrected = np.empty(len(given))
    for number in range(min(FOLDS, len(given))):
        out = fold == number
        curve = fit(list(given[~out]), list(hits[~out]))
        corrected[out] = applied(curve, list(given[out]))
    return [float(chance) for chance in corrected]


def applied(curve: Curve, chances: Sequence[float]) -> list[float]:
    """Return chances corrected by a curve."""
    if not curve:
        return list(chances)
    given, corrected = zip(*curve, strict=True)
    return [float(chance) for chance in np.interp(chances, given, corrected)]


def platt(chances: Sequence[float], right: Sequence[bool]) -> Curve:
    """Fit a rising logistic curve on the logit of the chance (Platt, 1999; Lin et al., 2007).

    The rows right and wrong are aimed at somewhat less than 1 and more than 0, so that rows that
    are all right do not make one certain.
    """
    hits = int(np.sum(right))
    misses = len(right) - hits
    aim = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    given = _logits(chances)

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        values = line[0] * given + line[1]
        off = expit(values) - aim
        value = float(np.mean(np.logaddexp(0, values) - aim * values))
        return value, np.array([np.mean(off * given), np.mean(off)])

    line = minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[(0, None), (None, None)]).x
    return _curve(list(expit(LOGITS)), list(expit(line[0] * LOGITS + line[1])))


def isotonic(chances: Sequence[float], right: Sequence[bool]) -> Curve:
    """Fit a curve that never falls."""
    levels = [float(level) for level in np.unique(chances)]
    return _curve(levels, calibrated(chances, right, levels))


def _curve(given: Sequence[float], corrected: Sequence[float]) -> Curve:
    """Return the points of a curve, less those that lie within a flat piece."""
    points = [
        (round(float(x), 7), round(float(y), 7)) for x, y in zip(given, corrected, strict=True)
    ]
    last = len(points) - 1
    return tuple(
        point
        for at, point in enumerate(points)
        if at in (0, last) or not points[at - 1][1] == point[1] == points[at + 1][1]
    )


def _logits(chances: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(chances, SURE, 1 - SURE)))


def _brier(chances: Sequence[float], right: Sequence[bool]) -> float:
    return fmean((chance - hit) ** 2 for chance, hit in zip(chances, right, strict=True))


def _known(chances: Sequence[float], right: Sequence[bool]) -> tuple[list[float], list[bool]]:
    """Return the rows that have a chance."""
    pairs = [(c, hit) for c, hit in zip(chances, right, strict=True) if np.isfinite(c)]
    return [chance for chance, _ in pairs], [hit for _, hit in pairs]


def _medians(within: Sequence[float], beyond: Sequence[float]) -> tuple[float, float] | None:
    """Return the median chance in scope and out of it; None where either has none."""
    known = [[c for c in chances if np.isfinite(c)] for chances in (within, beyond)]
    return (median(known[0]), median(known[1])) if all(known) else None


def abstention(
    dev: tuple[Sequence[float], Sequence[bool]],
    unseen: tuple[Sequence[float], Sequence[bool]],
    confidence: float,
    error: float = CERTIFIED_ERROR,
    beyond: Beyond = NONE_BEYOND,
) -> Abstention:
    """Return what can be answered at a certified error: chosen on dev, judged on eval. Pure.

    The chances are those that the system gives: what corrects them learnt from the same dev
    examples, and the threshold may not know of right and wrong before it is tested. Out-of-scope
    inputs stand among both, as they will among the inputs to come: an answer to one is wrong.
    """
    rows = (len(beyond[0]), len(beyond[1]))
    found = partial(
        Abstention,
        error=error,
        confidence=confidence,
        dev_rows=len(dev[0]),
        beyond_rows=rows,
        medians=_medians(unseen[0], beyond[1]),
    )
    chosen = [*dev[0], *beyond[0]], [*dev[1], *(False for _ in beyond[0])]
    certified = certify(*chosen, error, confidence)
    if certified is None:
        return found(needed=_needed(*chosen, error, confidence))
    chances, right = unseen
    given = np.asarray(chances, dtype=float) >= certified.threshold  # false of NaN
    astray = np.asarray(beyond[1], dtype=float) >= certified.threshold
    wrong = [float(not hit) for hit, is_given in zip(right, given, strict=True) if is_given]
    wrong += [1.0] * int(astray.sum())
    return found(
        threshold=certified.threshold,
        share=estimate(list(given.astype(float)), confidence),
        wrong=estimate(wrong, confidence) if wrong else None,
        verdict=_judged(wrong, error, confidence),
        beyond=estimate(list(astray.astype(float)), confidence) if rows[1] else None,
    )


def _judged(wrong: Sequence[float], error: float, confidence: float) -> VerdictWord:
    """Judge the error of answers: both sides by the exact binomial bound."""
    if not wrong:
        return "none"
    if holds(int(sum(wrong)), len(wrong), error, confidence):
        return "pass"
    return "fail" if lower_bound(wrong, 1 - confidence) > error else "undecided"


def _needed(
    chances: Sequence[float], right: Sequence[bool], error: float, confidence: float
) -> int | None:
    """Return the dev examples that would certify the surest answers, if they are as good as seen.

    None: the surest are wrong too often for any number of examples, as far as is known.
    """
    least = rows_needed(0.0, error, confidence)
    known, hits = _known(chances, right)
    if least is None or len(known) < least:
        return least
    surest = np.argsort(-np.asarray(known), kind="stable")[: max(least, int(SAFEST * len(known)))]
    rows = rows_needed(fmean(not hits[at] for at in surest), error, confidence)
    return None if rows is None else math.ceil(rows * len(chances) / len(surest))
