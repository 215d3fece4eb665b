"""The scorer `exact_match`."""

from __future__ import annotations

import pytest

from ladder.scorers.exact_match import exact_match

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
@pytest.mark.parametrize("lowercase", [False, True])
def test_exact_match_never_folds_punctuation(answer: str, target: str, lowercase: bool) -> None:
    assert exact_match(lowercase=lowercase)(answer, target).value == 0
    assert exact_match(lowercase=lowercase)(target, answer).value == 0


def test_exact_match_folds_case_only_when_asked() -> None:
    assert exact_match()("Yes", "yes").value == 0
    assert exact_match(lowercase=True)("STRASSE", "straße").value == 1
    assert exact_match()("Yes", "yes").reason == "differs from the target"


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("acce\u0300s", "acc\u00e8s", 1),
        ("1\u00a0000\u202fm", "1 000 m", 1),
        ("\ufeffyes\u200b", "yes", 1),
        ("ye\u00ads", "yes", 1),
        ("a\u200db", "ab", 1),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e", 0),
        ("\u2019", "'", 0),
        ("１", "1", 0),
        ("ﬁ", "fi", 0),
    ],
)
def test_exact_match_folds_what_nobody_sees(answer: str, target: str, value: int) -> None:
    assert exact_match()(answer, target).value == value
