"""Reasons are said from what the gate measured, and from what kept it from a verdict."""

from __future__ import annotations

import math

import pytest
from assessments import assessment, attempt, full_assessment

from ladder.evidence import (
    Attempt,
    Cause,
    CommonMiss,
    Diagnosis,
    Estimate,
    Failures,
    LimitVerdict,
    RaceLine,
    Recommendation,
)
from ladder.gate.verdict import combine, judge_cost, judge_errors, judge_latency, judge_score
from ladder.report.causes import diagnosis_sentence
from ladder.report.control import control_sentence
from ladder.report.limits import limit_reason
from ladder.report.markdown import as_markdown
from ladder.report.reasons import answer_reasons, attempt_reason, why_withheld

RIGHT, WRONG = [1.0] * 100, [0.0] * 100


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (judge_score(RIGHT, 0.8, 0.05), "100 rows place the true score at least 0.970"),
        (judge_score(WRONG, 0.8, 0.05), "100 rows place the true score between 0.000 and 0.030"),
        (judge_score([], 0.8, 0.05), "0 rows place the true score between 0.000 and 1.000"),
        (
            judge_latency([10.0] * 99 + [900.0, math.inf], 100, 0.05),
            "2 of 101 requests were not answered within 100 ms (1 of them failed)",
        ),
        (judge_latency([10.0, *[math.inf] * 9], 100, 0.05), "9 of 10 timed requests failed"),
        (judge_latency([math.inf] * 3, 100, 0.05), "none of 3 timed requests was answered"),
        (judge_cost(0.25, 1), "0.2500 USD per 1,000 requests"),
        (judge_cost(None, 1), "no price is known: give `prices:` in the task file"),
        (
            judge_errors(7, 100, 0.02),
            "7 of 100 requests gave no answer, or none that could be scored",
        ),
        (
            LimitVerdict(limit="max_p95_ms", wanted=1, got=5, distance=-4, verdict="fail"),
            "measured 5",
        ),
    ],
)
def test_each_limit_says_what_it_rests_on(limit: LimitVerdict, said: str) -> None:
    assert limit_reason(limit) == said


def test_only_the_limits_that_decided_are_the_reason() -> None:
    verdict = combine([judge_score(WRONG, 0.8, 0.05), judge_cost(0.25, 1)])
    failed = attempt("prompt", "fail", verdict=verdict, reason="")
    assert attempt_reason(failed, [failed]) == (
        "min_score: 100 rows place the true score between 0.000 and 0.030"
    )


def test_requests_that_failed_say_how_and_in_whose_words() -> None:
    measured = attempt("prompt", "pass").measurement
    assert measured is not None
    lost = attempt(
        "prompt", "pass", status="no verdict", reason="",
        verdict=combine([judge_errors(7, 100, 0.02)]),
        measurement=measured.but(error_kinds={"HTTP 500": 7}, commonest_error="boom"),
    )  # fmt: skip
    assert attempt_reason(lost, [lost]).endswith("could be scored (7 x HTTP 500: boom)")


def test_a_candidate_that_was_not_heard_is_the_reason() -> None:
    race = (RaceLine(description="lost", score=0, n=0, dropped=True, unheard=True),)
    found = attempt(
        "prompt", "fail", status="no verdict", reason="", race=race,
        verdict=combine([judge_score(WRONG, 0.8, 0.05)]),
    )  # fmt: skip
    assert attempt_reason(found, [found]).startswith(
        "too many requests failed to race lost; what was raced: min_score: 100 rows"
    )


def test_a_refused_rung_says_the_gap_that_it_cannot_fix() -> None:
    right = Estimate(mean=0.95, low=0.9, high=1, n=40)
    gap = Diagnosis(
        causes=(Cause(name="redundancy", share=0.9),),
        refuses=("lora",),
        ablations={"oracle": right},
        without_oracle=0.4,
    )
    rag = attempt("rag", "fail", diagnosis=gap)
    lora = Attempt(rung="lora", status="skipped", refused_after="rag")
    assert attempt_reason(lora, [rag, lora]) == (
        "refused after rag: Given the right documents the same model scores 0.95 instead of 0.40: "
        "the gap is redundancy, not skill, so training is refused. Fix that first."
    )
    assert attempt_reason(lora, [lora]).startswith("refused after rag"), "a foreign record"


@pytest.mark.parametrize(
    ("word", "latency", "said"),
    [
        ("pass", "fail", "Only latency fails: a smaller model can fix that"),
        ("undecided", "pass", "The score holds so far; the rows are too few to prove it."),
        ("fail", "pass", "No single cause stands out."),
    ],
)
def test_a_failure_without_a_cause_among_the_answers(word: str, latency: str, said: str) -> None:
    slow = LimitVerdict.model_validate(
        {"limit": "max_p95_ms", "wanted": 1, "got": 5, "distance": -4, "verdict": latency}
    )
    found = attempt("prompt", word)
    assert found.verdict is not None
    causes = (Cause(name="latency", share=0),) if latency == "fail" else ()
    found = found.but(
        verdict=combine([found.verdict.limits[0], slow]), diagnosis=Diagnosis(causes=causes)
    )
    assert diagnosis_sentence(found).startswith(said)


def test_why_there_is_no_verdict() -> None:
    none = Recommendation(rung=None, description="none of the rungs", withheld=True)
    stopped = assessment(recommendation=none, stopped="nothing listens")
    assert why_withheld(stopped) == "nothing listens"
    lost = Attempt(rung="rag", status="no verdict", reason="9 of 16 requests failed")
    found = assessment(recommendation=none, attempts=(attempt("prompt", "fail"), lost))
    assert why_withheld(found) == "rag: 9 of 16 requests failed"
    failures = Failures(kinds={"HTTP 500": 60}, of=60, words="boom")
    sealed = assessment(recommendation=none.but(tested="lora", sealed_failures=failures))
    assert why_withheld(sealed).startswith(
        "lora is not confirmed: the held-out test examples: 60 of 60 requests failed (60 x HTTP "
        "500: boom)."
    )
    assert why_withheld(assessment()) == ""


@pytest.mark.parametrize(
    ("control", "said"),
    [(0.55, "above every rung that was measured"), (0.05, "not worth its model")],
)
def test_a_control_below_the_gate_is_set_beside_the_rungs(control: float, said: str) -> None:
    a = full_assessment()
    failed = tuple(
        one.but(measurement=one.measurement.but(score=Estimate(mean=0.4, low=0.3, high=0.5, n=50)))
        for one in a.attempts
        if one.measurement
    )
    line = a.control.lines[0]
    line = line.but(score=Estimate(mean=control, low=0.0, high=0.7, n=50))
    a = a.but(attempts=failed, control=a.control.but(lines=(line,)))
    assert said in control_sentence(a)


@pytest.mark.parametrize(
    ("answer", "said"),
    [("", "are empty: nothing was answered"), ("negative", 'are the answer "negative"')],
)
def test_most_of_the_mistakes_are_one_answer(answer: str, said: str) -> None:
    failed = attempt("prompt", "fail")
    missed = CommonMiss(answer=answer, count=21, of=25)
    failed = failed.but(measurement=failed.measurement.but(common_miss=missed))
    a = full_assessment()
    a = a.but(
        attempts=(failed,),
        recommendation=Recommendation(rung=None, description="none", advice="stronger base"),
    )
    line = next(line for line in answer_reasons(a) if line.startswith("prompt failed"))
    assert line.endswith(f"; 21 of its 25 wrong answers {said}")
    assert f"21 of its 25 wrong answers {said}" in as_markdown(a)
