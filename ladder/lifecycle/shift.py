"""Do recent inputs differ from those that an answer was certified on? Two-sample tests. Pure.

Each question has a test of a level that holds at any number of rows, and an effect that says how
much: at many rows a p-value finds shifts too small to matter, at few rows an effect is noise. What
is found needs both. The tests are fixed: one that is chosen by the data has no level.

Sources: MMD with a permutation null, Gretton et al., JMLR 13 (2012); its share of the distance,
Szekely and Rizzo, J. Stat. Plan. Inference 143 (2013), section 6; the classifier as a test,
Lopez-Paz and Oquab, ICLR 2017; p-values that count the observed one, Phipson and Smyth (2010);
permutations that end early, Besag and Clifford, Biometrika 78 (1991).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, mannwhitneyu

from ladder.gate.paired import holm
from ladder.language.stems import nearest_language
from ladder.language.words import comparable, count_words, search_terms

Vectors = NDArray[np.floating]
FIRST, AT_ONCE = 200, 2_000
"""Permutations drawn together, at first and from then on: most tests end with the first."""
MOST_WEIGHTS = 4_000_000
"""Of permutations drawn together: 32 MB."""
AS_LARGE = 20
"""So many permuted statistics as large as the observed one end the drawing: it is no alarm."""
MOST_ROWS = 1_000
"""Of either side in the test of vectors, whose time and memory grow with their square."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    inputs: tuple[str, ...]
    labels: tuple[str, ...] = ()
    """Of each input its target, empty where it has none; or of no input."""
    vectors: Vectors | None = None
    """(inputs, dimension); None: there is no embedding model."""
    groups: tuple[Hashable, ...] = ()
    """Of each input whose evidence it is: rows of one conversation count once. None: its own."""

    @cached_property
    def units(self) -> NDArray[np.int64]:
        """Return of each input the number of its group, in the order of sight."""
        order: dict[Hashable, int] = {}
        groups = self.groups or range(len(self.inputs))
        return np.array([order.setdefault(group, len(order)) for group in groups])

    def by_unit(self, values: Vectors, only: NDArray[np.bool_] | None = None) -> Vectors:
        """Return the mean of each group's values, of groups that have any.

        Args:
            values: (inputs,) or (inputs, dimension).
            only: the inputs that have a value.
        """
        has = np.ones(len(self.inputs), bool) if only is None else only
        units, values = self.units[has], values[has]
        counts = np.bincount(units, minlength=self.units.max() + 1)
        if counts.max() == 1:  # no groups: units are numbered in the order of sight
            return values.astype(float)
        sums = np.zeros((len(counts), *values.shape[1:]))
        np.add.at(sums, units, values)
        there = counts > 0
        means: Vectors = (sums[there].T / counts[there]).T
        return means


@dataclass(frozen=True)
class Found:
    """What one test found."""

    name: str
    effect: float
    least: float
    """Smaller effects are no alarm, however sure they are."""
    p: float
    p_holm: float = 1.0
    """Over all tests of the look."""
    alarms: bool = False
    """The shift is large enough, and no chance."""


