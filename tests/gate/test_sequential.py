"""Looks at 0 and 1: the chance of a wrong verdict, counted out exactly and by simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import binom

from ladder.gate.bounds import lower_bound, upper_bound
from ladder.gate.budget import Budget
from ladder.gate.looks import judge_in_looks, looks
from ladder.gate.sequential import chance_to_pass, hits_to_pass, nominal_error, spent_by


def errors(counts: tuple[int, ...], limit: float, budget: float) -> list[tuple[float, float]]:
    """Return the errors of every look: from below, and from above."""
    spent = spent_by(counts, budget)
    ends = range(1, len(counts) + 1)
    return [
        tuple(nominal_error(counts[:k], spent[:k], chance) for chance in (limit, 1 - limit))
        for k in ends
    ]


def crossing(counts: tuple[int, ...], truth: float, crosses) -> float:
    """Count out how likely a climb over the looks ever crosses: path by path, without numpy."""

    @cache
    def chance(look: int, hits: int) -> float:
        if look and crosses(look - 1, hits, counts[look - 1]):
            return 1.0
        if look == len(counts):
            return 0.0
        new = counts[look] - (counts[look - 1] if look else 0)
        return sum(
            float(binom.pmf(more, new, truth)) * chance(look + 1, hits + more)
            for more in range(new + 1)
        )

    return chance(0, 0)


@pytest.mark.parametrize("limit", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("counts", [(12,), (10, 20), (7, 13, 30), (10, 20, 40, 60)])
@pytest.mark.parametrize("budget", [0.05, 0.01])
def test_a_system_at_the_limit_is_judged_wrongly_as_often_as_allowed(counts, limit, budget):
    found = errors(counts, limit, budget)

    def passes(look: int, hits: int, n: int) -> bool:
        scores = [1.0] * hits + [0.0] * (n - hits)
        return lower_bound(scores, found[look][0]) >= limit

    def fails(look: int, hits: int, n: int) -> bool:
        scores = [1.0] * hits + [0.0] * (n - hits)
        return upper_bound(scores, found[look][1]) < limit

    assert crossing(counts, limit - 1e-12, passes) <= budget
    assert crossing(counts, limit, fails) <= budget


@pytest.mark.parametrize("limit", [0.6, 0.85])
def test_more_is_spent_at_the_last_look_than_by_the_union_bound(limit):
    counts = (25, 50, 100, 200, 400)
    below, above = errors(counts, limit, 0.05)[-1]
    assert 0.025 < below <= 0.05  # the union bound leaves the last look 0.025
    assert 0.025 < above <= 0.05


def test_one_look_spends_what_the_exact_bound_does() -> None:
    for hits in range(31):
        scores = [1.0] * hits + [0.0] * (30 - hits)
        [(below, above)] = errors((30,), 0.7, 0.05)
        assert (lower_bound(scores, below) >= 0.7) == (lower_bound(scores, 0.05) >= 0.7)
        assert (upper_bound(scores, above) < 0.7) == (upper_bound(scores, 0.05) < 0.7)


@pytest.mark.parametrize("truth", [0.7, 0.85, 0.93])
def test_the_chance_to_pass_is_the_sum_over_all_paths(truth):
    counts = (10, 20, 40)
    hits = hits_to_pass(counts, [spent_by(counts, 0.05), spent_by(counts, 0.08)], 0.8)
    plain = crossing(counts, truth, lambda look, right, _: right >= hits[look])
    assert chance_to_pass(counts, hits, truth) == pytest.approx(plain, abs=1e-12)
    alone = hits_to_pass(counts, [spent_by(counts, 0.05)], 0.8)
    assert all(a >= b for a, b in zip(hits, alone, strict=True))


def test_at_a_limit_of_one_a_single_miss_fails() -> None:
    budget = Budget((0.05,))
    found, _ = judge_in_looks(lambda n: ([1.0] * (n - 1) + [0.0], None), looks(100), 1.0, budget)
    assert found.verdict == "fail"
    found, _ = judge_in_looks(lambda n: ([1.0] * n, None), looks(100), 1.0, budget)
    assert found.verdict == "undecided"


@pytest.mark.slow
def test_large_counts_by_fourier_are_those_of_the_plain_fold() -> None:
    counts = (2_000, 4_000, 8_000)
    spent = (0.01, 0.02, 0.05)
    below = nominal_error(counts, spent, 0.85)
    draw = np.random.default_rng(1)
    rows = draw.binomial(1, 0.85, size=(4_000, 8_000)).cumsum(axis=1)
    crossed = np.zeros(4_000, dtype=bool)
    for k, count in enumerate(counts):
        error = nominal_error(counts[: k + 1], spent[: k + 1], 0.85)
        crossed |= binom.sf(rows[:, count - 1] - 1, count, 0.85) <= error
    assert below > 0.03
    assert crossed.mean() == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 4_000) ** 0.5)
