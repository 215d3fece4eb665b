"""Numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.language.numbers import decimal_mark, last_number, readings, with_values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,5", 1.5),
        ("23,0 %", 23),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1.234.567", 1234567),
        ("1'234.50", 1234.5),
        ("1’234’567", 1234567),
        ("1\u00a0234,5", 1234.5),
        ("1\u202f234,5", 1234.5),
        ("12 500 euros", 12500),
        ("1 234 5", 5),
        ("12,34,567.5", 1234567.5),
        ("0,125", 0.125),
        ("1,5,7", 7),
        ("1.5,2.5", 2.5),
        ("１２．５", 12.5),
        ("٣٫٥", 3.5),
        ("٣٬٥٠٠", 3500),
        ("٣٫١٢٥", 3.125),
        ("१२", 12),
        ("۱۲", 12),
        ("3/4", 0.75),
        ("1 1/2", 1.5),
        ("1½", 1.5),
        ("1.5e3", 1500),
        ("1,5 × 10^3", 1500),
        ("1.5 x 10⁻²", 0.015),
        ("-4,0", -4),
        ("–4", -4),
        ("-$5", -5),
        ("€ -5", -5),
        ("5-3", 3),
        ("COVID-19", 19),
        ("f(x)-5", 5),
        ("- 5 apples", 5),
        ("pages 10–15", 15),
        ("at 10:30, 5 people", 5),
        ("No.5", 5),
        ("2024-05-01", None),
        ("12.03.2024", None),
        ("3/12/24", None),
        ("05/2024", None),
        ("10:30", None),
        ("1.2.3", None),
        ("v1.5", None),
        ("192.168.0.1", None),
        ("2024年5月1日", None),
        ("2024년 5월 1일", None),
        ("3年", 3),
        ("10.30 Uhr", None),
        ("10h30", None),
        ("3:1", None),
        ("选1，2，3", 3),
        ("选1，2", 2),
        ("答案：１，５", 1.5),
        ("10²", 100.0),
        ("7²", None),
        ("5/0", None),
    ],
)
def test_a_number_whose_shape_tells_is_read_so_whatever_the_mark(
    text: str, value: float | None
) -> None:
    assert last_number(text) == last_number(text, ",") == last_number(text, ".") == value
    assert readings(text) == (() if value is None else (value,))


@pytest.mark.parametrize(
    ("text", "point", "comma"), [("1,234", 1234, 1.234), ("1.234", 1.234, 1234)]
)
def test_one_mark_before_three_digits_can_be_read_in_two_ways(
    text: str, point: float, comma: float
) -> None:
    assert last_number(text) == last_number(text, ".") == point
    assert last_number(text, ",") == comma
    assert readings(text) == (point, comma)


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (["23,0 %", "1.234"], ","),
        (["1.234,5"], ","),
        (["1.234.567"], ","),
        (["1,234", "5.5"], "."),
        (["1,234,567"], "."),
        (["12,34,567"], "."),
        (["1,234", "17"], None),
        (["1,5", "1.5"], None),
        (["12.03.2024", "10:30"], None),
        ([], None),
    ],
)
def test_the_decimal_mark_is_read_off_the_numbers(texts: list[str], mark: str | None) -> None:
    assert decimal_mark(texts) == mark


@given(st.integers(-(10**8), 10**8).map(lambda value: value / 100))
def test_a_number_is_read_as_it_is_printed_anywhere(value: float) -> None:
    english = f"{value:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert last_number(f"all in all {english} €") == value
    assert last_number(f"zusammen {german} €") == value
    assert last_number(f"au total {german.replace('.', chr(0x202F))} €") == value
    assert last_number(f"in CHF {english.replace(',', '’')}.") == value


def test_equal_numbers_are_equal_texts() -> None:
    assert with_values("5 km") == with_values("5.0 km") == with_values("5,0 km")
    assert with_values("1,234") != with_values("1234")
    assert with_values("1,234", ".") == with_values("1234", ".")
    assert with_values("5 km") != with_values("5 m")