@dataclass(frozen=True)
class Permutations:
    """Permutations of which side a unit is on, as many as a level needs."""

    draw: np.random.Generator
    most: int

    def test(
        self, left: int, right: int, statistic: Callable[[Vectors], Vectors]
    ) -> tuple[float, float]:
        """Return a statistic of two sides, and the chance of one at least as large (p-value).

        Args:
            left: units of one side.
            right: units of the other.
            statistic: weights of all units, the left ones first (permutations, units), 1 / left or
                -1 / right each -> a value for each permutation.
        """
        weights = np.array([1 / left] * left + [-1 / right] * right)
        seen = float(statistic(weights[None])[0])
        drawn = larger = 0
        while drawn < self.most:
            count = min(AT_ONCE if drawn else FIRST, self.most - drawn)
            count = min(count, max(1, MOST_WEIGHTS // (left + right)))
            permuted = self.draw.permuted(np.tile(weights, (count, 1)), axis=1)
            at = np.flatnonzero(statistic(permuted) >= seen - 1e-12)[: AS_LARGE - larger]
            larger += len(at)
            if larger == AS_LARGE:
                return seen, AS_LARGE / (drawn + int(at[-1]) + 1)
            drawn += count
        return seen, (1 + larger) / (1 + drawn)


Result = tuple[float, float] | None
"""Effect and p; None: there is nothing to compare."""
Test = Callable[[Side, Side, Permutations], Result]
"""(reference, recent, permutations) -> its result."""


def shifts(reference: Side, recent: Side, error: float = 0.05, seed: int = 0) -> list[Found]:
    """Return what every test finds, with p-values adjusted over all of them (Holm).

    Args:
        reference: what was certified.
        recent: what came since.
        error: chance that any of them is an alarm where nothing has changed.
        seed: of the permutations.
    """
    most = math.ceil(2 * len(TESTS) / error)
    found = []
    for number, (name, (test, least)) in enumerate(TESTS.items()):
        told = test(reference, recent, Permutations(np.random.default_rng([seed, number]), most))
        if told is not None:
            found.append(Found(name, told[0], least, told[1]))
    adjusted = holm([each.p for each in found])
    return [
        replace(each, p_holm=p, alarms=each.effect >= each.least and p <= error)
        for each, p in zip(found, adjusted, strict=True)
    ]


def by_embedding(reference: Side, recent: Side, draws: Permutations) -> Result:
    """Compare vectors: MMD with a Gaussian kernel as wide as the median distance.

    The effect is the share of the mean distance between the sides that is no distance within them:
    0 for one distribution, 1 for two points apart.
    """
    if reference.vectors is None or recent.vectors is None:
        return None
    left = _some(reference.by_unit(reference.vectors), draws.draw)
    right = _some(recent.by_unit(recent.vectors), draws.draw)
    kernel = _kernel(np.vstack([left, right]).astype(np.float64))
    n, m = len(left), len(right)

    def discrepancy(weights: Vectors) -> Vectors:
        found: Vectors = np.einsum("ij,ij->i", weights, weights @ kernel)
        return found

    _, p = draws.test(n, m, discrepancy)
    between = 1 - kernel[:n, n:].mean()
    within = (_apart(kernel[:n, :n]) + _apart(kernel[n:, n:])) / 2
    effect = max(0.0, 1 - within / between) if between > 0 else 0.0
    return effect, p


def _some(vectors: Vectors, draw: np.random.Generator) -> Vectors:
    if len(vectors) <= MOST_ROWS:
        return vectors
    return vectors[np.sort(draw.choice(len(vectors), MOST_ROWS, replace=False))]


def _kernel(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = np.square(vectors).sum(1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T, 0.0)
    width = float(np.median(distances[np.triu_indices(len(vectors), 1)]))
    kernel: NDArray[np.float64] = np.exp(-distances / (width or 1.0))
    return kernel


def _apart(kernel: NDArray[np.float64]) -> float:
    """Return the mean distance of two different rows of one side."""
    n = len(kernel)
    return float(1 - (kernel.sum() - np.trace(kernel)) / (n * (n - 1))) if n > 1 else 0.0


def by_classifier(reference: Side, recent: Side, draws: Permutations) -> Result:
    """Ask a classifier of vectors which side a row is from; the effect is its held-out AUC."""
    told = _told_apart(reference, recent)
    if told is None:
        return None
    halves, scores, new = told
    areas, chances = [], []
    for half in (0, 1):
        mine = halves == half
        right, left = scores[mine & new], scores[mine & ~new]
        test = mannwhitneyu(right, left, alternative="greater")
        areas.append(float(test.statistic) / (len(right) * len(left)))
        chances.append(float(test.pvalue))
    # The two halves are not independent: twice the smaller p holds all the same (Bonferroni).
    return float(np.mean(areas)), min(1.0, 2 * min(chances))


def newness(reference: Side, recent: Side) -> NDArray[np.float64] | None:
    """Return of each recent row how surely it, or its group, is none of the reference's."""
    told = _told_apart(reference, recent)
    if told is None:
        return None
    _, scores, new = told
    found: NDArray[np.float64] = scores[new][recent.units]
    return found


def _told_apart(
    reference: Side, recent: Side
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]] | None:
    """Return of every group its half, how surely it is a recent one, and whether it is.

    Each half is judged by a classifier that learnt the other; equal texts are in one half.
    """
    from sklearn.linear_model import LogisticRegression

    if reference.vectors is None or recent.vectors is None:
        return None
    sides = (reference, recent)
    vectors = np.vstack([side.by_unit(np.asarray(side.vectors)) for side in sides])
    new = np.arange(len(vectors)) > reference.units.max()
    halves = _halves([text for side in sides for text in _first_texts(side)])
    scores = np.zeros(len(vectors))
    for half in (0, 1):
        learnt, judged = halves != half, halves == half
        if len(set(new[learnt])) < 2 or len(set(new[judged])) < 2:
            return None
        model = LogisticRegression(class_weight="balanced", max_iter=1_000)
        model.fit(vectors[learnt], new[learnt])
        scores[judged] = model.decision_function(vectors[judged])
    return halves, scores, new


def _first_texts(side: Side) -> list[str]:
    first: dict[int, str] = {}
    for unit, text in zip(side.units.tolist(), side.inputs, strict=True):
        first.setdefault(unit, text)
    return list(first.values())


def _halves(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return 0 or 1 for each text, equal ones alike: every second one in the order of sight."""
    order: dict[str, int] = {}
    return np.array([order.setdefault(comparable(text), len(order)) % 2 for text in texts])


def by_length(reference: Side, recent: Side, draws: Permutations) -> Result:
    """Compare how many words inputs have (Kolmogorov-Smirnov; the effect is its distance)."""
    sides = (reference, recent)
    left, right = (side.by_unit(_each(count_words, side.inputs)) for side in sides)
    test = ks_2samp(left, right, method="asymp")  # one method at any number of rows
    return float(test.statistic), float(test.pvalue)


def by_vocabulary(reference: Side, recent: Side, draws: Permutations) -> Result:
    """Compare the share of a row's words that half of the reference does not have.

    The effect is the difference of the mean shares, of recent rows and of the other half's.
    """
    first = _halves(_first_texts(reference))[reference.units] == 0
    words = [search_terms(text, str) for text in reference.inputs]
    known = {word for mine, row in zip(first, words, strict=True) if mine for word in row}
    if first.all() or not known:
        return None
    left = reference.by_unit(_each(lambda row: _unknown(row, known), words), ~first)
    theirs = [search_terms(text, str) for text in recent.inputs]
    right = recent.by_unit(_each(lambda row: _unknown(row, known), theirs))
    test = mannwhitneyu(right, left, alternative="greater")
    return max(0.0, float(np.mean(right) - np.mean(left))), float(test.pvalue)


def _each(count: Callable[[Any], float], values: Sequence[Any]) -> NDArray[np.float64]:
    return np.array([count(value) for value in values], dtype=float)


def _unknown(words: Sequence[str], known: set[str]) -> float:
    return sum(word not in known for word in words) / len(words) if words else 0.0


def by_label(reference: Side, recent: Side, draws: Permutations) -> Result:
    """Compare the shares of the targets, of rows that have one."""
    if not any(reference.labels) or not any(recent.labels):
        return None
    return _shares(reference, recent, (reference.labels, recent.labels), draws)


def by_language(reference: Side, recent: Side, draws: Permutations) -> Result:
    """Compare the shares of scripts and languages, each row's nearest."""
    left, right = ([nearest_language(t) for t in side.inputs] for side in (reference, recent))
    return _shares(reference, recent, (left, right), draws)


def _shares(
    reference: Side,
    recent: Side,
    names: tuple[Sequence[str], Sequence[str]],
    draws: Permutations,
) -> tuple[float, float]:
    """Return the total variation distance of two samples' shares, and its permutation p.

    Args:
        reference: one side.
        recent: the other.
        names: of each row of either side what it is; empty: not known.
        draws: as many as the level needs.
    """
    there = sorted({name for side in names for name in side if name})
    left, right = (
        side.by_unit(_one_hot(found, there), np.array([bool(name) for name in found]))
        for side, found in zip((reference, recent), names, strict=True)
    )
    shares = np.vstack([left, right])

    def distance(weights: Vectors) -> Vectors:
        found: Vectors = np.abs(weights @ shares).sum(-1) / 2
        return found

    return draws.test(len(left), len(right), distance)


def _one_hot(found: Sequence[str], names: Sequence[str]) -> NDArray[np.float64]:
    places = {name: at for at, name in enumerate(names)}
    shares = np.zeros((len(found), len(names)))
    for row, name in enumerate(found):
        if name:
            shares[row, places[name]] = 1.0
    return shares


TESTS: Mapping[str, tuple[Test, float]] = {
    "embedding": (by_embedding, 0.02),
    "classifier": (by_classifier, 0.6),
    "length": (by_length, 0.1),
    "vocabulary": (by_vocabulary, 0.05),
    "labels": (by_label, 0.1),
    "language": (by_language, 0.05),
}
"""To add a test: a function of two sides, and a line with the least effect that is an alarm."""
