"""assessment.json keeps to the schema that ships beside it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from ladder.evidence import (
    Assessment,
    Attempt,
    Build,
    Candidate,
    Cause,
    Control,
    ControlLine,
    DataReport,
    Diagnosis,
    Estimate,
    Latency,
    LimitVerdict,
    Measurement,
    RaceLine,
    Recommendation,
    Retrieval,
    Savings,
    TaskRecord,
    TokenUse,
    Verdict,
)
from ladder.report.schema import SCHEMA, schema_text

ESTIMATE = Estimate(mean=0.8, low=0.7, high=0.9, n=100)


def assessment() -> Assessment:
    """Return an assessment in which every kind of record stands at least once."""
    candidate = Candidate(
        rung="rag",
        description="four passages before the question",
        model="bundled:smollm2-135m",
        shots=("train-1",),
        retrieval=Retrieval(source="documents"),
    )
    measurement = Measurement(
        score=ESTIMATE,
        others={"contains": ESTIMATE},
        cost_usd_per_1k=0.01,
        latency_ms=Latency(p50=10, p95=20, p99=30, n=20),
        tokens=TokenUse(input_mean=100.5, output_mean=3),
        looks=(40, 100),
        build=Build(seconds=1.5),
        fingerprint={"model": "abc"},
    )
    limit = LimitVerdict(
        limit="min_score", wanted=0.75, got=0.8, distance=0.05, verdict="pass", n=100
    )
    cause = Cause(name="knowledge", share=0.5, recoverable=ESTIMATE, count=5, of=10)
    return Assessment(
        ladder_version="0.1.0",
        created="2026-01-01T00:00:00Z",
        task=TaskRecord(
            name="t",
            goal="Sort.",
            source="task.yaml",
            digest="d",
            base="bundled:smollm2-135m",
            scorer="exact_match",
            gate={"min_score": 0.75, "max_p95_ms": None},
            seed=0,
        ),
        data=DataReport(
            train=10,
            dev=5,
            gate=100,
            sealed=40,
            reserve=0,
            documents=3,
            unlabeled=0,
            duplicates=1,
            contaminated=("test-1 ~ train-1",),
            detectable=None,
            digests={"test": "d"},
        ),
        control=Control(
            lines=(
                ControlLine(name="majority", score=ESTIMATE, latency_ms=0.1, cost_usd_per_1k=0),
            ),
        ),
        attempts=(
            Attempt(
                rung="prompt",
                status="failed",
                reason="below the limit",
                diagnosis=Diagnosis(causes=(cause,), refuses=("lora",)),
            ),
            Attempt(
                rung="rag",
                status="passed",
                candidate=candidate,
                race=(RaceLine(description="plain", score=0.5, n=20, dropped=True),),
                measurement=measurement,
                verdict=Verdict(status="pass", limits=(limit,)),
            ),
        ),
        recommendation=Recommendation(
            rung="rag",
            description="four passages",
            confirmed=ESTIMATE,
            confirmed_verdict="pass",
            cost={"usd_per_1k": 0.01},
            deployment={"model": "bundled:smollm2-135m", "k": 4},
        ),
        savings=Savings(
            calls_made=10, calls_if_exhaustive=40, training_avoided=("lora", "distill")
        ),
        hardware={"cpu": "some"},
        versions={"ladder": "0.1.0"},
        seconds=12.5,
        plan="revalidation.yaml",
    )


def written() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(assessment().model_dump_json())
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
    assert Assessment.model_validate_json(json.dumps(value)) == assessment()


def test_an_assessment_of_nothing_keeps_to_the_schema() -> None:
    empty = assessment().model_copy(update={"control": None, "attempts": (), "plan": None})
    jsonschema.Draft202012Validator(shipped_schema()).validate(json.loads(empty.model_dump_json()))


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("task",),
        ("data",),
        ("control", "lines", 0, "score"),
        ("attempts", 1),
        ("attempts", 1, "candidate", "retrieval"),
        ("attempts", 1, "measurement", "latency_ms"),
        ("attempts", 1, "verdict", "limits", 0),
        ("attempts", 0, "diagnosis", "causes", 0),
        ("recommendation",),
        ("savings",),
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
