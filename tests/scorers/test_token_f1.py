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


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("北京市", "北京", 0.8),
        ("今天天气很好。", "今天天气很好", 1),
        ("ที่นี่", "ที่นี่", 1),
        ("ดีมาก", "ดี", 0.4),
        ("مرحبا، أهلا", "مرحبا أهلا", 1),
        ("“so’s” it", "so's it", 1),
        ("STRASSE", "straße", 1),
        ("Mu\u0308ller", "Müller", 1),
        ("１５", "15", 1),
        ("1.5", "15", 0),
        ("1,5", "1.5", 0),
        ("1,000", "1000", 1),
        ("3:30", "330", 0),
        ("-5", "5", 0),
        ("10²", "102", 0),
        ("A+", "A-", 0),
        ("👍", "👎", 0),
        ("", "the", 0),
        ("the", "the", 1),
        ("a", "the", 0),
        ("—", "the", 0),
        ("…", "—", 0),
    ],
)
def test_words_are_those_of_the_script(answer: str, target: str, value: float) -> None:
    assert token_f1()(answer, target).value == pytest.approx(value)


def test_without_squad_the_encoding_makes_no_difference() -> None:
    assert token_f1(squad=False)("e\u0301t\u00e9", "\u00e9t\u00e9").value == 1


def test_articles_are_those_of_the_language() -> None:
    assert token_f1()("der Hafen", "Hafen").value < 1
    assert token_f1(articles="de")("der Hafen", "Hafen").value == 1
    assert token_f1(articles="none")("the ferry", "ferry").value < 1
