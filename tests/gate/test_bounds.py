"""Bounds of a mean: as scipy has them, and as often right as they promise."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, multinomial

from ladder.gate.bounds import estimate, is_binary, lower_bound, upper_bound

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


# Graded scores: the Chernoff bound


def kl(mean: float, p: float) -> float:
    """Kullback-Leibler divergence of two coins, written down a second time."""
    pairs = ((mean, p), (1 - mean, 1 - p))
    return sum(a * math.log(a / b) for a, b in pairs if a > 0)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("mean", [0.05, 0.3, 0.5, 0.77, 0.95])
def test_the_graded_bound_solves_its_equation(mean, error):
    scores = [mean] * 40
    for bound in (lower_bound(scores, error), upper_bound(scores, error)):
        assert 40 * kl(mean, bound) == pytest.approx(math.log(1 / error), rel=1e-6)


@pytest.mark.parametrize("error", ERRORS)
def test_the_graded_bound_misses_no_more_often_than_promised(error):
    """Three grades, ten rows, every outcome."""
    n, grades = 10, np.array([0.0, 0.5, 1.0])
    counts = [(a, b, n - a - b) for a, b in product(range(n + 1), repeat=2) if a + b <= n]
    found = []
    for count in counts:
        scores = list(np.repeat(grades, count))
        found.append((lower_bound(scores, error), upper_bound(scores, error)))
    lows, highs = np.array(found).T
    for chances in ((0.1, 0.1, 0.8), (0.3, 0.4, 0.3), (0.05, 0.9, 0.05), (0.0, 0.2, 0.8)):
        mean = float(grades @ np.array(chances))
        likely = multinomial.pmf(counts, n, chances)
        assert likely[lows > mean].sum() <= error
        assert likely[highs < mean].sum() <= error


@given(graded_scores, error_rates)
def test_the_mean_lies_between_the_bounds(scores, error):
    mean = math.fsum(scores) / len(scores)
    low, high = lower_bound(scores, error), upper_bound(scores, error)
    assert 0 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= 1


@given(
    st.integers(2, 100).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n))), error_rates
)
def test_scores_that_are_almost_coins_get_the_wider_bound(case, error):
    scores = coins(*case)
    almost = [abs(score - 1e-12) for score in scores]
    assert not is_binary(almost)
    assert lower_bound(almost, error) <= lower_bound(scores, error) + 1e-9
    assert upper_bound(almost, error) >= upper_bound(scores, error) - 1e-9


@given(graded_scores, error_rates)
def test_the_bounds_mirror_each_other(scores, error):
    mirrored = [1 - score for score in scores]
    assert lower_bound(mirrored, error) == pytest.approx(1 - upper_bound(scores, error), abs=1e-9)


@given(graded_scores, error_rates)
def test_raising_a_score_lowers_no_bound(scores, error):
    if is_binary(scores):
        return
    raised = [min(1.0, score + 0.1) for score in scores]
    if not is_binary(raised):
        assert lower_bound(raised, error) >= lower_bound(scores, error) - 1e-9
        assert upper_bound(raised, error) >= upper_bound(scores, error) - 1e-9


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
