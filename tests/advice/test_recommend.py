"""From attempts to the answer and its reasons."""

from __future__ import annotations

import pytest

from ladder.advice.recommend import recommend
from ladder.evidence import (
    Advice,
    Attempt,
    Build,
    Candidate,
    Cause,
    CauseName,
    Comparison,
    Confirmation,
    Control,
    ControlLine,
    Diagnosis,
    Estimate,
    Failures,
    Fix,
    LimitVerdict,
    Measurement,
    Recommendation,
    TokenUse,
    Verdict,
    VerdictWord,
)
from ladder.gate.verdict import combine
from ladder.report.control import control_instead
from ladder.report.reasons import advice_lines, rung_lines
from ladder.task import RungName, Task

TRAINS = {"prompt": "nothing", "rag": "nothing", "lora": "base", "distill": "student"}
CONTROL = Control(
    lines=(
        ControlLine(
            name="majority",
            score=Estimate(mean=0.5, low=0.4, high=0.6, n=100),
            latency_ms=0.1,
            cost_usd_per_1k=0,
        ),
    ),
)

TRAININGS: tuple[RungName, ...] = ("lora", "distill")


def task(**more: object) -> Task:
    values = {
        "name": "t",
        "goal": "Sort the mail.",
        "data": {"test": "t.jsonl"},
        "score": "exact_match",
        "gate": {"min_score": 0.8},
        "use": {"requests_per_month": 250_000},
    }
    return Task.model_validate({**values, **more})


def limit(word: VerdictWord, mean: float = 0.85, more_rows: int | None = None) -> LimitVerdict:
    return LimitVerdict(
        limit="min_score",
        wanted=0.8,
        got=mean,
        distance=mean - 0.8,
        verdict=word,
        more_rows=more_rows,
    )


def attempt(
    rung: RungName, word: VerdictWord, cost: float | None = 0.04, more_rows: int | None = None
) -> Attempt:
    mean = 0.7 if word == "fail" else 0.85
    status = {"pass": "passed", "fail": "failed"}.get(word, "undecided")
    return Attempt.model_validate(
        {
            "rung": rung,
            "status": status,
            "reason": f"the reason of {rung}",
            "candidate": Candidate(rung=rung, description=f"best {rung}", model="replay:x"),
            "measurement": Measurement(
                score=Estimate(mean=mean, low=mean - 0.05, high=mean + 0.05, n=200),
                cost_usd_per_1k=cost,
                tokens=TokenUse(input_mean=1, output_mean=1),
                requests=200,
                build=Build(usd=0.25),
                fingerprint={"weights": "abc"},
            ),
            "verdict": combine([limit(word, mean, more_rows)]),
        }
    )


def skipped(rung: RungName) -> Attempt:
    return Attempt(rung=rung, status="skipped", reason="no documents are given")


def explained(found: Attempt, cause: CauseName, *refuses: RungName) -> Attempt:
    causes = (Cause(name=cause, share=0.6, count=6, of=10),)
    return found.but(diagnosis=Diagnosis(causes=causes, refuses=refuses))


def reasons(found: Recommendation, attempts: list[Attempt]) -> list[str]:
    return [*rung_lines(found, attempts), *advice_lines(found, attempts)]


def test_the_rung_that_passes_is_recommended_with_its_reasons() -> None:
    attempts = [
        explained(attempt("prompt", "fail"), "knowledge"),
        skipped("rag"),
        attempt("lora", "pass"),
    ]
    found = recommend(task(), attempts, attempts[2], None)
    assert (found.rung, found.description, found.leans_to_pass) == ("lora", "best lora", False)
    assert reasons(found, attempts) == [
        "lora is the first rung that passes: eval score 0.85 (0.80–0.90, n = 200).",
        "prompt failed: 6 of 10 misses: does not know what the documents say",
        "rag skipped: no documents are given",
    ]
    assert (found.confirmed, found.confirmed_verdict) == (None, None)


def test_costs_are_those_of_the_users_volume() -> None:
    chosen = attempt("prompt", "pass", cost=0.04)
    found = recommend(task(), [chosen], chosen, None)
    assert found.cost == {
        "usd_per_1k": 0.04,
        "usd_per_month": pytest.approx(10),
        "build_usd": 0.25,
        "requests_per_month": 250_000.0,
    }
    assert found.deployment["model"] == "replay:x"
    assert found.deployment["fingerprint"] == {"weights": "abc"}


