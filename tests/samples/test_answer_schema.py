"""A schema read off the targets lets all of them through, and little else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.samples.answer_schema import fault_in, fault_of_schema, schema_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@given(st.lists(VALUES, min_size=1, max_size=8))
def test_every_target_keeps_to_the_schema_of_all(values):
    targets = [json.dumps(value) for value in values]
    schema = schema_of(targets)
    assert fault_of_schema(schema) == ""
    for target in targets:
        assert fault_in(target, schema) == ""


@pytest.mark.slow
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_answers_can_be_held_to_it(values):
    pytest.importorskip("llguidance")
    from ladder.engines.local.json_schema import refusal

    assert refusal(json.dumps(schema_of(map(json.dumps, values)))) is None


def test_keys_required_keys_and_their_usual_order():
    targets = ['{"a": 1, "b": 2}', '{"c": "x", "a": 1}', '{"b": 1, "a": 2}', '{"a": 1, "b": 2}']
    schema = schema_of(targets)
    assert list(schema["properties"]) == ["c", "a", "b"]
    assert schema["required"] == ["a"]
    assert "unexpected" in fault_in('{"a": 1, "d": 2}', schema)
    assert "required" in fault_in('{"b": 1}', schema)


def test_kinds_that_differ_are_all_let_through_and_others_are_not():
    schema = schema_of(['{"a": 1}', '{"a": [1, 2.5]}', '{"a": null}'])
    for good in ('{"a": 7}', '{"a": []}', '{"a": [0.5]}', '{"a": null}'):
        assert fault_in(good, schema) == ""
    for bad in ('{"a": "x"}', '{"a": {}}', '{"a": true}', '{"a": ["x"]}', "[]", "3"):
        assert fault_in(bad, schema)


def test_a_list_that_was_always_empty_stays_empty():
    schema = schema_of(['{"a": []}'])
    assert fault_in('{"a": []}', schema) == ""
    assert fault_in('{"a": [1]}', schema)


@pytest.mark.parametrize(
    ("rows", "is_closed"),
    [
        (["on", "off"] * 25, True),
        (["on", "off"] * 24, False),  # too few rows
        (["on", "off"] * 50 + ["odd"], True),  # one value in 101 was seen once
        (["on", "off"] * 25 + ["odd"], False),  # one in 51: others will come
        ([f"kind {at % 30}" for at in range(300)], True),
        ([f"kind {at % 31}" for at in range(310)], False),
    ],
)
def test_a_string_is_closed_where_a_new_value_is_unlikely(rows, is_closed):
    schema = schema_of(json.dumps({"state": row}) for row in rows)
    assert ("enum" in schema["properties"]["state"]) == is_closed


def test_targets_that_are_no_json_say_nothing():
    assert schema_of(["hello", "{"]) is None
    assert schema_of([]) is None
    assert schema_of(["hello", "3"]) == {"type": "integer"}


def test_a_very_deep_target_does_not_end_the_run():
    deep = '{"a":' * 200 + "1" + "}" * 200
    schema = schema_of([deep])
    assert fault_in(deep, schema) == ""
    assert "nested" in fault_in("[" * 100_000, schema)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("I think", "it is not JSON"),
        ("", "it is not JSON"),
        ('{"a": "x"}', "$.a: 'x' is not of type 'integer'"),
        ('```json\n{"a": 1}\n```', ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, fault):
    found = fault_in(text, schema_of(['{"a": 1}']))
    assert found.startswith(fault) if fault else found == ""


def test_a_long_answer_is_not_repeated_whole():
    assert len(fault_in(json.dumps("x" * 5000), {"type": "integer"})) < 250


@pytest.mark.parametrize(
    "schema", [{"$ref": "https://example.invalid/x"}, {"pattern": r"\p{L}"}, {"$ref": "#/$defs/x"}]
)
def test_what_cannot_be_checked_here_is_no_fault(schema):
    """Nothing is fetched, and what only other libraries understand is left to them."""
    assert fault_in('"x"', schema) == ""
