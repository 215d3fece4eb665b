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
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, mannwhitneyu

from ladder.gate.paired import holm
from ladder.language.stems import nearest_language
from ladder.language.words import comparable, count_words, search_terms

Vectors = NDArray[np.floating]
AT_ONCE = 2_000
"""Permutations drawn together."""
AS_FAR = 20
"""So many permuted statistics as far as the observed one end the drawing: it is no alarm."""
MOST_ROWS = 1_000
"""Of either side in the test of vectors, whose time and memory grow with their square."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    inputs: tuple[str, ...]
    labels: tuple[str, ...] = ()
    """Targets of those rows that have one."""
    vectors: Vectors | None = None
    """(inputs, dimension); None: there is no embedding model."""


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
class Luck:
    """Permutations, as many as a level needs."""

    draw: np.random.Generator
    most: int

    def p(self, seen: float, permuted: Callable[[int], NDArray[np.float64]]) -> float:
        """Return the chance of a statistic at least as far as the one that was seen.

        Args:
            seen: the statistic.
            permuted: number -> as many statistics of permuted sides.
        """
        drawn = farther = 0
        while drawn < self.most and farther < AS_FAR:
            null = permuted(min(AT_ONCE, self.most - drawn))
            at = np.flatnonzero(null >= seen - 1e-12)[: AS_FAR - farther]
            farther += len(at)
            if farther == AS_FAR:
                return AS_FAR / (drawn + int(at[-1]) + 1)
            drawn += len(null)
        return (1 + farther) / (1 + drawn)


Test = Callable[[Side, Side, Luck], tuple[float, float] | None]
"""(reference, recent, luck) -> effect and p; None: there is nothing to compare."""


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
        told = test(reference, recent, Luck(np.random.default_rng([seed, number]), most))
        if told is not None:
            found.append(Found(name, told[0], least, told[1]))
    adjusted = holm([each.p for each in found])
    return [
        replace(each, p_holm=p, alarms=each.effect >= each.least and p <= error)
        for each, p in zip(found, adjusted, strict=True)
    ]


def by_meaning(reference: Side, recent: Side, luck: Luck) -> tuple[float, float] | None:
    """Compare vectors: MMD with a Gaussian kernel as wide as the median distance.

    The effect is the share of the mean distance between the sides that is no distance within them:
    0 for one distribution, 1 for two points apart.
    """
    if reference.vectors is None or recent.vectors is None:
        return None
    left, right = (_some(each, luck.draw) for each in (reference.vectors, recent.vectors))
    kernel = _kernel(np.vstack([left, right]).astype(np.float64))
    n, m = len(left), len(right)
    sides = np.array([1 / n] * n + [-1 / m] * m)

    def permuted(count: int) -> NDArray[np.float64]:
        drawn = luck.draw.permuted(np.tile(sides, (count, 1)), axis=1)
        found: NDArray[np.float64] = np.einsum("ij,ij->i", drawn, drawn @ kernel)
        return found

    p = luck.p(float(sides @ kernel @ sides), permuted)
    between = 1 - kernel[:n, n:].mean()
    within = (_apart(kernel[:n, :n]) + _apart(kernel[n:, n:])) / 2
    effect = max(0.0, 1 - within / between) if between > 0 else 0.0
    return effect, p


def _some(vectors: Vectors, luck: np.random.Generator) -> Vectors:
    if len(vectors) <= MOST_ROWS:
        return vectors
    return vectors[np.sort(luck.choice(len(vectors), MOST_ROWS, replace=False))]


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


def by_classifier(reference: Side, recent: Side, luck: Luck) -> tuple[float, float] | None:
    """Ask a classifier of vectors which side a row is from; the effect is its held-out AUC."""
    told = newness(reference, recent)
    if told is None:
        return None
    folds, scores = told
    new = np.arange(len(scores)) >= len(reference.inputs)
    areas, chances = [], []
    for fold in (0, 1):
        mine = folds == fold
        right, left = scores[mine & new], scores[mine & ~new]
        test = mannwhitneyu(right, left, alternative="greater")
        areas.append(float(test.statistic) / (len(right) * len(left)))
        chances.append(float(test.pvalue))
    # The two halves are not independent: twice the smaller p holds all the same (Bonferroni).
    return float(np.mean(areas)), min(1.0, 2 * min(chances))


def newness(reference: Side, recent: Side) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Return of every row, the reference's first, its half and how surely it is a recent one.

    Each half is judged by a classifier that learnt the other; rows of one text are in one half.
    """
    from sklearn.linear_model import LogisticRegression

    if reference.vectors is None or recent.vectors is None:
        return None
    vectors = np.vstack([reference.vectors, recent.vectors])
    new = np.arange(len(vectors)) >= len(reference.inputs)
    folds = _halves([*reference.inputs, *recent.inputs])
    scores = np.zeros(len(vectors))
    for fold in (0, 1):
        learnt, judged = folds != fold, folds == fold
        if len(set(new[learnt])) < 2 or len(set(new[judged])) < 2:
            return None
        model = LogisticRegression(class_weight="balanced", max_iter=1_000)
        model.fit(vectors[learnt], new[learnt])
        scores[judged] = model.decision_function(vectors[judged])
    return folds, scores


