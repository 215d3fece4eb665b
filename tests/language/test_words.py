"""Words in any script."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.language.words import (
    comparable,
    composed,
    count_words,
    has_no_spaces,
    holds,
    plain_words,
    running_words,
    search_terms,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It leaves at nine, from pier 4.", "it leaves at nine from pier 4"),
        ("The Pier-4, U.S.", "the pier4 us"),
        ("1.5 1,5 15 3:30 2024-05-01 1/2 1+1", "1.5 1,5 15 3:30 2024-05-01 1/2 1+1"),
        ("-5 (-5) 5-3 COVID-19 -$5 .5 5.", "-5 -5 5-3 covid19 -5 .5 5"),
        ("1,000,000 and 1,000.5 and 1.000", "1000000 and 1000.5 and 1.000"),
        ("C++ C# A+ A- AB-. well-known", "c++ c# a+ a- ab- wellknown"),
        ("“Smart’s” 'quote' «voilà» „Haus“", "smarts quote voilà haus"),
        ("word—word, 2010–2015", "word word 2010-2015"),
        ("abc，def；wait…what（x）", "abc def wait what x"),
        ("مرحبا، كيف حالك؟", "مرحبا كيف حالك"),
        ("שָׁלוֹם, עולם.", "שָׁלוֹם עולם"),
        ("नमस्ते दुनिया। ठीक", "नमस्ते दुनिया ठीक"),
        ("Η ΟΔΟΣ; Straße STRASSE İzmir", "η οδοσ strasse strasse izmir"),
        ("서울은, 수도.", "서울은 수도"),
        ("１２３ ｆｕｌｌ ٣٫٥ १२ ﬁne", "123 full 3.5 12 fine"),
        ("10² ½ ① x≤5", "10² ½ ① x ≤ 5"),
        ("so 👍🏽 ❤️ 👨‍👩‍👧", "so 👍 ❤ 👨 👩 👧"),
        ("co\u00adop \u200bzero\ufeff", "coop zero"),
        ("— … ،。", ""),
    ],
)
def test_words_are_parted_as_their_script_parts_them(text: str, words: str) -> None:
    assert plain_words(text) == unicodedata.normalize("NFC", words).split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("今天天气。很好123", ["今", "天", "天", "气", "很", "好", "123"]),
        ("東京タワー、ﾊﾟﾝ", ["東", "京", "タ", "ワ", "ー", "パ", "ン"]),
        ("ที่นี่ดี", ["ที่", "นี่", "ดี"]),
        ("ວຽງຈັນ", ["ວ", "ຽ", "ງ", "ຈັ", "ນ"]),
        ("ភ្នំពេញ។", ["ភ្នំ", "ពេ", "ញ"]),
    ],
)
def test_without_spaces_each_character_with_its_marks_is_a_word(
    text: str, words: list[str]
) -> None:
    assert plain_words(text) == words
    assert has_no_spaces(text)


@given(TEXT)
def test_how_a_text_is_encoded_makes_no_difference(text: str) -> None:
    composed_text = unicodedata.normalize("NFC", text)
    parted = unicodedata.normalize("NFD", text)
    assert composed(parted) == composed(composed_text)
    assert plain_words(parted) == plain_words(composed_text)
    assert search_terms(parted) == search_terms(composed_text)


@given(TEXT)
def test_what_is_folded_stays_folded(text: str) -> None:
    assert composed(composed(text)) == composed(text)
    assert all(word == comparable(word) for word in plain_words(text))


@pytest.mark.parametrize(
    ("text", "phrase", "there"),
    [
        ("答案是北京。", "北京", True),
        ("答案是南京。", "北京", False),
        ("คำตอบคือกรุงเทพครับ", "กรุงเทพ", True),
        ("ประเทศลาว", "ไทย", False),
        ("서울은 수도", "서울", True),
        ("서울대 학생", "서울", False),
        ("concatenate", "cat", False),
        ("the cat sat", "cat sat", True),
        ("the cat", "", False),
        ("", "cat", False),
    ],
)
def test_a_phrase_stands_in_a_text_as_whole_words(text: str, phrase: str, there: bool) -> None:
    assert holds(plain_words(text), plain_words(phrase)) is there


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The ferry leaves at 9.", ["the", "ferry", "leaves", "at", "9"]),
        ("John's l’eau don't", ["john", "eau", "don"]),
        ("plan b", ["plan", "b"]),
        ("雨冬花在", ["雨", "冬", "花", "在", "雨冬", "冬花", "花在"]),
        ("猫", ["猫"]),
        ("iPhone15手机", ["iphone15", "手", "机", "手机"]),
        ("물은", ["물", "은", "물은"]),
        ("ดีมาก", ["ดี", "ม", "า", "ก", "ดีม", "มา", "าก"]),
        ("كِتَابٌ", ["كتاب"]),
        ("שָׁלוֹם", ["שלום"]),
        ("किताबें", ["किताबें"]),
        ("😤 ❤️", ["😤", "❤"]),
        ("?!", []),
    ],
)
def test_search_terms(text: str, terms: list[str]) -> None:
    assert search_terms(text) == terms


def test_words_are_counted_in_every_script() -> None:
    assert count_words("three short words") == 3
    assert count_words("今天的天气很好") == 4
    assert count_words("ok 今天 ok") == 3
    assert count_words("") == count_words(" \n") == 0


def test_running_words_keep_case_and_punctuation() -> None:
    assert running_words("A b, c") == ["A", "b,", "c"]
    assert running_words("见 A站!") == ["见", "A", "站", "!"]
