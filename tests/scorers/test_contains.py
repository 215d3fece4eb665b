"""The scorer `contains`."""

from __future__ import annotations

import pytest

from ladder.scorers.contains import contains


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("It leaves at nine, from pier 4.", "pier 4", 1),
        ("The Pier-4", "pier4", 1),
        ("a category", "cat", 0),
        ("concatenate", "cat", 0),
        ("pier 42", "pier 4", 0),
        ("pier number 4", "pier 4", 0),
        ("4 pier", "pier 4", 0),
        ("", "pier 4", 0),
        ("pier", "", 0),
    ],
)
def test_contains_looks_for_whole_words_in_order(answer: str, target: str, value: int) -> None:
    assert contains()(answer, target).value == value


def test_contains_finds_a_target_that_is_an_article() -> None:
    assert contains()("The answer is A.", "A").value == 1
    assert contains()("The answer is B.", "A").value == 0
