"""The rules by which a task is proposed, at their edges."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ladder.gate.planning import detectable_score, plausible_scores
from ladder.samples.column_roles import Chosen, Doubt, choose_columns
from ladder.samples.proposing import (
    GATES,
    are_objects,
    form_of,
    gate_for,
    goal_for,
    is_number,
    scores_for,
)
from ladder.samples.rows import Sample
from ladder.task import GateLimits


def samples(targets: Sequence[str]) -> list[Sample]:
    return [Sample(str(at), f"input {at}", target) for at, target in enumerate(targets)]


def kind(targets: Sequence[str]) -> str:
    return form_of(samples(targets)).type


@pytest.mark.parametrize(
    "text",
    ["7", "-3.5", "$0.5 million", "12.82 percent", "23,0 %", "1.234,5 €", "€ 1'234.50", "3/4",
     "1 234", "15 kg", ".5", "٣٫٥", "12 m²"],
)  # fmt: skip
def test_a_number_may_have_a_currency_or_a_unit(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize(
    "text",
    ["", "seven", "2026-05-17", "10:30", "1.2.3", "room 5", "5 of 7", "A4", "3 red apples", "3:1",
     "He paid 5", "5, 6", "1 kg and 2"],
)  # fmt: skip
def test_a_date_a_time_or_a_phrase_is_no_number(text: str) -> None:
    assert not is_number(text)


def test_labels_are_a_closed_set() -> None:
    few = ["a", "b"] * 19
    assert kind([*few, "c", "d"]) == "label"  # 2 of 40 stand once: 5 %
    assert kind([*few, "c", "d", "e"]) == "text"
    assert kind([*"abcdefg"] * 3) == "label"  # three rows each
    assert kind([*[*"abcdefg"] * 2, *"abcdef"]) == "text"
    long = " ".join(["word"] * 13)
    assert kind([long, "b"] * 20) == "text"


def test_rows_that_stand_twice_count_once() -> None:
    twice = [Sample(str(at), f"input {at % 20}", f"answer {at % 20}") for at in range(80)]
    assert form_of(twice).type == "text"


def test_numbers_that_repeat_are_classes_while_they_are_few() -> None:
    assert kind([str(at % 30) for at in range(300)]) == "label"
    assert kind([str(at % 31) for at in range(310)]) == "number"
    assert kind([str(at) for at in range(95)] + ["none"] * 5) == "number"
    assert kind([str(at) for at in range(94)] + ["none"] * 6) == "text"


def test_spans_and_lists_of_texts_are_no_objects() -> None:
    assert are_objects(['{"a": 1}'] * 19 + ["none"])
    assert not are_objects(['{"a": 1}'] * 18 + ["none"] * 2)
    assert not are_objects(['{"text": ["a"], "answer_start": [3]}'] * 20)
    assert not are_objects(['["a", "b"]'] * 20)
    assert not are_objects(["{'a': 1}"] * 20)  # Python's own writing: no scorer reads it
    assert not are_objects([])


def test_short_answers_are_looked_for_in_sentences() -> None:
    assert scores_for("text", ["six words are short to us"])[0] == ("contains", "token_f1")
    assert scores_for("text", ["seven words are too long to be"])[0] == ("token_f1",)


@pytest.mark.parametrize("rows", [60, 153, 400])
def test_the_gate_is_the_highest_that_a_system_half_as_wrong_proves(rows: int) -> None:
    gate = gate_for(rows, 5).min_score

    def proven(limit: float) -> bool:
        score = detectable_score(rows, GateLimits(min_score=limit), 5)
        return score is not None and score <= plausible_scores(limit)[1]

    assert proven(gate)
    assert not any(proven(higher) for higher in GATES if higher > gate)


def test_a_goal_names_what_is_known() -> None:
    few, many = form_of(samples(["yes", "no"] * 9)), form_of(samples([*"abcde"] * 9))
    assert goal_for(few, "", "", (), reads=False) == "Tell which the text is: no or yes."
    assert goal_for(many, "mail", "", (), reads=False) == "Name the label of the mail."
    assert goal_for(many, "mail", "team", (), reads=False) == "Name the team of the mail."
    told = "Do what the instruction asks: answer no or yes."
    assert goal_for(few, "instruction", "", (), reads=False) == told
    looked_up = "Name the team that the documents say for the mail."
    assert goal_for(many, "mail", "team", (), reads=True) == looked_up


def test_a_chat_says_its_own_columns_and_two_texts_are_a_doubt() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    found = choose_columns([("a:1", {"messages": turns, "label": "x"})])
    assert isinstance(found, Chosen)
    assert found.layout.is_chat
    assert not found.columns
    pairs = [(f"a:{at}", {"english": f"one two three {at}", "german": f"eins zwei drei {at}"})
             for at in range(9)]  # fmt: skip
    doubt = choose_columns(pairs)
    assert isinstance(doubt, Doubt)
    assert (doubt.option, doubt.candidates) == ("--target", ("english", "german"))
    told = choose_columns(pairs, answer="german")
    assert isinstance(told, Chosen)
    assert dict(told.columns) == {"input": "english", "target": "german"}
