"""The prompt and rag rungs on models whose template or tokenizer has a habit of its own."""

from __future__ import annotations

import pytest
from benches import bench_over, task_with
from habits import CHATLESS, HABITS, with_habit

from ladder.engines.base import CUT_BEFORE_TEXT
from ladder.inference.answer import answer
from ladder.inference.forms import as_it_takes
from ladder.rungs import r1_prompt, r2_rag
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.training.rows import plain_candidate
from ladder.training.teacher import teacher_of

pytest.importorskip("torch")

THINKS = "begins a thought"
LABELS = ("refund", "delivery")
ROWS = tuple(
    Sample(id=f"t{at}", input=f"{text}, case {at}", target=LABELS[at % 2])
    for at, text in enumerate(["my money back", "where is the parcel"] * 5)
)
TEXTS = tuple(Sample(id=row.id, input=row.input, target=f"{row.target}\nand more") for row in ROWS)


def bench_of(habit, smollm, folder, *, rows=ROWS, labels=LABELS):
    model = with_habit(habit, smollm, folder / "model")
    task = task_with(
        goal="Name what the customer wants.",
        models={"base": f"hf:{model}", "teacher": f"hf:{model}"},
        answer={"type": "label" if labels else "text", "max_tokens": 8},
    )
    data = Data(rows[:8], rows[8:], rows[8:], (), labels=labels)
    return bench_over(task, data, folder)


@pytest.mark.slow
@pytest.mark.parametrize("habit", ["as it is", "refuses system", *sorted(CHATLESS)])
def test_a_chat_is_raced_where_the_model_takes_turns(habit, smollm, tmp_path):
    bench = bench_of(habit, smollm, tmp_path)
    first = r1_prompt.first_stage(bench, None)
    shown = r1_prompt.second_stage(bench, next(c for c in first if c.form == "plain"))
    read = r2_rag.first_stage(bench, None)
    for found in (first, shown, read):
        forms = {candidate.form for candidate in found}
        assert forms == ({"plain"} if habit in CHATLESS else {"chat", "plain"})
    teacher = teacher_of(bench.evaluator, None, "distill")
    assert teacher.form == ("plain" if habit in CHATLESS else "chat")
    assert as_it_takes(bench.evaluator, first[-1]) == first[-1]


@pytest.mark.parametrize("habit", ["as it is", "no template"])
def test_answers_of_several_lines_are_learnt_in_a_chat_where_there_is_one(habit, smollm, tmp_path):
    bench = bench_of(habit, smollm, tmp_path, rows=TEXTS, labels=())
    form = plain_candidate(bench.evaluator, "lora").form
    assert form == ("plain" if habit in CHATLESS else "chat")


IN_THE_GATE = {"refuses system", "no template", "bos in both", "instruction marks"}


@pytest.mark.parametrize(
    "habit",
    [
        pytest.param(habit, marks=pytest.mark.slow if habit in IN_THE_GATE else pytest.mark.long)
        for habit in HABITS
    ],
)
def test_every_form_of_the_prompt_rung_is_answered(habit, smollm, tmp_path):
    """Scored, free and with shots, in a chat and plain, by the real weights."""
    bench = bench_of(habit, smollm, tmp_path)
    first = r1_prompt.first_stage(bench, None)
    shown = r1_prompt.second_stage(bench, first[0])
    ways = {(c.form, c.decoding, len(c.shots)): c for c in (*first, *shown)}
    assert len(ways) >= (3 if habit in CHATLESS else 6)
    for candidate in ways.values():
        outcomes = answer(bench.evaluator, candidate, ROWS[8:])
        thinks_on = (candidate.form, candidate.decoding, habit) == ("chat", "free", THINKS)
        if thinks_on:  # this model never ends a thought
            assert {outcome.completion.kind for outcome in outcomes} == {CUT_BEFORE_TEXT}
            continue
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert all(outcome.completion.tokens_in > 5 for outcome in outcomes)
        if candidate.decoding != "free":
            assert {outcome.text for outcome in outcomes} <= set(LABELS)
