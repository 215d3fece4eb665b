"""Bounds of a mean: as scipy has them, and as often right as they promise."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from ladder.gate.bounds import (
    estimate,
    is_binary,
    lower_bound,
    stratum_weights,
    upper_bound,
    weighted_mean,
)

ERRORS = (0.2, 0.05, 0.025, 0.001)
CHANCES = (0.01, 0.1, 0.3, 0.5, 0.62, 0.8, 0.9, 0.95, 0.99)
SIZES = (1, 2, 5, 10, 25, 60)

error_rates = st.floats(1e-6, 0.5)
graded_scores = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def coins(hits: int, n: int) -> list[float]:
    return [1.0] * hits + [0.0] * (n - hits)


# 0/1 scores: the exact bound


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("n", SIZES)
def test_the_exact_bound_is_scipys(n, error):
    for hits in range(n + 1):
        low = binomtest(hits, n, alternative="greater").proportion_ci(1 - error, "exact").low
        high = binomtest(hits, n, alternative="less").proportion_ci(1 - error, "exact").high
        assert lower_bound(coins(hits, n), error) == pytest.approx(low, abs=1e-12)
        assert upper_bound(coins(hits, n), error) == pytest.approx(high, abs=1e-12)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("n", SIZES)
def test_the_exact_bound_misses_no_more_often_than_promised(n, error):
    """Summed over every outcome: no simulation, no luck."""
    lows = np.array([lower_bound(coins(hits, n), error) for hits in range(n + 1)])
    highs = np.array([upper_bound(coins(hits, n), error) for hits in range(n + 1)])
    for chance in (*CHANCES, *lows[1:], *highs[:-1]):
        likely = binom.pmf(np.arange(n + 1), n, chance)
        assert likely[lows > chance + 1e-9].sum() <= error + 1e-9
        assert likely[highs < chance - 1e-9].sum() <= error + 1e-9


@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))), error_rates
)
def test_one_more_hit_raises_both_bounds(case, error):
    hits, n = case
    assert lower_bound(coins(hits + 1, n), error) > lower_bound(coins(hits, n), error)
    assert upper_bound(coins(hits + 1, n), error) > upper_bound(coins(hits, n), error)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), error_rates)
def test_more_certainty_costs_width(case, error):
    scores = coins(*case)
    assert lower_bound(scores, error / 2) <= lower_bound(scores, error)
    assert upper_bound(scores, error / 2) >= upper_bound(scores, error)


@given(st.integers(1, 100).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), error_rates)
def test_more_rows_of_the_same_kind_narrow_the_bounds(case, error):
    scores = coins(*case)
    assert lower_bound(scores * 2, error) >= lower_bound(scores, error)
    assert upper_bound(scores * 2, error) <= upper_bound(scores, error)


# Edges


@pytest.mark.parametrize("error", ERRORS)
def test_no_rows_say_nothing(error):
    assert (lower_bound([], error), upper_bound([], error)) == (0, 1)


@pytest.mark.parametrize("error", ERRORS)
def test_one_row(error):
    assert lower_bound([1.0], error) == pytest.approx(error)
    assert upper_bound([1.0], error) == 1
    assert lower_bound([0.0], error) == 0
    assert upper_bound([0.0], error) == pytest.approx(1 - error)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("error", ERRORS)
def test_all_right_and_all_wrong(n, error):
    assert lower_bound(coins(n, n), error) == pytest.approx(error ** (1 / n))
    assert upper_bound(coins(n, n), error) == 1
    assert lower_bound(coins(0, n), error) == 0
    assert upper_bound(coins(0, n), error) == pytest.approx(1 - error ** (1 / n))


def test_a_million_rows():
    scores = coins(900_000, 1_000_000)
    assert lower_bound(scores, 0.05) == pytest.approx(0.9, abs=0.001)
    assert upper_bound(scores, 0.05) == pytest.approx(0.9, abs=0.001)


# Graded scores: betting


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS)
def test_betting_misses_no_more_often_than_promised(error):
    """Three grades, seven rows, every sequence: no simulation, no luck."""
    grades = (0.0, 0.5, 1.0)
    rows = [row for row in product(range(3), repeat=7) if 1 in row]  # the others are coins
    bounds = [
        (lower_bound(scores, error), upper_bound(scores, error))
        for scores in ([grades[at] for at in row] for row in rows)
    ]
    lows, highs = np.array(bounds).T
    for chances in ((0.1, 0.1, 0.8), (0.3, 0.4, 0.3), (0.05, 0.9, 0.05), (0.0, 0.2, 0.8)):
        mean = float(np.dot(grades, chances))
        likely = np.array([math.prod(chances[at] for at in row) for row in rows])
        assert likely[lows > mean].sum() <= error
        assert likely[highs < mean].sum() <= error


@pytest.mark.slow
def test_betting_holds_for_many_rows_and_is_spent_on_them():
    """2,000 measurements of 200 rows: the miss rate's own upper bound stays near the promise."""
    draw = np.random.default_rng(1)
    for alpha, beta in ((1.6, 0.7), (8, 2), (0.2, 0.1)):
        mean = alpha / (alpha + beta)
        missed = sum(
            lower_bound(draw.beta(alpha, beta, 200).tolist(), 0.05) > mean for _ in range(700)
        )
        assert binomtest(missed, 700, 0.05, alternative="greater").pvalue > 0.001


