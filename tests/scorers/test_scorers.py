"""Scorers: each keeps the contract, and each scores what its words promise."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.errors import Problem, TaskError
from ladder.scorers import SCORERS, make_scorer
from ladder.scorers.exact_match import exact_match
from ladder.scorers.token_f1 import token_f1
from ladder.task import ScorerChoice
from ladder.testing import check_scorer

PAIRS = {
    "exact_match": (("a b", "a b"), ("a c", "a b")),
    "contains": (("it is a red ferry now", "red ferry"), ("it is a red car", "red ferry")),
    "token_f1": (("red ferry", "red ferry"), ("blue car", "red ferry")),
    "number": (("it costs 12", "12"), ("it costs 13", "12")),
    "json_fields": (('{"a": 1}', '{"a": 1}'), ('{"a": 2}', '{"a": 1}')),
}


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def scorer_problem(choice: ScorerChoice) -> Problem:
    with pytest.raises(TaskError) as caught:
        make_scorer(choice, "task.yaml: score")
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_every_scorer_keeps_the_contract(name: str) -> None:
    assert name in PAIRS, "a new scorer needs a right and a wrong pair here"
    check_scorer(make_scorer(ScorerChoice(name=name)), *PAIRS[name])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("exact_match", {"lowercase": True}),
        ("token_f1", {"squad": False}),
        ("token_f1", {"squad": False, "lowercase": False}),
        ("number", {"tolerance": 0}),
        ("json_fields", {"exact": True}),
    ],
)
def test_every_parameter_keeps_the_contract(name: str, parameters: dict[str, object]) -> None:
    check_scorer(make_scorer(ScorerChoice(name=name, parameters=parameters)), *PAIRS[name])


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT)
def test_no_text_makes_a_scorer_raise_or_leave_0_to_1(answer: str, target: str) -> None:
    for make in SCORERS.values():
        assert 0 <= make()(answer, target).value <= 1


@given(TEXT, st.sampled_from(string.punctuation), st.integers(0, 30))
def test_one_added_mark_is_always_a_difference(text: str, mark: str, at: int) -> None:
    marked = text[:at] + mark + text[at:]
    assert exact_match()(marked, text).value == 0
    assert token_f1(squad=False)(marked, text).value < 1


@given(TEXT)
def test_a_text_equals_itself_however_it_is_spaced(text: str) -> None:
    spaced = "\n " + "  ".join(text.split()) + "\t"
    assert exact_match()(spaced, text).value == 1
    assert token_f1(squad=False)(spaced, text).value == 1


def test_an_unknown_scorer_suggests_the_nearest() -> None:
    problem = scorer_problem(ScorerChoice(name="exact_mach"))
    assert problem.where == "task.yaml: score"
    assert problem.got == "`exact_mach`"
    for name in SCORERS:
        assert name in problem.wanted
    assert problem.fix == "Did you mean `exact_match`?"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"tolernace": 1}, "tolernace"), ({"tolerance": -1}, "a tolerance of 0 or more")],
)
def test_a_parameter_that_does_not_fit_is_named(parameters: dict[str, int], said: str) -> None:
    problem = scorer_problem(ScorerChoice(name="number", parameters=parameters))
    assert problem.where == "task.yaml: score.number"
    assert str(parameters) in problem.got
    assert said in problem.wanted
