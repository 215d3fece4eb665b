"""A judge beside people's labels: as statsmodels and ppi_py have it, as often right as promised."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from ladder.gate.bounds import estimate, lower_bound, upper_bound
from ladder.gate.judged import (
    LEAST_GOLD,
    UNSEEN_SQUARES,
    judge_weight,
    kappa,
    prediction_powered_bounds,
    prediction_powered_mean,
    too_few,
)

TRUTH = 0.85
Table = tuple[int, int, int, int]
"""Answers by (human, judge): (0, 0), (0, 1), (1, 0), (1, 1)."""
tables = st.tuples(*[st.integers(0, 60)] * 4)
binary = st.sampled_from([0.0, 1.0])
unit = st.floats(0, 1)


def gradings(table: Table) -> tuple[list[float], list[float]]:
    cells = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
    pairs = [cell for cell, count in zip(cells, table, strict=True) for _ in range(count)]
    return [human for human, _ in pairs], [judge for _, judge in pairs]


# Kappa


@given(tables)
def test_kappa_is_statsmodels(table: Table) -> None:
    human, judge = gradings(table)
    found = kappa(human, judge, 0.95)
    n = sum(table)
    if found is None:
        assert max(table[0], table[3]) == n
        return
    square = np.array(table, dtype=float).reshape(2, 2)
    with np.errstate(invalid="ignore"):  # it also tests kappa against 0
        expected = cohens_kappa(square).kappa
    assert found.mean == pytest.approx(expected, abs=1e-12)
    smoothed = cohens_kappa(square + 0.5)
    assert found.low == pytest.approx(min(found.mean, max(-1, smoothed.kappa_low)), abs=1e-9)
    assert found.high == pytest.approx(max(found.mean, min(1, smoothed.kappa_upp)), abs=1e-9)
    assert found.n == n


@given(tables)
def test_kappa_is_the_same_whoever_is_the_judge(table: Table) -> None:
    human, judge = gradings(table)
    one, other = kappa(human, judge, 0.9), kappa(judge, human, 0.9)
    assert (one is None) == (other is None)
    if one and other:
        assert one.mean == pytest.approx(other.mean, abs=1e-12)
        assert -1 <= one.low <= one.mean <= one.high <= 1
        assert one.low == pytest.approx(other.low, abs=1e-9)


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ((20, 0, 0, 20), 1.0),  # all agree
        ((0, 20, 20, 0), -1.0),  # all disagree
        ((10, 10, 10, 10), 0.0),  # chance
        ((0, 10, 0, 90), 0.0),  # a judge that says yes to everything
        ((0, 30, 0, 0), 0.0),  # each says one thing, and not the same
    ],
)
def test_kappa_at_the_edges(table: Table, value: float) -> None:
    found = kappa(*gradings(table), 0.95)
    assert found is not None
    assert found.mean == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (30, 0, 0, 0), (0, 0, 0, 30)])
def test_there_is_no_kappa_where_all_is_graded_alike(table: Table) -> None:
    assert kappa(*gradings(table), 0.95) is None


def test_perfect_agreement_on_few_answers_proves_little() -> None:
    few, many = kappa(*gradings((5, 0, 0, 15)), 0.95), kappa(*gradings((100, 0, 0, 300)), 0.95)
    assert few is not None
    assert many is not None
    assert few.high == many.high == 1
    assert few.low < 0.8 < 0.95 < many.low


def test_kappa_compares_grades_of_0_and_1() -> None:
    with pytest.raises(ValueError, match="0 and 1"):
        kappa([0.5], [1.0], 0.95)
    with pytest.raises(ValueError, match="zip"):
        kappa([1.0], [], 0.95)


@pytest.mark.parametrize(
    ("right", "sensitivity", "specificity"),
    [(0.85, 0.9, 0.8), (0.85, 0.99, 0.97), (0.5, 0.9, 0.8), (0.6, 0.7, 0.5), (0.95, 0.9, 0.8)],
)
def test_kappas_interval_holds_as_often_as_its_docstring_says(
    right: float, sensitivity: float, specificity: float
) -> None:
    """93 to 99 % at 100 answers; 2,000 drawn tables each, so to about 2 %."""
    draw = np.random.default_rng(3)
    wrong = 1 - right
    shares = np.array(
        [wrong * specificity, wrong * (1 - specificity), right * (1 - sensitivity),
         right * sensitivity]
    )  # fmt: skip
    true = cohens_kappa(shares.reshape(2, 2) * 1e9).kappa
    held = 0
    for counts in draw.multinomial(100, shares, 2000):
        found = kappa(*gradings(tuple(counts)), 0.95)
        held += found is not None and found.low <= true <= found.high
    assert held / 2000 >= 0.91


# PPI++


def direct(
    labels: list[float], labelled: list[float], unlabelled: list[float]
) -> tuple[float, float, float]:
    """Write PPI++ a second time, with sums alone: lambda, mean, and the paper's variance."""
    n, size = len(labels), len(unlabelled)
    everything = [*labelled, *unlabelled]
    middle_y, middle_j = sum(labels) / n, sum(labelled) / n
    covariance = (
        sum((y - middle_y) * (j - middle_j) for y, j in zip(labels, labelled, strict=True)) / n
    )
    weight = covariance / ((1 + n / size) * statistics.variance(everything))
    weight = min(1.0, max(0.0, weight))
    rest = [y - weight * j for y, j in zip(labels, labelled, strict=True)]
    mean = weight * sum(unlabelled) / size + sum(rest) / n
    variance = weight**2 * statistics.variance(unlabelled) / size + statistics.variance(rest) / n
    return weight, mean, variance


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.lists(st.tuples(unit, unit), min_size=LEAST_GOLD, max_size=LEAST_GOLD + 20),
    st.lists(unit, min_size=2, max_size=60),
)
def test_ppi_is_the_formula_written_a_second_time(
    pairs: list[tuple[float, float]], unlabelled: list[float]
) -> None:
    labels, labelled = [y for y, _ in pairs], [j for _, j in pairs]
    assume(statistics.variance([*labelled, *unlabelled]) > 1e-9)
    weight, mean, variance = direct(labels, labelled, unlabelled)
    assert judge_weight(labels, labelled, unlabelled) == pytest.approx(weight, abs=1e-9)
    found = prediction_powered_mean(labels, labelled, unlabelled, 0.95)
    assert found.mean == pytest.approx(min(1, max(0, mean)), abs=1e-9)
    if weight > 1e-6:
        n = len(labels)
        rest = [y - weight * j for y, j in zip(labels, labelled, strict=True)]
        of_labels = statistics.variance(rest) / n
        added = (statistics.variance(rest) * (n - 1) + UNSEEN_SQUARES) / (n + 1) / n
        reach = 1.959963984540054 * math.sqrt(variance - of_labels + added)
        assert found.low == pytest.approx(min(found.mean, max(0, mean - reach)), abs=1e-6)
        assert found.high == pytest.approx(max(found.mean, min(1, mean + reach)), abs=1e-6)


