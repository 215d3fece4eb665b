"""assessment.json keeps to the schema that ships beside it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from assessments import full_assessment
from pydantic import ValidationError

from ladder.evidence import (
    Assessment,
)
from ladder.report.schema import SCHEMA, schema_text


def written() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(full_assessment().model_dump_json())
    return value


def shipped_schema() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return value


def test_the_shipped_schema_is_this_versions() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "write it anew: make schema"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(shipped_schema())


def test_a_whole_assessment_keeps_to_the_schema_and_comes_back() -> None:
    value = written()
    jsonschema.Draft202012Validator(shipped_schema()).validate(value)
    assert Assessment.model_validate_json(json.dumps(value)) == full_assessment()


def test_an_assessment_of_nothing_keeps_to_the_schema() -> None:
    empty = full_assessment().model_copy(update={"control": None, "attempts": (), "plan": None})
    jsonschema.Draft202012Validator(shipped_schema()).validate(json.loads(empty.model_dump_json()))


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("task",),
        ("data",),
        ("control", "lines", 0, "score"),
        ("attempts", 2),
        ("attempts", 2, "candidate", "retrieval"),
        ("attempts", 2, "measurement", "latency_ms"),
        ("attempts", 2, "verdict", "limits", 0),
        ("attempts", 0, "diagnosis", "causes", 0),
        ("recommendation",),
        ("effort",),
    ],
)
def test_an_unknown_key_is_refused_at_every_depth(path: tuple[str | int, ...]) -> None:
    value = written()
    inner: Any = value
    for step in path:
        inner = inner[step]
    inner["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(shipped_schema()).validate(value)
    with pytest.raises(ValidationError, match="surprise"):
        Assessment.model_validate(value)


REQUIRED = sorted(name for name, field in Assessment.model_fields.items() if field.is_required())


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_refused(key: str) -> None:
    value = written()
    del value[key]
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.Draft202012Validator(shipped_schema()).validate(value)


@pytest.mark.parametrize(
    ("key", "wrong"), [("schema_version", 2), ("seconds", "long"), ("attempts", None)]
)
def test_a_wrong_value_is_refused(key: str, wrong: object) -> None:
    value = {**written(), key: wrong}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(shipped_schema()).validate(value)
    with pytest.raises(ValidationError):
        Assessment.model_validate(value)
