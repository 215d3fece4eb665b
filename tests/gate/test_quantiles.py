"""Quantiles and their intervals: as scipy has them, as often right as promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, quantile_test

from ladder.gate.quantiles import percentile, quantile_interval, values_to_bound


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80), st.sampled_from([0.5, 0.9, 0.95]))
def test_the_interval_holds_the_percentile(values, share):
    low, high = quantile_interval(values, share, 0.95)
    middle = percentile(values, share)
    assert low is None or low <= middle
    assert high is None or high >= middle


@pytest.mark.parametrize("n", [10, 40, 59, 100, 400])
@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_the_interval_is_scipys(n, share):
    values = np.random.default_rng(n).permutation(n).astype(float)
    found = quantile_test(values, p=share).confidence_interval(confidence_level=0.95)
    low, high = quantile_interval(values.tolist(), share, 0.95)
    for mine, theirs in ((low, found.low), (high, found.high)):
        assert (mine is None) == math.isnan(theirs)
        if mine is not None:
            assert mine == theirs


@pytest.mark.parametrize("n", [30, 100, 250])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_it_misses_no_more_often_than_promised(n, share):
    """The values 1..n stand for the order statistics; which hold the quantile is binomial."""
    low, high = quantile_interval(list(range(1, n + 1)), share, 0.95)
    below = binom.cdf((low or 0) - 1, n, share) if low else 0.0
    above = binom.sf(high - 1, n, share) if high else 0.0
    assert below <= 0.025 + 1e-12
    assert above <= 0.025 + 1e-12


def test_edges():
    assert quantile_interval([], 0.5, 0.95) == (None, None)
    assert quantile_interval([3.0], 0.95, 0.95) == (None, None)
    assert math.isnan(percentile([], 0.5))
    assert percentile([5.0], 0.99) == 5.0
    # 72 values bound a 95th percentile two-sided at 95 % (0.95 ** 72 < 0.025), 71 do not.
    assert quantile_interval([1.0] * 71, 0.95, 0.95)[1] is None
    assert quantile_interval([1.0] * 72, 0.95, 0.95)[1] == 1.0


@pytest.mark.parametrize(("share", "confidence", "wanted"), [(0.95, 0.95, 59), (0.99, 0.95, 299)])
def test_so_many_values_bound_a_quantile_and_one_less_does_not(share, confidence, wanted):
    assert values_to_bound(share, confidence) == wanted
    assert 1 - share**wanted >= confidence > 1 - share ** (wanted - 1)