@pytest.mark.parametrize(
    ("table", "unlabelled", "mean", "low", "high"),
    [
        # ppi_py 0.2.3: ppi_mean_pointestimate, ppi_mean_ci(alpha=0.05).
        ((14, 1, 12, 73), (246, 300), 0.8877803124999999, 0.8303071467854657, 0.9452534782145341),
        ((18, 4, 6, 92), (41, 50), 0.8209031925090319, 0.7577007087949461, 0.8841056762231176),
        ((37, 8, 17, 188), (806, 1000), 0.8320661876247505, 0.794754091282974, 0.8693782839665269),
    ],
)
def test_ppi_is_ppi_pys_and_a_little_wider(
    table: Table, unlabelled: tuple[int, int], mean: float, low: float, high: float
) -> None:
    labels, labelled = gradings(table)
    yes, size = unlabelled
    others = [1.0] * yes + [0.0] * (size - yes)
    found = prediction_powered_mean(labels, labelled, others, 0.95)
    assert found.mean == pytest.approx(mean, abs=1e-9)
    _, _, variance = direct(labels, labelled, others)  # ppi_py divides by n, not by n - 1
    assert 1.959963984540054 * math.sqrt(variance) == pytest.approx((high - low) / 2, rel=0.01)
    assert low - 0.01 < found.low < low < high < found.high < high + 0.01


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.lists(binary, min_size=LEAST_GOLD, max_size=LEAST_GOLD + 40),
    st.lists(unit, min_size=0, max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_the_mean_lies_between_sensible_ends(
    labels: list[float], unlabelled: list[float], seed: int
) -> None:
    labelled = list(np.random.default_rng(seed).permutation(labels))
    found = prediction_powered_mean(labels, labelled, unlabelled, 0.95)
    ends = [0, found.low, found.mean, found.high, 1]
    assert all(a <= b + 1e-12 for a, b in pairwise(ends))
    assert found.n == len(labels)
    weight = judge_weight(labels, labelled, unlabelled)
    assert 0 <= weight <= 1
    plain = statistics.fmean(labels)
    if unlabelled and weight:  # moved from the labels' mean by the judge's own shift, no further
        shift = statistics.fmean(unlabelled) - statistics.fmean(labelled)
        assert abs(found.mean - plain) <= abs(shift) + 1e-9
    low, high = prediction_powered_bounds(labels, labelled, unlabelled, 0.025)
    assert low == pytest.approx(found.low, abs=0.02)
    assert high == pytest.approx(found.high, abs=0.02)


@pytest.mark.parametrize(
    "judged", [[1.0] * 120, [0.0] * 120, [0.3] * 120, [0.0] * 100 + [1.0] * 20], ids=str
)
def test_without_weight_it_is_the_labels_own_mean(judged: list[float]) -> None:
    """A judge that says one thing, or the contrary, is not listened to."""
    labels = [1.0] * 100 + [0.0] * 20
    others = judged * 3
    assert judge_weight(labels, judged, others) == 0
    assert prediction_powered_mean(labels, judged, others, 0.95) == estimate(labels, 0.95)
    assert prediction_powered_bounds(labels, judged, others, 0.05) == (
        lower_bound(labels, 0.05),
        upper_bound(labels, 0.05),
    )


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_all_right_and_all_wrong_keep_an_exact_interval(label: float) -> None:
    labels, judged = [label] * 100, [0.0, 1.0] * 50
    found = prediction_powered_mean(labels, judged, judged * 3, 0.95)
    assert found == estimate(labels, 0.95)
    assert found.mean == label
    assert found.high - found.low > 0.03


def test_nothing_beside_the_labels_is_the_labels_own_mean() -> None:
    labels = [1.0] * 80 + [0.0] * 20
    for others in ([], [1.0]):
        assert prediction_powered_mean(labels, labels, others, 0.9) == estimate(labels, 0.9)


def test_a_good_judge_narrows_and_a_wrong_one_does_not_move_the_mean() -> None:
    labels = [1.0] * 85 + [0.0] * 15
    good = prediction_powered_mean(labels, labels, labels * 5, 0.95)
    alone = estimate(labels, 0.95)
    assert good.high - good.low < 0.7 * (alone.high - alone.low)
    assert good.mean == pytest.approx(0.85)
    # It calls every second wrong answer right, there as here: the labels take that back.
    kind = [1.0] * 85 + [0.0, 1.0] * 7 + [0.0]
    corrected = prediction_powered_mean(labels, kind, kind * 5, 0.95)
    assert corrected.mean == pytest.approx(0.85)
    assert statistics.fmean(kind) == pytest.approx(0.92)


@pytest.mark.parametrize("gold", [0, 1, 50, 99])
def test_too_few_labels_are_refused(gold: int) -> None:
    labels = [1.0] * gold
    assert str(too_few(gold)).startswith(f"{gold} of the answers carry a human label and 100 are")
    for ask in (prediction_powered_mean, prediction_powered_bounds):
        with pytest.raises(ValueError, match="100 are needed"):
            ask(labels, labels, [1.0] * 500, 0.9)
    assert too_few(LEAST_GOLD) is None


def test_every_label_needs_the_judges_score() -> None:
    with pytest.raises(ValueError, match="of the same answer"):
        prediction_powered_mean([1.0] * 100, [1.0] * 99, [1.0, 0.0], 0.95)


@pytest.mark.parametrize(("gold", "below"), [(100, 0.059), (300, 0.056)])
def test_the_interval_holds_as_often_as_its_docstring_says(gold: int, below: float) -> None:
    """A judge that is right on 90 % of right and 80 % of wrong answers; 2,000 cases each."""
    draw = np.random.default_rng(11)
    cases = 2000

    def judged(right: np.ndarray) -> np.ndarray:
        lucky = draw.random(right.shape)
        return np.where(right, lucky < 0.9, lucky >= 0.8).astype(float)

    held = too_high = too_low = 0
    for _ in range(cases):
        labels, others = draw.random(gold) < TRUTH, draw.random(300) < TRUTH
        told = judged(labels), judged(others)
        found = prediction_powered_mean(labels.astype(float), *told, 0.95)
        held += found.low <= TRUTH <= found.high
        low, high = prediction_powered_bounds(labels.astype(float), *told, 0.05)
        too_high += low > TRUTH
        too_low += high < TRUTH
    assert 0.94 <= held / cases <= 0.97
    assert too_high / cases == pytest.approx(below, abs=0.016)  # three standard errors
    assert too_low / cases <= 0.05
