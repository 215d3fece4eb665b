"""The control answers any rows, in any script."""

from __future__ import annotations

import pytest

from ladder.evaluation.control import linear
from ladder.samples.rows import Sample


def rows(*pairs: tuple[str, str]) -> list[Sample]:
    return [Sample(str(at), text, target) for at, (text, target) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("good", "bad", "asked"),
    [
        (["😀 ❤", "🥰 😁"], ["😤 💔", "🤮 😢"], ["😀 😁", "💔 🤮"]),
        (["很好吃", "服务很好"], ["很难吃", "服务很差"], ["真好", "真差"]),
        (["!", "! !"], ["?", "? ?"], ["!", "?"]),
        (["อร่อยมาก", "อร่อยดี"], ["แย่มาก", "แย่ที่สุด"], ["อร่อย", "แย่"]),
    ],
)
def test_rows_of_any_signs_are_told_apart(
    good: list[str], bad: list[str], asked: list[str]
) -> None:
    train = rows(*((text, "good") for text in good), *((text, "bad") for text in bad))
    assert linear(train, asked) == ["good", "bad"]


def test_rows_without_a_sign_are_answered_by_the_majority() -> None:
    assert linear(rows(("", "a"), ("", "b"), ("", "b")), ["", "x"]) == ["b", "b"]