def test_an_unknown_price_stays_unknown() -> None:
    chosen = attempt("prompt", "pass", cost=None)
    found = recommend(task(), [chosen], chosen, None)
    assert found.cost["usd_per_1k"] is None
    assert found.cost["usd_per_month"] is None


def test_rungs_above_the_chosen_one_are_no_reason() -> None:
    attempts = [attempt("prompt", "pass"), attempt("rag", "fail")]
    found = recommend(task(), attempts, attempts[0], None)
    [reason] = reasons(found, attempts)
    assert "prompt" in reason


def test_unproven_says_so_and_how_many_rows_would_settle_it() -> None:
    chosen = attempt("prompt", "undecided", more_rows=1234)
    found = recommend(task(), [chosen], chosen, None)
    assert found.leans_to_pass
    said = reasons(found, [chosen])[0]
    assert said.startswith("prompt is inconclusive, leans to pass: eval score")
    [_, reason] = reasons(found, [chosen])
    assert reason.startswith("Unproven")
    assert "about 1,234 more rows would settle it" in reason
    chosen = attempt("prompt", "undecided")
    [_, reason] = reasons(recommend(task(), [chosen], chosen, None), [chosen])
    assert reason == "Unproven: the estimates hold every limit, the evidence does not."


def test_sealed_rows_that_miss_the_gate_are_said_aloud() -> None:
    chosen = attempt("prompt", "pass")
    low = Estimate(mean=0.6, low=0.5, high=0.7, n=100)
    sealed = Confirmation(score=low, verdict=limit("fail", 0.6), rows=100)
    found = recommend(task(), [chosen], chosen, sealed)
    assert (found.rung, found.tested, found.withheld) == (None, "prompt", False)
    assert (found.confirmed, found.confirmed_verdict) == (low, "fail")
    assert any("do not ship" in reason for reason in reasons(found, [chosen]))


def test_sealed_rows_that_could_not_be_asked_withhold_the_answer() -> None:
    chosen = attempt("prompt", "pass")
    none = Estimate(mean=0.0, low=0.0, high=1.0, n=0)
    failures = Failures(kinds={"HTTP 500": 60}, of=60, words="boom")
    sealed = Confirmation(score=none, verdict=limit("none"), rows=60, failures=failures)
    found = recommend(task(), [chosen], chosen, sealed)
    assert (found.rung, found.tested) == (None, "prompt")
    assert (found.withheld, found.sealed_failures) == (True, failures)
    assert "prompt is not confirmed on the held-out test set" in reasons(found, [chosen])[-1]


def test_a_rung_without_a_verdict_withholds_the_answer() -> None:
    lost = Attempt(rung="rag", status="no verdict", reason="9 of 16 requests failed")
    attempts = [attempt("prompt", "fail"), lost]
    found = recommend(task(), attempts, None, None)
    assert (found.rung, found.withheld, found.advice) == (None, True, None)
    assert reasons(found, attempts)[1:] == [
        "rag: no verdict",
        "Nothing is concluded from this, and no rung above is climbed to. "
        "What was answered is kept: the same command asks only for what is missing.",
    ]


def test_a_run_that_was_stopped_withholds_the_answer() -> None:
    chosen = attempt("prompt", "pass")
    found = recommend(task(), [chosen], chosen, None, stopped="nothing listens")
    assert (found.rung, found.withheld) == (None, True)


@pytest.mark.parametrize("word", ["pass", "undecided"])
def test_sealed_rows_that_do_not_refute_are_no_warning(word: VerdictWord) -> None:
    chosen = attempt("prompt", "pass")
    same = Estimate(mean=0.84, low=0.75, high=0.9, n=100)
    sealed = Confirmation(score=same, verdict=limit(word), rows=100)
    found = recommend(task(), [chosen], chosen, sealed)
    assert (found.confirmed, found.confirmed_verdict) == (same, word)
    assert not any("confirmed" in reason for reason in reasons(found, [chosen]))


def test_no_rung_passes() -> None:
    attempts = [attempt("prompt", "fail"), skipped("rag"), attempt("lora", "fail")]
    attempts.append(skipped("distill"))
    found = recommend(task(), attempts, None, None, trains=TRAINS)
    assert (found.rung, found.cost, found.deployment) == (None, {}, {})
    assert reasons(found, attempts) == [
        "prompt failed: the reason of prompt",
        "rag skipped: no documents are given",
        "lora failed: the reason of lora",
        "distill skipped: no documents are given",
        "No rung passes this gate with this base model: try a stronger base first.",
    ]


