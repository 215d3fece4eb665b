"""The gate: three verdicts, the error budget over all looks, and the limits beside the score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from ladder.evidence import LimitVerdict
from ladder.gate.quantiles import percentile
from ladder.gate.verdict import (
    combine,
    detectable_score,
    error_at_look,
    fixed_rows,
    judge_cost,
    judge_errors,
    judge_in_looks,
    judge_latency,
    judge_score,
    looks,
    rows_to_settle,
)
from ladder.report.limits import limit_reason
from ladder.task import GateLimits


def coins(hits: int, n: int) -> list[float]:
    return [1.0] * hits + [0.0] * (n - hits)


# Looks and their budget


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        (1, (1,)),
        (25, (25,)),
        (26, (25, 26)),
        (50, (25, 50)),
        (213, (25, 50, 100, 200, 213)),
        (400, (25, 50, 100, 200, 400)),
    ],
)
def test_looks_double_and_end_with_every_row(rows, counts):
    assert looks(rows) == counts


@given(st.integers(1, 12), st.floats(0.5, 0.999))
def test_the_looks_spend_the_budget_and_no_more(of, confidence):
    shares = [error_at_look(look, of, 1 - confidence) for look in range(of)]
    assert all(share > 0 for share in shares)
    assert math.fsum(shares) == pytest.approx(1 - confidence)


def wrong_verdicts(
    rows: int, limit: float, confidence: float, chance: float
) -> tuple[float, float]:
    """Return the exact probabilities of a pass and of a fail over all looks of a coin.

    Dynamic programming over the number of hits; what has a verdict leaves.
    """
    counts = looks(rows)
    alive, before = np.array([1.0]), 0
    passed = failed = 0.0
    for look, count in enumerate(counts):
        steps = binom.pmf(np.arange(count - before + 1), count - before, chance)
        alive, before = np.convolve(alive, steps), count
        error = error_at_look(look, len(counts), 1 - confidence)
        for hits in range(count + 1):
            verdict = judge_score(coins(hits, count), limit, error).verdict
            if verdict != "undecided":
                passed += alive[hits] * (verdict == "pass")
                failed += alive[hits] * (verdict == "fail")
                alive[hits] = 0.0
    return passed, failed


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("limit", [0.5, 0.85, 0.9])
@pytest.mark.parametrize("rows", [20, 60, 213, 400])
def test_over_all_looks_a_wrong_verdict_is_as_rare_as_promised(rows, limit, confidence):
    """At the limit itself both errors are likeliest."""
    passed, failed = wrong_verdicts(rows, limit, confidence, chance=limit)
    assert passed <= 1 - confidence
    assert failed <= 1 - confidence
    if rows >= 200:  # the budget is spent, not left lying: looks that never decide would hold too
        assert passed + failed > (1 - confidence) / 4


def test_a_good_system_passes_and_a_bad_one_fails_within_400_rows():
    assert wrong_verdicts(400, 0.85, 0.95, chance=0.95)[0] > 0.99
    assert wrong_verdicts(400, 0.85, 0.95, chance=0.75)[1] > 0.99


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


# The score


@pytest.mark.parametrize(
    ("hits", "n", "word"),
    [
        (100, 100, "pass"),
        (96, 100, "pass"),
        (90, 100, "undecided"),
        (80, 100, "fail"),
        (0, 1, "undecided"),
    ],
)
def test_a_score_gets_one_of_three_verdicts(hits, n, word):
    found = judge_score(coins(hits, n), 0.9, 0.05)
    assert found.verdict == word
    assert found.limit == "min_score"
    assert (found.wanted, found.got) == (0.9, hits / n)
    assert found.distance == pytest.approx(hits / n - 0.9)
    assert str(n) in limit_reason(found)
    assert (found.more_rows is None) == (word != "undecided" or hits / n == 0.9)


def test_no_rows_are_undecided():
    found = judge_score([], 0.9, 0.05)
    assert (found.verdict, found.more_rows) == ("undecided", None)


def test_a_limit_of_1_cannot_be_proved_but_can_be_missed():
    assert judge_score(coins(1000, 1000), 1.0, 0.05).verdict == "undecided"
    assert judge_score(coins(999, 1000), 1.0, 0.05).verdict == "fail"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80), st.floats(0.01, 1), st.floats(1e-4, 0.5))
def test_a_verdict_never_contradicts_the_mean(scores, limit, error):
    found = judge_score(scores, limit, error)
    assert found.got is not None
    if found.verdict == "pass":
        assert found.got >= limit - 1e-9
    if found.verdict == "fail":
        assert found.got <= limit + 1e-9


@given(st.integers(0, 40), st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.sampled_from([0.05, 0.01]))
def test_the_further_rows_do_settle_it(hits, limit, error):
    """If the score stays as it is, the number of rows that is named brings a verdict."""
    scores = coins(hits, 40)
    more = rows_to_settle(scores, limit, error)
    if hits / 40 == limit:
        assert more is None
        return
    assert more is not None
    total = 40 + more
    away = 1 if hits / 40 > limit else -1  # the share need not be a whole number of rows
    settled = min(total, max(0, round(hits / 40 * total) + away))
    wanted = "pass" if hits / 40 > limit else "fail"
    assert judge_score(coins(settled, total), limit, error).verdict == wanted


def test_a_score_a_hair_from_the_limit_asks_for_no_impossible_number():
    assert rows_to_settle(coins(900_001, 1_000_000), 0.9, 0.05) is None
    assert rows_to_settle([], 0.9, 0.05) is None


# What a set can detect


@pytest.mark.parametrize("rows", [40, 100, 213, 400])
@pytest.mark.parametrize("limit", [0.5, 0.85])
def test_the_detectable_score_is_proved_with_the_power_that_is_named(rows, limit):
    gate = GateLimits(min_score=limit)
    found = detectable_score(rows, gate, 1)
    assert found is not None
    assert limit < found < 1
    error = error_at_look(len(looks(rows)) - 1, len(looks(rows)), 1 - gate.confidence)
    proving = [
        hits
        for hits in range(rows + 1)
        if judge_score(coins(hits, rows), limit, error).verdict == "pass"
    ]
    assert binom.sf(min(proving) - 1, rows, found) == pytest.approx(0.8, abs=1e-6)


def test_more_rows_detect_a_smaller_difference():
    found = [detectable_score(rows, GateLimits(min_score=0.85), 1) for rows in (50, 100, 200, 400)]
    assert None not in found
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(("rows", "limit"), [(0, 0.5), (1, 0.9), (20, 0.9), (400, 1.0)])
def test_too_few_rows_detect_nothing(rows, limit):
    assert detectable_score(rows, GateLimits(min_score=limit), 1) is None


# Latency, cost, errors


def test_latency_needs_59_requests_to_pass_at_95_percent():
    assert judge_latency([10.0] * 58, 10, 0.05).verdict == "undecided"
    assert judge_latency([10.0] * 59, 10, 0.05).verdict == "pass"


def test_latency_fails_when_more_than_one_in_twenty_is_surely_slower():
    found = judge_latency([10.0] * 80 + [11.0] * 20, 10, 0.05)
    assert (found.verdict, found.got, found.distance) == ("fail", 11, -1)
    assert found.limit == "max_p95_ms"
    assert "20 of 100 requests took longer than 10 ms" in limit_reason(found)


def test_one_slow_request_in_a_hundred_does_not_fail_it():
    found = judge_latency([10.0] * 99 + [9999.0], 10, 0.05)
    assert found.got == 10
    assert found.verdict != "fail"


@pytest.mark.parametrize(
    ("price", "word", "distance"), [(0.3, "pass", 0.1), (0.4, "pass", 0), (0.5, "fail", -0.1)]
)
def test_cost_is_compared_with_its_limit(price, word, distance):
    found = judge_cost(price, 0.4)
    assert found.verdict == word
    assert found.distance == pytest.approx(distance)


def test_an_unknown_price_leaves_cost_undecided_and_says_what_to_do():
    found = judge_cost(None, 0.4)
    assert (found.verdict, found.got, found.distance) == ("undecided", None, None)
    assert "prices:" in limit_reason(found)


@pytest.mark.parametrize(
    ("errors", "requests", "word"),
    [(0, 0, "pass"), (2, 100, "pass"), (3, 100, "none"), (1, 1, "none")],
)
def test_too_many_errors_leave_no_verdict(errors, requests, word):
    assert judge_errors(errors, requests, 0.02).verdict == word


# All limits together


def limit(word: str, distance: float | None = 0.0) -> LimitVerdict:
    return LimitVerdict.model_validate(
        {
            "limit": "min_score",
            "wanted": 0.9,
            "got": 0.9,
            "distance": distance,
            "verdict": word,
        }
    )


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "undecided"], "undecided"),
        (["undecided", "fail", "pass"], "fail"),
        (["fail", "none"], "none"),
        (["none", "undecided"], "none"),
    ],
)
def test_the_gravest_limit_decides(words, status):
    assert combine([limit(word) for word in words]).status == status


@pytest.mark.parametrize(
    ("words", "distances", "leans_to_pass"),
    [
        (["undecided", "pass"], [0.01, 0.0], True),
        (["undecided", "pass"], [-0.01, 1.0], False),
        (["undecided"], [None], False),
        (["pass"], [0.1], False),
        (["fail"], [0.1], False),
    ],
)
def test_unproven_means_the_estimates_hold_but_the_evidence_does_not(
    words, distances, leans_to_pass
):
    limits = [limit(word, distance) for word, distance in zip(words, distances, strict=True)]
    assert combine(limits).leans_to_pass is leans_to_pass


# Percentiles


def test_percentiles_by_hand():
    values = [30.0, 10.0, 20.0, 40.0]
    assert [percentile(values, share) for share in (0.25, 0.5, 0.51, 0.95, 1)] == [
        10,
        20,
        30,
        40,
        40,
    ]
    assert percentile([7.0], 0.5) == 7
    assert math.isnan(percentile([], 0.5))


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_value_that_covers_the_share(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def looked(failed_at: dict[int, int], scores: list[float], most_failed: float = 0.02):
    """Look at rows of which so many have failed at each count."""
    counts = looks(len(scores))
    now = [0]

    def read(count: int):
        now[0] = failed_at.get(count, max([0, *(n for at, n in failed_at.items() if at < count)]))
        return scores[: count - now[0]], None

    return judge_in_looks(read, counts, 0.5, 0.05, lambda: now[0], most_failed)


def test_a_clear_verdict_waits_until_the_failures_are_few() -> None:
    """One of 25 rows failed, 4 %: among 50 it is the 2 % that may fail."""
    verdict, seen = looked({25: 1}, [1.0] * 400)
    assert (verdict.verdict, seen) == ("pass", (25, 50))
    assert limit_reason(verdict).startswith("24 rows"), (
        "the verdict of the look that was clear stands"
    )


def test_no_further_rows_are_read_where_too_many_have_failed_for_all_of_them() -> None:
    _, seen = looked({25: 9}, [1.0] * 400)
    assert seen == (25,)


def test_without_failures_the_first_clear_look_is_the_last() -> None:
    assert looked({}, [1.0] * 400)[1] == (25,)


def test_a_fixed_number_of_rows_has_its_power_and_one_row_less_has_not() -> None:
    """Exactly: the chance of enough right answers among n at the true score, from the binomial."""
    gate = GateLimits(min_score=0.85)
    rows = fixed_rows(0.9, gate, rungs=1)
    assert rows == 281

    def power(n: int) -> float:
        passing = [hits for hits in range(n + 1) if binom.sf(hits - 1, n, 0.85) <= 0.05]
        return float(binom.sf(passing[0] - 1, n, 0.9)) if passing else 0.0

    assert power(rows) >= 0.8 > power(rows - 1)
