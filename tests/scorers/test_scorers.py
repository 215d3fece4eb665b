"""Every scorer: the contract, its own rules on pairs worked out by hand, and how it is named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.errors import TaskError
from ladder.scorers import SCORERS, Scorer, make_scorer
from ladder.scorers.number import last_number
from ladder.task import ScorerChoice
from ladder.testing import check_scorer

PAIRS = {
    "exact_match": (("two  words", "two words"), ("two", "two words")),
    "contains": (("it is Two words.", "two words"), ("two", "two words")),
    "token_f1": (("the cat", "cat"), ("dog", "cat")),
    "number": (("so it is 1,200.50", "1200.5"), ("1200", "1200.5")),
    "json_fields": (('{"b": 2, "a": 1}', '{"a": 1, "b": 2}'), ('{"a": 1}', '{"a": 1, "b": 2}')),
}


@pytest.mark.parametrize("name", SCORERS)
def test_the_contract_holds(name):
    right, wrong = PAIRS[name]
    check_scorer(SCORERS[name](), right, wrong)


@given(answer=st.text(max_size=30), target=st.text(max_size=30))
@pytest.mark.parametrize("name", SCORERS)
def test_any_two_texts_score_between_0_and_1(name, answer, target):
    assert 0 <= SCORERS[name]()(answer, target).value <= 1


# exact_match


@pytest.mark.parametrize(
    ("answer", "target", "strict", "folded"),
    [
        ("good", "good", 1, 1),
        (" good\n", "good", 1, 1),
        ("a\tb", "a b", 1, 1),
        ("Good", "good", 0, 1),
        ("STRASSE", "straße", 0, 1),
        ("good.", "good", 0, 0),
        ("x = 'a'", "x = a", 0, 0),
        ("", "good", 0, 0),
        ("", "", 1, 1),
    ],
)
def test_exact_match_folds_space_and_case_if_asked(answer, target, strict, folded):
    assert SCORERS["exact_match"]()(answer, target).value == strict
    assert SCORERS["exact_match"](lowercase=True)(answer, target).value == folded


# contains


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("The answer is: North Pier.", "north pier", 1),
        ("from the pier in the north", "north pier", 0),
        ("pierhead", "pier", 0),
        ("pier", "pierhead", 0),
        ("the pier", "a pier", 1),
        ("anything", "", 0),
        ("anything", "the", 0),
    ],
)
def test_contains_wants_whole_words_next_to_each_other(answer, target, value):
    assert SCORERS["contains"]()(answer, target).value == value


# token_f1


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("The cat sat.", "a cat sat", 1),
        ("cat", "cat sat", 2 / 3),
        ("cat cat cat", "cat", 1 / 2),
        ("cat cat", "cat cat sat", 4 / 5),
        ("dog", "cat", 0),
        ("", "", 1),
        ("the", "a", 1),
        ("", "cat", 0),
    ],
)
def test_token_f1_is_the_harmonic_mean_of_precision_and_recall(answer, target, value):
    assert SCORERS["token_f1"]()(answer, target).value == pytest.approx(value)


def test_token_f1_without_squad_keeps_punctuation_and_articles():
    score = SCORERS["token_f1"](squad=False)
    assert score("A the", "a THE").value == 1
    assert score("x;", "x").value == 0
    assert SCORERS["token_f1"](squad=False, lowercase=False)("A", "a").value == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_token_f1_is_symmetric(left, right):
    score = SCORERS["token_f1"]()
    assert score(left, right).value == score(right, left).value


# number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("so 3 and then 4.", 4),
        ("1,234,567.5 kg", 1234567.5),
        ("-0.5", -0.5),
        ("+7", 7),
        (".25", 0.25),
        ("1e3", 1000),
        ("2.5E-2", 0.025),
        ("none", None),
        ("", None),
        ("1e999", None),
        ("9" * 5000, None),
    ],
)
def test_the_last_number_is_read(text, value):
    assert last_number(text) == value


def test_number_compares_within_the_tolerance():
    assert SCORERS["number"]()("3.0", "3").value == 1
    assert SCORERS["number"]()("3.01", "3").value == 0
    assert SCORERS["number"](tolerance=0.01)("3.01", "3").value == 1
    assert SCORERS["number"](tolerance=0)("0.1", "0.1").value == 1


def test_number_says_why():
    assert SCORERS["number"]()("none", "3").reason == "no number in the answer"
    assert SCORERS["number"]()("3", "none").reason == "no number wanted"


# json_fields


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, 1),
        ({"a": 1}, {"a": 1, "b": 2}, 2 / 3),
        ({"a": 1, "b": 3}, {"a": 1, "b": 2}, 1 / 2),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1}, 1 / 2),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, 1 / 2),
        ({"a": 1.0}, {"a": 1}, 1),
        ({"a": True}, {"a": 1}, 0),
        ({"a": "1"}, {"a": 1}, 0),
        ({"a": None}, {"a": None}, 1),
        ({"a": []}, {"a": {}}, 0),
        ({"a.b": 1}, {"a": {"b": 1}}, 0),
        ({"a[0]": 1}, {"a": [1]}, 0),
        ([1, 2], [2, 1], 0),
        ({}, {}, 1),
    ],
)
def test_json_fields_counts_the_leaves_that_are_right(answer, target, value):
    score = SCORERS["json_fields"]()
    assert score(json.dumps(answer), json.dumps(target)).value == pytest.approx(value)
    whole = SCORERS["json_fields"](exact=True)
    assert whole(json.dumps(answer), json.dumps(target)).value == (value == 1)


@pytest.mark.parametrize("answer", ['```json\n{"a": 1}\n```', '```\n{"a": 1}```', '\n{"a": 1}\n'])
def test_json_may_stand_in_a_code_fence(answer):
    assert SCORERS["json_fields"]()(answer, '{"a": 1}').value == 1


@pytest.mark.parametrize("answer", ["", "a: 1", '{"a": 1', "[" * 100_000, "9" * 5000])
def test_what_is_not_json_scores_0(answer):
    found = SCORERS["json_fields"]()(answer, '{"a": 1}')
    assert (found.value, found.reason) == (0, "the answer is not JSON")


# make_scorer


def make(name: str, **parameters: object) -> Scorer:
    return make_scorer(ScorerChoice(name=name, parameters=parameters), "task.yaml: score")


def test_a_scorer_is_made_with_its_parameters():
    assert make("exact_match", lowercase=True)("A", "a").value == 1


def test_an_unknown_scorer_is_answered_with_the_nearest():
    with pytest.raises(TaskError) as caught:
        make("exact_mach")
    (problem,) = caught.value.problems
    assert problem.where == "task.yaml: score"
    assert problem.got == "`exact_mach`"
    assert "token_f1" in problem.wanted
    assert problem.fix == "Did you mean `exact_match`?"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("exact_match", {"lower": True}),
        ("number", {"tolerance": -1}),
        ("number", {"tolerance": "x"}),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(name, parameters):
    with pytest.raises(TaskError) as caught:
        make(name, **parameters)
    (problem,) = caught.value.problems
    assert problem.where == f"task.yaml: score.{name}"
    assert next(iter(parameters)) in problem.got


@pytest.mark.parametrize("name", ["no.such.module:scorer", "json:no_such_name", ":x", "json:"])
def test_a_scorer_of_ones_own_that_cannot_be_imported_is_named(name):
    with pytest.raises(TaskError) as caught:
        make(name)
    assert f"`{name}`" in caught.value.problems[0].got
    assert caught.value.problems[0].wanted == "an importable scorer"


def test_a_scorer_of_ones_own_is_imported():
    score = make("ladder.scorers.exact_match:exact_match", lowercase=True)
    assert score("A", "a").value == 1
