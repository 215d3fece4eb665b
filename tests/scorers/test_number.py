"""The scorer `number`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.scorers import fitted
from ladder.scorers.number import last_number, number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234,567.5", 1234567.5),
        ("first 3, then 4, so 7", 7),
        ("the total is $1,000.", 1000),
        ("12, ", 12),
        ("-0.5", -0.5),
        ("+3", 3),
        (".25", 0.25),
        ("2.5e3 m", 2500),
        ("\u22125", -5),
        ("no number", None),
        ("", None),
        ("1e999", None),
        ("9" * 5000, None),
    ],
)
def test_the_last_number_is_read(text: str, value: float | None) -> None:
    assert last_number(text) == value


@settings(max_examples=80)
@given(st.floats(-1e9, 1e9).map(lambda value: round(value, 3)))
def test_a_number_is_read_as_it_is_printed(value: float) -> None:
    assert last_number(f"2 steps give {value:,.3f} in all") == value
    assert last_number(f"result: {value!r}.") == value


def test_numbers_within_the_tolerance_are_equal() -> None:
    assert number()("1,000", "1000.0").value == 1
    assert number()("1001", "1000").value == 0
    assert number(tolerance=0.01)("1009", "1000").value == 1
    assert number(tolerance=0.01)("1011", "1000").value == 0
    assert number(tolerance=0)("0.1", "0.1").value == 1
    assert number(tolerance=0)("0.1000001", "0.1").value == 0


def test_the_tolerance_is_relative_for_small_numbers_too() -> None:
    assert number(tolerance=0.05)("0.04", "0.01").value == 0


def test_a_missing_number_is_a_reason() -> None:
    assert number()("none", "1").reason == "no number in the answer"
    assert number()("1", "none").reason == "no number wanted"


def test_the_mark_is_read_off_the_targets() -> None:
    german = fitted(number(), ["23,0 %", "1.234,5"])
    assert german("1.234 Stück", "1234").value == 1
    assert german("1,234", "1234").value == 0
    assert german("23.0", "23,0 %").value == 1, "a shape that tells is read as it is"
    english = fitted(number(), ["23.5", "7"])
    assert english("1,234", "1234").value == 1
    assert english("1.234", "1234").value == 0
    undecided = fitted(number(), ["7", "1,234"])
    assert undecided("1234", "1,234").value == 1


def test_a_mark_that_is_named_stands() -> None:
    named = fitted(number(decimal=","), ["23.5"])
    assert named("1.234", "1234").value == 1
    for wrong in ("", ";", "comma"):
        with pytest.raises(ValueError, match="decimal"):
            number(decimal=wrong)


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("1,5", "15", 0),
        ("1,5", "1.5", 1),
        ("der Rabatt ist 23,0 Prozent", "23,0 %", 1),
        ("23,5", "23,0 %", 0),
        ("5-3", "-3", 0),
        ("2024-05-01", "-1", 0),
        ("2024-05-01", "1", 0),
        ("12.03.2024", "2024", 0),
        ("١٢٫٥", "12.5", 1),
        ("１２．５", "12,5", 1),
        ("-$5", "$5", 0),
        ("1/2", "0,5", 1),
        ("1/2", "3/2", 0),
        ("1'234.50", "1 234,5", 1),
    ],
)
def test_like_numbers_are_equal_and_unlike_ones_are_not(
    answer: str, target: str, value: int
) -> None:
    assert number()(answer, target).value == value
