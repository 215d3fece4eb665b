"""Looks at a score: how often a verdict is wrong over all of them, exactly and by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import Paths, coins
from scipy.stats import binom

from ladder.gate.budget import Budget, budget_of
from ladder.gate.looks import Seen, judge_in_looks, looks
from ladder.gate.verdict import judge_score
from ladder.report.limits import limit_reason
from ladder.task import GateLimits

ALONE = Budget((0.05,))


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        (1, (1,)),
        (25, (25,)),
        (26, (25, 26)),
        (50, (25, 35, 50)),
        (213, (25, 35, 50, 71, 100, 141, 200, 213)),
        (400, (25, 35, 50, 71, 100, 141, 200, 283, 400)),
    ],
)
def test_looks_grow_and_end_with_every_row(rows, counts):
    assert looks(rows) == counts


@given(st.integers(1, 5000))
def test_the_looks_spend_the_budget_and_no_more(rows):
    shares = Seen(looks(rows), 0.8, ALONE).shares
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("limit", [0.5, 0.85, 0.9])
@pytest.mark.parametrize("rows", [20, 60, 100, 213])
def test_over_all_looks_a_wrong_verdict_is_as_rare_as_promised(rows, limit, confidence):
    """At the limit itself both errors are likeliest."""
    error = 1 - confidence
    paths = Paths(looks(rows), limit, Budget((error,)))
    passed, failed, _ = paths.chances(limit)
    assert passed <= error * (1 + 1e-6)
    assert failed <= error * (1 + 1e-6)
    if rows >= 100:  # the budget is spent, not left lying: looks that never decide would hold too
        assert passed > 0.7 * error
        assert failed > 0.7 * error


def test_a_good_system_passes_and_a_bad_one_fails_within_213_rows():
    paths = Paths(looks(213), 0.85, ALONE)
    assert paths.chances(0.95)[0] > 0.99
    assert paths.chances(0.73)[1] > 0.99


def test_a_look_at_everything_at_once_would_break_the_budget():
    """Without the split of the budget the promise does not hold: the split is needed."""
    counts, limit, chance = looks(400), 0.9, 0.9
    alive, before, passed = np.array([1.0]), 0, 0.0
    for count in counts:
        steps = binom.pmf(np.arange(count - before + 1), count - before, chance)
        alive, before = np.convolve(alive, steps), count
        for hits in range(count + 1):
            if judge_score(coins(hits, count), limit, 0.05).verdict == "pass":
                passed += alive[hits]
                alive[hits] = 0.0
    assert passed > 0.05


# One budget for several systems


@pytest.mark.parametrize("limit", [0.6, 0.85])
@pytest.mark.parametrize("failed_clearly", [0, 1, 3])
def test_what_a_system_may_spend_is_its_errors_and_what_it_hands_on_wrongly(limit, failed_clearly):
    """The three facts of `gate.budget`, counted out for every true score."""
    gate, counts = GateLimits(min_score=limit), looks(80)
    budget = budget_of(gate, 4, failed_clearly)
    own = Paths(counts, limit, budget)
    most = Paths(counts, limit, budget_of(gate, 4, 3))
    for truth in (0.3 * limit, 0.6 * limit, 0.8 * limit, 0.9 * limit, 0.97 * limit, limit - 1e-9):
        passed, _, clear = own.chances(truth)
        if most.chances(truth)[0] > budget.kept:
            assert passed + clear <= budget.levels[0] * (1 + 1e-6)
        else:
            assert passed <= budget.kept
    assert own.chances(limit)[1] <= budget.levels[0] * (1 + 1e-6)
    assert own.chances(0.05)[2] > 0.9, "a hopeless system hands its share on"


@pytest.mark.parametrize("rows", [40, 100])
def test_what_passes_with_less_to_spend_passes_with_more_too(rows):
    gate, counts = GateLimits(min_score=0.85), looks(rows)
    every = [Paths(counts, 0.85, budget_of(gate, 5, many)) for many in range(5)]
    for look, count in enumerate(counts):
        for hits in range(count + 1):
            words = [paths.found(look, hits).verdict for paths in every]
            for less, more in itertools.pairwise(words):
                assert less in ("undecided", more)


def test_the_shares_of_systems_that_fail_clearly_are_the_next_ones() -> None:
    gate = GateLimits(min_score=0.85)
    levels = [budget_of(gate, 5, many).levels[0] for many in range(5)]
    assert levels[0] == pytest.approx(0.01)
    assert levels[4] == pytest.approx(0.01 * (1 + 4 * 0.9))
    # Every system has its share: what is handed on, and what that may cost, are no more in all.
    assert levels[4] + 4 * budget_of(gate, 5).kept == pytest.approx(0.05)
    limited = GateLimits(min_score=0.85, max_p95_ms=100)
    assert budget_of(limited, 5).levels[0] == pytest.approx(0.005)
    assert budget_of(gate, 1) == Budget((pytest.approx(0.05),))


def test_nothing_is_handed_on_for_graded_scores() -> None:
    scores = [0.1] * 400
    budget = budget_of(GateLimits(min_score=0.85), 4)
    found, _ = judge_in_looks(lambda n: (scores[:n], None), looks(400), 0.85, budget)
    assert (found.verdict, found.clear) == ("fail", False)


# Graded scores


def graded(draw: np.random.Generator, kind: str, mean: float, shape: tuple[int, int]):
    if kind == "two values":  # as far from a coin as the limit allows, and as skew
        return np.where(draw.random(shape) < 0.02, 0.0, mean / 0.98)
    if kind == "beta":
        return draw.beta(4 * mean, 4 * (1 - mean), shape)
    return draw.binomial(4, mean, shape) / 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["two values", "beta", "parts"])
def test_graded_scores_at_the_limit_are_judged_wrongly_as_often_as_allowed(kind):
    draw = np.random.default_rng(5)
    climbs, counts = 250, looks(141)
    wrong = {"pass": 0, "fail": 0, "undecided": 0}
    for row in graded(draw, kind, 0.85, (climbs, 141)):
        scores = row.tolist()
        found, _ = judge_in_looks(lambda n, s=scores: (s[:n], None), counts, 0.85, ALONE)
        wrong[found.verdict] += 1
    # One in 10,000 simulations of an error of exactly 5 % would exceed this.
    most = binom.ppf(0.9999, climbs, 0.05)
    assert max(wrong["pass"], wrong["fail"]) <= most


def test_graded_scores_need_fewer_rows_than_by_the_union_bound_over_the_looks() -> None:
    draw = np.random.default_rng(6)
    counts, ours, union = looks(400), 0, 0
    shares = Seen(counts, 0.85, ALONE).shares
    for row in graded(draw, "beta", 0.9, (60, 400)):
        scores = row.tolist()
        _, seen = judge_in_looks(lambda n, s=scores: (s[:n], None), counts, 0.85, ALONE)
        ours += seen[-1]
        union += next(
            (
                count
                for count, share in zip(counts, shares, strict=True)
                if judge_score(scores[:count], 0.85, 0.05 * share).verdict != "undecided"
            ),
            400,
        )
    assert ours < 0.7 * union


def test_a_group_that_grows_after_a_look_is_bet_on_as_it_was() -> None:
    grown = Seen((25, 50), 0.5, ALONE)
    grown.bounds([0.9] * 25, None)
    same = Seen((25, 50), 0.5, ALONE)
    same.bounds([0.9] * 25, None)
    assert grown.bounds([0.9] * 24 + [0.1] + [0.9] * 25, None) == same.bounds([0.9] * 50, None)


def test_scores_that_look_like_coins_at_first_have_what_those_looks_have_left() -> None:
    """Of 100 rows 50 are read: half of the error is left."""
    late, scores = Seen((50, 100), 0.5, ALONE), [1.0] * 50 + [0.9] * 50
    late.bounds(scores[:50], None)
    half = Seen((50, 100), 0.5, Budget((0.025, 0.05)))
    half.bounds([0.9, *scores[1:50]], None)
    half.scores = tuple(scores[:50])
    assert late.bounds(scores, None) == pytest.approx(half.bounds(scores, None))


def test_weighted_scores_are_judged_by_the_union_bound() -> None:
    scores, weights = coins(95, 100), [1.0] * 100
    found, seen = judge_in_looks(lambda n: (scores[:n], weights[:n]), (100,), 0.8, Budget((0.05,)))
    assert found.low == judge_score(scores, 0.8, 0.05, weights).low
    assert seen == (100,)


# Requests that failed


def looked(failed_at: dict[int, int], scores: list[float], most_failed: float = 0.02):
    """Look at rows of which so many have failed at each count."""
    counts = looks(len(scores))
    now = [0]

    def read(count: int):
        now[0] = failed_at.get(count, max([0, *(n for at, n in failed_at.items() if at < count)]))
        return scores[: count - now[0]], None

    return judge_in_looks(read, counts, 0.5, ALONE, lambda: now[0], most_failed)


def test_a_clear_verdict_waits_until_the_failures_are_few() -> None:
    """One of 25 rows failed, 4 %: among 50 it is the 2 % that may fail."""
    verdict, seen = looked({25: 1}, [1.0] * 400)
    assert (verdict.verdict, seen) == ("pass", (25, 35, 50))
    assert limit_reason(verdict).startswith("24 rows"), (
        "the verdict of the look that was clear stands"
    )


def test_no_further_rows_are_read_where_too_many_have_failed_for_all_of_them() -> None:
    _, seen = looked({25: 9}, [1.0] * 400)
    assert seen == (25,)


def test_without_failures_the_first_clear_look_is_the_last() -> None:
    assert looked({}, [1.0] * 400)[1] == (25,)
