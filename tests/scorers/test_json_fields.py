"""The scorer `json_fields`."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ladder.scorers.json_fields import json_fields


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ('{"a": {"b": 1, "c": [2, 3]}}', '{"a": {"c": [2, 3], "b": 1}}', 1),
        ('{"a": {"b": 1, "c": 9}}', '{"a": {"b": 1, "c": 2}}', 0.5),
        ('{"a": 1, "b": 2, "x": 3, "y": 4}', '{"a": 1, "b": 2}', 2 / 3),
        ('{"a": 1}', '{"a": 1, "b": 2}', 2 / 3),
        ("[1, 2]", "[2, 1]", 0),
        ("{}", "{}", 1),
        ('{"a": {}}', '{"a": []}', 0),
        ('{"a": 1.0}', '{"a": 1}', 1),
        ('{"a": "1"}', '{"a": 1}', 0),
        ("not json", '{"a": 1}', 0),
        ("", '{"a": 1}', 0),
    ],
)
def test_json_fields_are_compared_by_their_leaves(answer: str, target: str, value: float) -> None:
    assert json_fields()(answer, target).value == pytest.approx(value)


@pytest.mark.parametrize(("one", "other"), [("true", "1"), ("false", "0"), ("null", "0")])
def test_json_fields_keep_true_and_1_apart(one: str, other: str) -> None:
    left, right = f'{{"a": {one}}}', f'{{"a": {other}}}'
    assert json_fields()(left, right).value == json_fields()(right, left).value == 0
    assert json_fields()(left, left).value == 1


def test_json_fields_keep_a_dotted_key_and_a_nested_one_apart() -> None:
    assert json_fields()('{"a.b": 1}', '{"a": {"b": 1}}').value == 0


def test_json_fields_take_null_for_a_value() -> None:
    assert json_fields()("null", "null").value == 1


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", "  ```json {} ```\n"])
def test_json_fields_read_a_code_fence(fence: str) -> None:
    assert json_fields()(fence.replace("{}", '{"a": 1}'), '{"a": 1}').value == 1


def test_json_fields_exact_wants_every_field_and_no_more() -> None:
    exact = json_fields(exact=True)
    assert exact('{"b": 2, "a": 1}', '{"a": 1, "b": 2}').value == 1
    assert exact('{"a": 1}', '{"a": 1, "b": 2}').value == 0
    assert exact('{"a": 1, "b": 2, "c": 3}', '{"a": 1, "b": 2}').value == 0


@pytest.mark.parametrize("depth", [50, 300, 700, 900, 960, 100_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_json_fields_survive_deep_nesting(depth: int, start: str, end: str) -> None:
    deep = start * depth + "1" + end * depth
    for answer, target in ((deep, '{"a": 1}'), ('{"a": 1}', deep), (deep, deep)):
        assert 0 <= json_fields()(answer, target).value <= 1


JSON = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text("ab. ", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=8,
)


@given(JSON)
@example({"a": [True, 1, {"b": "1"}]})
def test_json_fields_give_1_to_the_same_value(value: object) -> None:
    assert json_fields()(json.dumps(value, indent=1), json.dumps(value)).value == 1
    assert json_fields(exact=True)(json.dumps(value), json.dumps(value)).value == 1


def test_json_fields_compare_keys_and_values_however_they_are_encoded() -> None:
    parted, whole = '{"cle\u0301": "acce\u0300s"}', '{"cl\u00e9": "acc\u00e8s"}'
    assert json_fields(exact=True)(parted, whole).value == 1
