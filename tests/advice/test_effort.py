"""What a decision took, and what other plans take, counted by hand."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from advice.test_recommend import TRAININGS, attempt, skipped, task
from engines.faulty_server import FaultyServer, Seen, Step, saying
from hypothesis import given
from hypothesis import strategies as st
from small_tasks import write_task

from ladder.advice.effort import effort
from ladder.commands.assess import assess
from ladder.evidence import Asked, Attempt, DataReport, Effort, Purpose, RaceLine, TokenUse
from ladder.files import digest_of
from ladder.gate.planning import fixed_rows
from ladder.progress import Quiet
from ladder.task import load_task


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
    use = TokenUse(input_mean=tokens, output_mean=0, least=round(0.8 * tokens))
    return found.but(measurement=found.measurement.but(tokens=use))


PROMPT = reading(attempt("prompt", "fail"), 10)
RAG = reading(attempt("rag", "pass"), 100)
NEEDED = {"race": Asked(calls=300, tokens=9_000), "measuring": Asked(calls=400, tokens=22_000)}


def charged(rows: int) -> int:
    """Return how many of so many rows are charged: as many as the gate allows may fail, and one."""
    return rows - 1 - math.ceil(rows * task().gate.max_error_rate)


def test_what_was_needed_is_told_as_it_is() -> None:
    found = effort(task(), data(), [PROMPT, RAG], NEEDED, TRAININGS)
    assert found.by_purpose == NEEDED
    assert (found.trainings_made, found.training_avoided) == (0, ("lora", "distill"))


def test_a_rung_that_was_not_climbed_is_charged_nothing() -> None:
    found = effort(task(), data(), [PROMPT, RAG], NEEDED, TRAININGS).plans["every rung"]
    # 200 of 400 rows are left on both rungs.
    assert found == Asked(calls=700 + 2 * 200, tokens=31_000 + charged(200) * (8 + 80))
    beside = [PROMPT, RAG, skipped("lora"), skipped("distill")]
    assert effort(task(), data(), beside, NEEDED, TRAININGS).plans["every rung"] == found


def test_after_all_every_rung_is_what_was_taken() -> None:
    needed: dict[Purpose, Asked] = {**NEEDED, "diagnosis": Asked(calls=9, tokens=99)}
    found = effort(task(), data(), [PROMPT, RAG], needed, TRAININGS, every=True)
    assert found.plans["every rung"] == Asked(calls=709, tokens=31_099)


def test_what_hangs_on_a_verdict_is_not_certain() -> None:
    more: dict[Purpose, Asked] = {
        name: Asked(calls=1_000, tokens=50_000)
        for name in ("diagnosis", "context curve", "latency", "confirmation", "judge")
    }
    plain = effort(task(), data(), [PROMPT, RAG], NEEDED, TRAININGS).plans
    found = effort(task(), data(), [PROMPT, RAG], {**NEEDED, **more}, TRAININGS).plans
    assert {**found, "every candidate": None} == {**plain, "every candidate": None}
    assert found["every candidate"].tokens == plain["every candidate"].tokens + 5 * 50_000


def test_a_student_that_another_system_might_have_taught_bounds_nothing() -> None:
    refused = Attempt(rung="rag", status="skipped", refused_after="prompt")
    student = reading(attempt("distill", "pass"), 10)
    found = effort(task(), data(), [PROMPT, refused, student], NEEDED, TRAININGS).plans
    assert "every rung" not in found
    assert "every rung" in effort(task(), data(), [PROMPT, refused], NEEDED, TRAININGS).plans


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
            least=15,
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
    tokens = 15 * (charged(104) + charged(72) + charged(20))
    assert found == Asked(calls=700 + 104 + 72 + 20, tokens=31_000 + tokens)


def test_a_fixed_number_of_examples_may_be_fewer_or_more_than_were_read() -> None:
    wanted = fixed_rows(0.9, task().gate, 4)
    assert wanted == 126
    found = effort(task(), data(), [PROMPT, RAG], NEEDED, TRAININGS).plans["fixed rows"]
    # Which tokens of the 200 it would be is not known.
    assert found == Asked(calls=300 + 2 * 126, tokens=9_000 + charged(126) * (8 + 80))
    few = effort(task(), data(gate=100), [PROMPT, RAG], NEEDED, TRAININGS).plans["fixed rows"]
    assert few.calls == 300 + 2 * 100
    short = [each.but(measurement=each.measurement.but(requests=60)) for each in (PROMPT, RAG)]
    more = effort(task(), data(), short, NEEDED, TRAININGS).plans["fixed rows"]
    assert more == Asked(calls=700 + 2 * 66, tokens=31_000 + charged(66) * (8 + 80))


@pytest.mark.slow
@given(st.data())
def test_no_bound_exceeds_what_its_plan_takes(drawn: st.DataObject) -> None:
    """Rungs of random prompts, some of which fail; the plans are carried out row by row.

    A request has a head that every one of its rung has, and the length of its row on top. Rows are
    mixed: the shortest row of all stands among those that were read.
    """
    rows, rungs = 60, drawn.draw(st.integers(1, 4))
    most = fixed_rows(0.9, task().gate, 4) or rows
    tokens = st.lists(st.integers(0, 50), min_size=rows, max_size=rows)
    attempts, measuring, whole, fixed = [], 0, 0, 0
    confirmed = drawn.draw(st.integers(0, 5_000))
    for name in ("prompt", "rag", "lora", "distill")[:rungs]:
        read, head = drawn.draw(st.integers(1, rows)), drawn.draw(st.integers(1, 200))
        lost = drawn.draw(st.sets(st.integers(1, rows - 1), max_size=2))
        taken = [head + each for each in drawn.draw(tokens)]
        taken[0] = head
        taken = [0 if at in lost else each for at, each in enumerate(taken)]
        known = [each for at, each in enumerate(taken[:read]) if at not in lost]
        use = TokenUse(input_mean=fmean(known), output_mean=0, least=min(known))
        found = attempt(name, "fail")
        assert found.measurement
        errors = read - len(known)
        measured = found.measurement.but(requests=read, errors=errors, tokens=use)
        attempts.append(found.but(measurement=measured))
        measuring, whole = measuring + sum(known), whole + sum(taken)
        fixed += sum(taken[: min(rows, most)])
    needed: dict[Purpose, Asked] = {
        "race": Asked(tokens=700),
        "measuring": Asked(tokens=measuring),
        "confirmation": Asked(tokens=confirmed),
        "diagnosis": Asked(tokens=drawn.draw(st.integers(0, 5_000))),
    }
    # The other plans may confirm nothing, and explain nothing.
    plans = effort(task(), data(gate=rows), attempts, needed, TRAININGS).plans
    assert plans["every rung"].tokens <= 700 + whole
    assert plans["fixed rows"].tokens <= 700 + fixed


def test_where_nothing_was_measured_there_is_nothing_to_compare_with() -> None:
    found = effort(task(), data(), [skipped("prompt")], {}, TRAININGS)
    assert (found.plans, found.by_purpose) == ({}, {})


def test_only_trainings_that_were_asked_for_and_not_made_are_avoided() -> None:
    two = task(rungs=["prompt", "lora"])
    made = effort(two, data(), [PROMPT, attempt("lora", "pass")], NEEDED, TRAININGS)
    assert (made.trainings_made, made.training_avoided) == (1, ())
    spared = effort(two, data(), [PROMPT, skipped("lora")], NEEDED, TRAININGS)
    assert spared.training_avoided == ("lora",)


def decided(folder: Path, *, every: bool) -> Effort:
    """Climb over an endpoint that has seven of ten rows right: lora cannot be had there."""

    def row(split: str, number: int) -> dict[str, str]:
        words = " ".join(digest_of([split, number, at])[:5] for at in range(number % 17))
        return {"input": f"{split} {words} number {number}", "target": "right"}

    def script(seen: Seen) -> Step:
        words = "right" if int(digest_of(seen.question[-40:])[:4], 16) % 10 < 7 else "wrong"
        return saying(words, (len(seen.question.split()), 1))

    folder.mkdir()
    with FaultyServer(script) as server:
        models: dict[str, Any] = {"base": f"openai:any@{server.url}"}
        form = {"answer": {"type": "text", "max_tokens": 8}, "score": "exact_match"}
        path = write_task(folder, row, 60, 160, models=models, gate={"min_score": 0.9}, **form)
        found, _ = assess(load_task(path), folder / "runs", Quiet(), every=every)
    assert {a.rung for a in found.attempts if a.measurement} == {"prompt", "rag"}
    return found.effort


@pytest.mark.slow
def test_a_real_climb_bounds_what_all_of_it_takes(tmp_path: Path) -> None:
    few, everything = (decided(tmp_path / name, every=name == "all") for name in ("few", "all"))
    taken = [sum(each.tokens for each in found.by_purpose.values()) for found in (few, everything)]
    assert few.plans["every rung"].tokens <= taken[1]
    assert everything.plans["every rung"].tokens == taken[1]
    assert taken[0] < taken[1]
    assert few.plans["every rung"].tokens > taken[1] / 2, "and it says something"
