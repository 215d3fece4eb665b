"""The scorer `token_f1`."""

from __future__ import annotations

import pytest

from ladder.scorers.token_f1 import token_f1

PUNCTUATION = [
    ("rm -rf a;", "rm -rf a"),
    ("rm -rf a/", "rm -rf a"),
    ("x = [1]", "x = 1"),
    ("not (a)", "not a"),
    ("a != b", "a = b"),
    ("ls *", "ls"),
    ("say 'a'", 'say "a"'),
]


@pytest.mark.parametrize(("answer", "target"), PUNCTUATION)
def test_token_f1_without_squad_never_folds_punctuation(answer: str, target: str) -> None:
    assert token_f1(squad=False)(answer, target).value < 1
    assert token_f1(squad=False)(target, answer).value < 1


def test_token_f1_without_squad_folds_case_unless_told_not_to() -> None:
    assert token_f1(squad=False)("Red ferry", "red ferry").value == 1
    assert token_f1(squad=False, lowercase=False)("Red ferry", "red ferry").value == 0.5


def test_token_f1_with_squad_folds_what_squad_folds() -> None:
    assert token_f1()("The ferry.", "a Ferry").value == 1
    assert token_f1()("the red ferry leaves", "red ferry").value == pytest.approx(0.8)


def test_token_f1_counts_a_repeated_word_as_often_as_it_is_wanted() -> None:
    assert token_f1(squad=False)("x x x x", "x").value == pytest.approx(0.4)


@pytest.mark.parametrize(("answer", "target"), [("", "word"), ("word", "")])
def test_token_f1_of_an_empty_text_is_zero(answer: str, target: str) -> None:
    assert token_f1()(answer, target).value == 0
