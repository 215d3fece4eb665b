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


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("答案是北京。", "北京", 1),
        ("答案是北海。", "北京", 0),
        ("東京タワーです", "東京タワー", 1),
        ("คำตอบคือกรุงเทพครับ", "กรุงเทพ", 1),
        ("ຄໍາຕອບແມ່ນວຽງຈັນ", "ວຽງຈັນ", 1),
        ("ចម្លើយគឺភ្នំពេញ។", "ភ្នំពេញ", 1),
        ("서울에 있다", "서울", 1),
        ("대서울", "서울", 0),
        ("الجواب: القاهرة، مصر.", "القاهرة", 1),
        ("התשובה: «ירושלים».", "ירושלים", 1),
        ("उत्तर दिल्ली। है", "दिल्ली", 1),
        ("Η απάντηση: ΑΘΉΝΑ;", "Αθήνα", 1),
        ("İSTANBUL’da", "istanbul'da", 1),
        ("Das ist in Mu\u0308nchen.", "München", 1),
        ("« Paris »", "paris", 1),
        ("it costs 1.5", "15", 0),
        ("it costs 15", "1.5", 0),
        ("minus: -5", "5", 0),
        ("C++", "C", 0),
        ("the answer", "the", 1),
        ("well …", "—", 0),
        ("well — yes", "—", 1),
    ],
)
def test_words_are_found_in_every_script(answer: str, target: str, value: int) -> None:
    assert contains()(answer, target).value == value


def test_articles_are_those_of_the_language() -> None:
    assert contains()("a casa", "casa").value == contains()("vai a casa", "vai casa").value == 1
    assert contains(articles="none")("vai a casa", "vai casa").value == 0
    assert contains(articles="de")("auf dem Berg", "auf Berg").value == 1
    with pytest.raises(ValueError, match="articles: one of en, de"):
        contains(articles="xx")
