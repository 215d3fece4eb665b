"""The gate: three verdicts, and the limits beside the score."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.evidence import LimitVerdict
from ladder.gate.quantiles import percentile
from ladder.gate.verdict import (
    combine,
    judge_cost,
    judge_errors,
    judge_latency,
    judge_score,
    rows_to_settle,
)
from ladder.report.limits import limit_reason


def coins(hits: int, n: int) -> list[float]:
    return [1.0] * hits + [0.0] * (n - hits)


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


# Latency, cost, errors


def test_latency_needs_59_requests_to_pass_at_95_percent():
    assert judge_latency([10.0] * 58, 10, 0.05).verdict == "undecided"
    assert judge_latency([10.0] * 59, 10, 0.05).verdict == "pass"


def test_latency_fails_when_more_than_one_in_twenty_is_surely_slower():
    found = judge_latency([10.0] * 80 + [11.0] * 20, 10, 0.05)
    assert (found.verdict, found.got, found.distance) == ("fail", 11, -1)
    assert found.limit == "max_p95_ms"
    assert "20 of 100 requests were not answered within 10 ms" in limit_reason(found)


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


def test_what_was_not_answered_is_not_answered_in_time():
    """Time-outs that were left out made a slow system pass."""
    in_time, slow, failed = [10.0] * 192, [900.0] * 4, [math.inf] * 4
    found = judge_latency([*in_time, *slow, *failed], 800, 0.05, 0.02)
    assert (found.n, found.missed, found.failed) == (200, 8, 4)
    assert found.verdict == judge_latency([*in_time, *slow * 2], 800, 0.05).verdict == "undecided"
    assert judge_latency([*in_time, *slow], 800, 0.05).verdict == "pass"