def test_betting_is_narrower_than_what_holds_for_coins():
    """Scores that vary little tell more than coins with the same mean."""
    scores = np.random.default_rng(2).beta(16, 7, 200).tolist()
    mean = math.fsum(scores) / 200
    coin = coins(round(200 * mean), 200)
    assert lower_bound(scores, 0.05) > lower_bound(coin, 0.05) + 0.02
    assert upper_bound(scores, 0.05) < upper_bound(coin, 0.05) - 0.02


def test_the_order_of_the_rows_is_no_way_in():
    """Rows sorted by score are a lie about time; the bound of sorted rows is still below."""
    draw = np.random.default_rng(3)
    missed = 0
    for _ in range(300):
        rows = sorted(draw.choice([0.0, 0.5, 1.0], 60, p=[0.2, 0.3, 0.5]).tolist())
        missed += lower_bound(rows, 0.05) > 0.65
    assert missed <= 0.1 * 300


def test_a_million_graded_rows():
    scores = np.random.default_rng(4).beta(9, 1, 1_000_000).tolist()
    assert lower_bound(scores, 0.05) == pytest.approx(0.9, abs=0.001)
    assert upper_bound(scores, 0.05) == pytest.approx(0.9, abs=0.001)


@given(graded_scores, error_rates)
def test_the_mean_lies_between_the_bounds(scores, error):
    mean = math.fsum(scores) / len(scores)
    low, high = lower_bound(scores, error), upper_bound(scores, error)
    assert 0 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= 1


@given(graded_scores, error_rates)
def test_the_bounds_mirror_each_other(scores, error):
    mirrored = [1 - score for score in scores]
    assert lower_bound(mirrored, error) == pytest.approx(1 - upper_bound(scores, error), abs=1e-9)


def test_what_is_binary():
    assert is_binary([0.0, 1.0, 1, 0, True])
    assert not is_binary([0.0, 0.5])
    assert not is_binary([1 - 1e-15])


# The interval that is shown


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("n", SIZES)
def test_the_interval_is_wilsons(n, confidence):
    for hits in range(n + 1):
        found = estimate(coins(hits, n), confidence)
        wanted = binomtest(hits, n).proportion_ci(confidence, "wilson")
        assert (found.mean, found.n) == (hits / n, n)
        assert found.low == pytest.approx(wanted.low, abs=1e-12)
        assert found.high == pytest.approx(wanted.high, abs=1e-12)


def test_the_interval_of_no_rows_is_everything():
    found = estimate([], 0.95)
    assert (found.mean, found.low, found.high, found.n) == (0, 0, 1, 0)


@given(graded_scores, st.floats(0.5, 0.999))
def test_the_interval_holds_the_mean_and_stays_in_0_to_1(scores, confidence):
    found = estimate(scores, confidence)
    assert 0 <= found.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.high <= 1


# Weights


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=50))
def test_stratum_weights_give_each_kind_its_share(strata):
    shares = {"a": 5.0, "b": 3.0, "c": 2.0}
    weights = stratum_weights(strata, shares)
    assert math.fsum(weights) == pytest.approx(len(strata))
    total = sum(shares[kind] for kind in set(strata))
    for kind in set(strata):
        found = sum(w for w, k in zip(weights, strata, strict=True) if k == kind)
        assert found / len(strata) == pytest.approx(shares[kind] / total)


def test_a_rare_kind_counts_as_much_as_in_production():
    strata = ["common"] * 20 + ["rare"] * 80  # tested often, asked seldom
    scores = [1.0] * 20 + [0.0] * 80
    weights = stratum_weights(strata, {"common": 0.9, "rare": 0.1})
    found = estimate(scores, 0.95, weights)
    assert found.mean == pytest.approx(0.9)
    assert found.low < 0.9 < found.high
    assert lower_bound(scores, 0.05, weights) < 0.9


def test_the_weighted_bound_misses_no_more_often_than_promised():
    """Kinds drawn half and half, shares 4 : 1, scores that depend on the kind."""
    draw = np.random.default_rng(5)
    shares, chance = {"a": 0.8, "b": 0.2}, {"a": 0.9, "b": 0.5}
    truth = sum(shares[kind] * chance[kind] for kind in shares)
    missed = 0
    for _ in range(800):
        strata = draw.choice(["a", "b"], 150).tolist()
        scores = [float(draw.random() < chance[kind]) for kind in strata]
        missed += lower_bound(scores, 0.05, stratum_weights(strata, shares)) > truth
    assert binomtest(missed, 800, 0.05, alternative="greater").pvalue > 0.001


def test_equal_weights_change_the_mean_in_nothing():
    scores = [0.2, 0.9, 1.0, 0.4]
    assert weighted_mean(scores, [1.0] * 4) == weighted_mean(scores)
    assert weighted_mean([]) == 0.0