def _halves(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return 0 or 1 for each text, equal ones alike: every second one in the order of sight."""
    order: dict[str, int] = {}
    return np.array([order.setdefault(comparable(text), len(order)) % 2 for text in texts])


def by_length(reference: Side, recent: Side, luck: Luck) -> tuple[float, float] | None:
    """Compare how many words inputs have (Kolmogorov-Smirnov; the effect is its distance)."""
    left, right = ([count_words(text) for text in side.inputs] for side in (reference, recent))
    test = ks_2samp(left, right, method="asymp")  # one method at any number of rows
    return float(test.statistic), float(test.pvalue)


def by_vocabulary(reference: Side, recent: Side, luck: Luck) -> tuple[float, float] | None:
    """Compare the share of a row's words that half of the reference does not have.

    The effect is the difference of the mean shares, of recent rows and of the other half's.
    """
    halves = _halves(reference.inputs)
    words = [search_terms(text, str) for text in reference.inputs]
    known = {word for half, row in zip(halves, words, strict=True) if half == 0 for word in row}
    left = [_unknown(row, known) for half, row in zip(halves, words, strict=True) if half == 1]
    right = [_unknown(search_terms(text, str), known) for text in recent.inputs]
    if not left or not known:
        return None
    test = mannwhitneyu(right, left, alternative="greater")
    return max(0.0, float(np.mean(right) - np.mean(left))), float(test.pvalue)


def _unknown(words: Sequence[str], known: set[str]) -> float:
    return sum(word not in known for word in words) / len(words) if words else 0.0


def by_label(reference: Side, recent: Side, luck: Luck) -> tuple[float, float] | None:
    """Compare the shares of the targets, where recent rows have some."""
    return _shares(reference.labels, recent.labels, luck)


def by_language(reference: Side, recent: Side, luck: Luck) -> tuple[float, float] | None:
    """Compare the shares of scripts and languages, each row's nearest."""
    left, right = ([nearest_language(t) for t in side.inputs] for side in (reference, recent))
    return _shares(left, right, luck)


def _shares(left: Sequence[str], right: Sequence[str], luck: Luck) -> tuple[float, float] | None:
    """Return the total variation distance of two samples' shares, and its permutation p."""
    if not left or not right:
        return None
    ours, theirs = Counter(left), Counter(right)
    names = sorted(ours | theirs)
    a, b = (np.array([found[name] for name in names]) for found in (ours, theirs))

    def apart(first: NDArray[np.int64]) -> NDArray[np.float64]:
        second = (a + b) - first
        found: NDArray[np.float64] = np.abs(first / len(left) - second / len(right)).sum(-1) / 2
        return found

    def permuted(count: int) -> NDArray[np.float64]:
        return apart(luck.draw.multivariate_hypergeometric(a + b, len(left), size=count))

    seen = float(apart(a))
    return seen, luck.p(seen, permuted)


TESTS: Mapping[str, tuple[Test, float]] = {
    "meaning": (by_meaning, 0.02),
    "classifier": (by_classifier, 0.6),
    "length": (by_length, 0.1),
    "vocabulary": (by_vocabulary, 0.05),
    "labels": (by_label, 0.1),
    "language": (by_language, 0.05),
}
"""To add a test: a function of two sides, and a line with the least effect that is an alarm."""