def test_rungs_that_were_left_out_are_not_said_to_fail() -> None:
    attempts = [attempt("prompt", "fail"), skipped("rag")]
    found = recommend(task(), attempts, None, None, trains=TRAINS)
    assert (found.advice, found.not_measured) == ("climb on", ("lora", "distill"))
    assert any("Not measured: lora, distill" in reason for reason in reasons(found, attempts))
    assert not any("No rung passes" in reason for reason in reasons(found, attempts))


def test_a_rung_that_would_train_what_is_not_here_is_no_reason_to_climb_on() -> None:
    attempts = [attempt("prompt", "fail"), skipped("rag")]
    found = recommend(task(), attempts, None, None, trains=TRAINS, weights_here=False)
    assert (found.not_measured, found.needs_weights) == (("distill",), ("lora",))
    said = " ".join(reasons(found, attempts))
    assert "Not measured: distill, left out" in said
    assert "lora would train the base, whose weights are not here" in said
    attempts.append(attempt("distill", "fail"))
    found = recommend(task(), attempts, None, None, trains=TRAINS, weights_here=False)
    assert found.advice == "stronger base"


@pytest.mark.parametrize(("score", "advice"), [("pass", "lighter"), ("fail", "stronger base")])
def test_where_latency_alone_is_missed_more_training_is_not_the_advice(
    score: VerdictWord, advice: Advice
) -> None:
    late = limit("fail").but(limit="max_p95_ms", wanted=120.0, got=159.0, distance=-39.0)
    verdict = Verdict(status="fail", limits=(limit(score), late))
    attempts = [attempt("prompt", "fail"), attempt("lora", "fail").but(verdict=verdict)]
    attempts += [skipped("rag"), attempt("distill", "fail").but(verdict=verdict)]
    found = recommend(task(), attempts, None, None, trains=TRAINS)
    assert found.advice == advice
    assert found.holds_score == (("lora", "distill") if advice == "lighter" else ())
    said = reasons(found, attempts)[-1]
    words = "lora and distill hold the score and miss a limit of latency or cost alone (lora: p95 "
    assert said.startswith(f"{words}159 ms, limit 120 ms; distill: p95") is (advice == "lighter")


def test_where_training_is_refused_a_stronger_base_is_not_the_advice() -> None:
    attempts = [explained(attempt("rag", "fail"), "retrieval", "lora", "distill")]
    found = recommend(task(), attempts, None, None, trains=TRAINS)
    assert (found.rung, found.advice) == (None, "fix")
    rag, advice = reasons(found, attempts)
    assert rag.startswith("rag failed: The gap is retrieval, not skill")
    assert advice.startswith("Do not train for this")


@pytest.mark.parametrize(
    ("reached", "said"), [(0.82, "Take majority instead"), (0.7, "misses the gate by 0.10")]
)
def test_a_rung_not_proven_better_than_the_control_says_so(reached: float, said: str) -> None:
    found = Comparison(
        other="control",
        difference=0.03,
        low=-0.01,
        high=0.07,
        n=200,
        p_value=0.2,
        claim="no difference proven",
    )
    line = CONTROL.lines[0]
    score = line.score.model_copy(update={"mean": reached})
    control = CONTROL.model_copy(update={"lines": (line.model_copy(update={"score": score}),)})
    lora = attempt("lora", "pass").model_copy(update={"comparisons": (found,)})
    instead = control_instead(lora, control, 0.8)
    assert "lora is not proven better than majority" in instead
    assert said in instead
    better = lora.model_copy(
        update={"comparisons": (found.model_copy(update={"claim": "better"}),)}
    )
    assert control_instead(better, control, 0.8) == ""
    assert control_instead(lora, None, 0.8) == ""


def test_what_was_mended_is_a_reason() -> None:
    found = Comparison(
        other="without the change",
        difference=0.61,
        low=0.5,
        high=0.7,
        n=54,
        p_value=0.001,
        claim="better",
    )
    fix = Fix(
        cause="redundancy",
        ablation="unique",
        on_dev=found,
        unseen=found,
        tokens=(119.0, 140.0),
        kept=True,
    )
    rag = attempt("rag", "pass").model_copy(
        update={"fixes": (fix, fix.model_copy(update={"cause": "position", "kept": False}))}
    )
    _, said = reasons(recommend(task(), [rag], rag, None), [rag])
    assert said.startswith("Mended first")
    assert "redundancy (repeats left out: +0.61)" in said
    assert "position" not in said, "what was not kept is not in the answer"
