"""What cannot stand in JSON, or be computed with, is found where it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.json_values import DEEPEST, DEEPEST_READ, from_json, is_finite, odd_values, oddness

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé", max_size=4), inner),
    max_leaves=10,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "at", "got"),
    [
        ({"a": [1, {"b": "\udc80"}]}, ("a", "1", "b"), "half a character"),
        ({"a": float("nan")}, ("a",), "nan"),
        ({"a": 10**400}, ("a",), "too large"),
        ({"\ud800": 1}, (), "half a character"),
        ([{1, 2}], ("0",), "set is not JSON serializable"),
    ],
)
def test_odd_values_are_found_where_they_are(value: object, at: tuple[str, ...], got: str) -> None:
    [(where, found)] = odd_values(value)
    assert where == at
    assert got in found


@given(JSON)
def test_what_json_holds_is_not_odd(value: object) -> None:
    assert list(odd_values(value)) == []
    assert json.loads(json.dumps(value)) == value


def test_values_nested_too_deep_are_named_by_where_they_begin() -> None:
    value: object = 1
    for _ in range(DEEPEST):
        value = [value]
    assert list(odd_values(value)) == []
    assert list(odd_values([value])) == [(("0", "0", "0"), "values nested too deep")]


@pytest.mark.parametrize("opens", ["[", '{"a": '])
def test_what_is_nested_too_deep_to_be_walked_is_not_read(opens: str) -> None:
    closes = "]" if opens == "[" else "}"
    deep = opens * DEEPEST_READ + "1" + closes * DEEPEST_READ
    assert from_json(deep) == json.loads(deep)
    wide = "[" + ",".join(["[1]"] * 3 * DEEPEST_READ) + "]"
    assert from_json(wide.encode()) == json.loads(wide)
    for more in (1, 10, 19 * DEEPEST_READ, 100_000):
        with pytest.raises(RecursionError):
            from_json(opens * more + deep + closes * more)


def test_numbers_that_can_be_computed_with() -> None:
    assert [is_finite(each) for each in (1, 0.5, 10**400, float("inf"))] == [
        True,
        True,
        False,
        False,
    ]
    assert oddness(float("inf")) == "the number inf"
    assert oddness(True) == oddness(None) == oddness("é") == ""
