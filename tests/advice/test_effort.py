"""What a decision took, and what other plans take, counted by hand."""

from __future__ import annotations

from advice.test_recommend import TRAININGS, attempt, skipped, task

from ladder.advice.effort import effort
from ladder.evidence import Asked, Attempt, DataReport, RaceLine, TokenUse
from ladder.gate.planning import fixed_rows


def data(gate: int = 400) -> DataReport:
    return DataReport(
        train=0,
        dev=120,
        gate=gate,
        sealed=150,
        reserve=0,
        documents=0,
        unlabeled=0,
        duplicates=0,
        contaminated=(),
        detectable=None,
        digests={},
    )


def reading(found: Attempt, tokens: float) -> Attempt:
    assert found.measurement
    use = TokenUse(input_mean=tokens, output_mean=0)
    return found.but(measurement=found.measurement.but(tokens=use))


PROMPT = reading(attempt("prompt", "fail"), 10)
RAG = reading(attempt("rag", "pass"), 100)
NEEDED = {"race": Asked(calls=300, tokens=9_000), "measuring": Asked(calls=400, tokens=22_000)}


def test_what_was_needed_is_told_as_it_is() -> None:
    found = effort(task(), data(), [PROMPT, RAG], NEEDED, TRAININGS)
    assert found.by_purpose == NEEDED
    assert (found.trainings_made, found.training_avoided) == (0, ("lora", "distill"))


def test_a_rung_that_was_not_climbed_counts_as_the_cheapest_that_was() -> None:
    found = effort(task(), data(), [PROMPT, RAG], NEEDED, TRAININGS).plans["every rung"]
    # 200 of 400 rows are left on both rungs; lora and distill answer all 400 at 10 tokens.
    assert found == Asked(calls=700 + 2 * 200 + 2 * 400, tokens=31_000 + 2_000 + 20_000 + 8_000)


def test_no_halving_has_each_candidate_answer_every_dev_example() -> None:
    def line(name: str, n: int, errors: int = 0, asks: str = "") -> RaceLine:
        return RaceLine(
            description=name,
            candidate=name,
            score=0.5,
            n=n,
            dropped=True,
            errors=errors,
            tokens=20,
            asks=asks,
        )

    raced = RAG.but(
        race=(
            line("a", 120),
            line("b", 16),
            line("c", 47, errors=1),
            line("d", 60, asks="same"),
            line("e", 100, asks="same"),
        )
    )
    found = effort(task(), data(), [PROMPT, raced], NEEDED, TRAININGS).plans["every candidate"]
    assert found == Asked(calls=700 + 104 + 72 + 20, tokens=31_000 + 196 * 20)


def test_a_fixed_number_of_examples_may_be_fewer_or_more_than_were_read() -> None:
    wanted = fixed_rows(0.9, task().gate, 4)
    assert wanted == 126
    found = effort(task(), data(), [PROMPT, RAG], NEEDED, TRAININGS).plans["fixed rows"]
    assert found == Asked(calls=700 - 2 * 74, tokens=31_000 - 74 * 110)
    few = effort(task(), data(gate=100), [PROMPT, RAG], NEEDED, TRAININGS).plans["fixed rows"]
    assert few.calls == 700 - 2 * 100


def test_where_nothing_was_measured_there_is_nothing_to_compare_with() -> None:
    found = effort(task(), data(), [skipped("prompt")], {}, TRAININGS)
    assert (found.plans, found.by_purpose) == ({}, {})


def test_only_trainings_that_were_asked_for_and_not_made_are_avoided() -> None:
    two = task(rungs=["prompt", "lora"])
    made = effort(two, data(), [PROMPT, attempt("lora", "pass")], NEEDED, TRAININGS)
    assert (made.trainings_made, made.training_avoided) == (1, ())
    spared = effort(two, data(), [PROMPT, skipped("lora")], NEEDED, TRAININGS)
    assert spared.training_avoided == ("lora",)
