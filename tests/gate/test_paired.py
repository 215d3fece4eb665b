"""Two systems on the same rows: as statsmodels has it, as often right as promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multinomial
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from ladder.gate.paired import (
    group_means,
    holm,
    mcnemar,
    not_worse,
    paired,
    rows_for_margin,
    tango_z,
)

counts = st.integers(0, 60)


def rows_of(won: int, lost: int, n: int) -> tuple[list[float], list[float]]:
    alike = n - won - lost
    return [1.0] * won + [0.0] * lost + [1.0] * alike, [0.0] * won + [1.0] * lost + [1.0] * alike


@given(counts, counts)
def test_mcnemar_is_statsmodels(won, lost):
    if won + lost:
        expected = reference_mcnemar([[10, won], [lost, 10]], exact=True).pvalue
        assert mcnemar(won, lost) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_holm_is_statsmodels():
    draw = np.random.default_rng(0)
    for size in range(1, 13):
        p_values = (draw.random(size) ** 3).round(2).tolist()  # ties and small ones among them
        expected = multipletests(p_values, method="holm")[1]
        assert holm(p_values) == pytest.approx(list(expected), abs=1e-12)


def likelihood_z(won: int, lost: int, n: int, difference: float) -> float:
    """Tango's statistic with the nuisance share found by maximising the likelihood directly."""
    q = np.linspace(max(0.0, -difference), (1 - difference) / 2, 200_001)[1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = won * np.log(q + difference) + lost * np.log(q)
        logs = logs + (n - won - lost) * np.log(1 - 2 * q - difference)
    best = q[int(np.nanargmax(logs))]
    gap = won - lost - n * difference
    return float(gap / math.sqrt(n * (2 * best + difference * (1 - difference))))


@pytest.mark.parametrize(("won", "lost", "n"), [(8, 3, 50), (2, 9, 40), (20, 20, 120), (1, 1, 30)])
@pytest.mark.parametrize("difference", [-0.2, -0.05, 0.03, 0.15])
def test_tango_solves_the_likelihood(won, lost, n, difference):
    assert tango_z(won, lost, n, difference) == pytest.approx(
        likelihood_z(won, lost, n, difference), abs=2e-3
    )


@pytest.mark.parametrize("n", [30, 60])
@pytest.mark.parametrize(("lost_share", "margin"), [(0.10, 0.1), (0.2, 0.1), (0.15, 0.05)])
def test_a_system_that_is_worse_by_the_margin_seldom_passes(n, lost_share, margin):
    """Summed over every outcome. Tango's test is approximate: it may exceed 5 % by a little."""
    won_share = lost_share - margin
    passed = 0.0
    for won in range(n + 1):
        for lost in range(n + 1 - won):
            if not_worse(won, lost, n, margin) < 0.05:
                shares = (won_share, lost_share, 1 - won_share - lost_share)
                passed += float(multinomial.pmf((won, lost, n - won - lost), n, shares))
    assert passed < 0.062


def test_finding_no_difference_is_no_evidence_of_no_harm():
    """Five points worse on 50 rows: McNemar is silent, and so is the test that would vouch."""
    won, lost = 2, 5
    assert mcnemar(won, lost) > 0.4
    assert not_worse(won, lost, 50, 0.05) > 0.4


@given(counts, counts, st.integers(1, 200))
def test_the_interval_holds_the_difference_and_agrees_with_its_mirror(won, lost, alike):
    first, second = rows_of(won, lost, won + lost + alike)
    gap, low, high, p = paired(first, second, 0.95)
    assert -1 <= low <= gap + 1e-9
    assert gap - 1e-9 <= high <= 1
    mirrored = paired(second, first, 0.95)
    assert mirrored[:3] == pytest.approx((-gap, -high, -low), abs=1e-6)
    assert mirrored[3] == p


@pytest.mark.parametrize("shares", [(0.1, 0.1, 0.8), (0.3, 0.1, 0.6), (0.02, 0.05, 0.93)])
def test_the_interval_covers_as_promised(shares):
    n, covered = 40, 0.0
    truth = shares[0] - shares[1]
    for won in range(n + 1):
        for lost in range(n + 1 - won):
            _, low, high, _ = paired(*rows_of(won, lost, n), 0.95)
            if low <= truth <= high:
                covered += float(multinomial.pmf((won, lost, n - won - lost), n, shares))
    assert covered > 0.94


def test_graded_scores_that_are_better_throughout_are_found_better():
    draw = np.random.default_rng(0)
    second = draw.uniform(0.2, 0.6, 80)
    gap, low, high, p = paired((second + 0.2).tolist(), second.tolist(), 0.95)
    assert gap == pytest.approx(0.2)
    assert 0 < low < gap < high
    assert p < 0.001


@pytest.mark.slow
def test_graded_scores_of_one_system_twice_differ_as_seldom_as_promised():
    draw = np.random.default_rng(1)
    claims = 0
    for _ in range(200):
        first, second = draw.beta(3, 1, (2, 40))
        claims += paired(first.tolist(), second.tolist(), 0.95)[3] < 0.05
    assert claims <= 20


def test_rows_of_one_conversation_count_once():
    """Ten conversations of ten rows each: a hundred rows that are only ten units."""
    groups = [f"conversation {at // 10}" for at in range(100)]
    first = [1.0 if at // 10 < 7 else 0.0 for at in range(100)]
    second = [0.0 if at // 10 < 7 else 1.0 for at in range(100)]
    assert paired(first, second, 0.95)[3] < 0.001
    assert paired(first, second, 0.95, groups)[3] > 0.3
    assert len(group_means(first, groups)) == 10


def test_edges():
    assert paired([], [], 0.95) == (0.0, -1.0, 1.0, 1.0)
    gap, low, high, p = paired([1.0], [1.0], 0.95)
    assert (gap, p) == (0.0, 1.0)
    assert low < -0.5 < 0.5 < high
    _, low, high, _ = paired([1.0] * 50, [0.0] * 50, 0.95)
    assert low > 0.85
    assert high == pytest.approx(1.0)


def test_the_size_for_a_margin_is_the_known_one():
    """Discordance 0.10, margin 5 points, one-sided 5 %, power 80 %: 248 rows."""
    assert rows_for_margin(0.10, 0.05, 0.05) == pytest.approx(248, abs=1)
