"""A finished run of somebody else: every text in its assessment.json may be hostile."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ladder
from harmful import HOSTILE, acting, headings, live
from pydantic import ValidationError
from report.test_markdown import assessment, attempt, failed
from rich.console import Console

from ladder.errors import DataError
from ladder.evidence import (
    Asked,
    Assessment,
    Comparison,
    CostBasis,
    Economics,
    Estimate,
    Fix,
    RetrievalHealth,
    TrainingMethod,
    WordOverlap,
)
from ladder.report.markdown import as_markdown
from ladder.report.reading import COST, read_assessment
from ladder.report.terminal import show
from ladder.report.texts import each_text

FIXED = ("confidence", "min_score", *COST)
"""Names that the report looks up."""


def full() -> Assessment:
    """Return an assessment with something in every part of the report."""
    found = Comparison(
        other="prompt", difference=0.1, low=0, high=0.2, n=9, p_value=0.1, claim="better"
    )
    part = Estimate(mean=0.5, low=0.4, high=0.6, n=9)
    fix = Fix(
        cause="format", ablation="unique", on_dev=found, unseen=found, tokens=(1, 2), kept=True
    )
    health = RetrievalHealth(source="documents", k=2, redundancy=0.1, inequality=0.2)
    measured = attempt("lora", "fail").measurement
    assert measured is not None
    changes = {
        "slices": {"kind": part}, "human_labels": 9,
        "cost_basis": CostBasis(kind="prices", source="the price list"),
        "errors": 1, "error_kinds": {"HTTP 500": 1}, "commonest_error": "boom",
    }  # fmt: skip
    said = failed().diagnosis.model_copy(
        update={"ablations": {"gold": part}, "unresolved": ("no reranker",)}
    )
    lora = attempt(
        "lora", "pass", fixes=(fix,), retrieval=(health,), comparisons=(found, found),
        asked=Asked(calls=3, errors={"HTTP 500": 2}),
        measurement=measured.model_copy(update=changes), diagnosis=said,
        against_teacher={"teacher": "x", "kept": 0.9, "low": 0.8, "high": 1, "n": 9},
    )  # fmt: skip
    base = assessment()
    overlap = WordOverlap(words=8, rows=9, checkable=8, overlapping=1, top=("a ~ b: 0.9",))
    more = {"set_aside": ("a ~ b",), "look_alikes": ("a ~ b",), "overlap": overlap}
    bill = {
        "rung": "lora", "passed": True, "build": 1, "labels": 1, "revalidation_per_quarter": 1,
        "per_1k": 1, "fixed_per_month": 1, "per_month": 1,
    }  # fmt: skip
    even = {
        "rung": "lora", "against": "rag", "requests_per_month": None, "low": None, "high": None,
    }  # fmt: skip
    bills = Economics(requests_per_month=9, months=1, bills=(bill,), break_evens=(even,))
    ways = (
        TrainingMethod(name="preference", chosen=True, ground="preferences given", file="pairs"),
    )
    answer = base.recommendation.model_copy(update={"training_methods": ways})
    return base.model_copy(
        update={
            "attempts": (*base.attempts[:2], lora),
            "data": base.data.model_copy(update=more),
            "economics": bills,
            "recommendation": answer,
        }
    )


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield the place of every text in nested values, names of a mapping too."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield (*at, name), "name"
            yield from places(part, (*at, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from places(part, (*at, number))
    elif isinstance(value, str):
        yield at, "text"


def planted(text: str) -> tuple[Assessment, int]:
    """Return an assessment with a text wherever any text may stand, and in how many places."""
    values = json.loads(full().model_dump_json())
    count = 0
    for at, kind in list(places(values))[::-1]:  # names after what stands under them
        changed = json.loads(json.dumps(values))
        holder = changed
        for step in at[:-1]:
            holder = holder[step]
        if kind == "text":
            holder[at[-1]] = text
        elif at[-1] in FIXED:
            continue
        else:
            holder[text + str(count)] = holder.pop(at[-1])
        try:
            Assessment.model_validate(changed)
        except ValidationError:
            continue
        values, count = changed, count + 1
    return Assessment.model_validate(values), count


@pytest.fixture(scope="module")
def hostile() -> Assessment:
    found, count = planted(HOSTILE.replace("\ud800", ""))
    assert count > 70
    return found


def test_nothing_in_a_report_acts(hostile):
    text = as_markdown(hostile)
    assert not acting(text)
    assert not live(text)
    own = headings(as_markdown(full()))
    assert headings(text)[1:] == own[1:]


def test_nothing_on_the_terminal_acts_and_nothing_is_endless(hostile):
    console = Console(file=io.StringIO(), width=200, color_system=None)
    show(hostile, Path("runs/\x1b[2J\u202e"), console)
    assert not acting(console.file.getvalue())
    long = each_text(full(), lambda text: text + "a" * 10**5 if text == "best lora" else text)
    console = Console(file=io.StringIO(), width=200, color_system=None)
    show(long, Path("runs"), console)
    assert len(console.file.getvalue()) < 10_000
    assert "a" * 10**5 in as_markdown(long)


def test_the_command_shows_such_a_run(hostile, tmp_path):
    folder = tmp_path / "run [red]\x1b[2J\u202e"
    folder.mkdir()
    (folder / "assessment.json").write_text(hostile.model_dump_json())
    for options in ([], ["--markdown"]):
        shown = ladder("report", folder, *options)
        assert shown.returncode == 0, shown.stderr
        assert not acting(shown.stdout + shown.stderr)
    assert not live(shown.stdout)


def test_names_that_look_the_same_stay_two():
    assert len(each_text({"a": 1, "a\u00ad": 2, "a ": 3}, lambda text: text.strip("\u00ad "))) == 3


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("task", "gate", {"min_score": 0.5}),
        ("task", "gate", {"confidence": 0.95}),
        ("task", "gate", {"confidence": "high"}),
        ("recommendation", "cost", {"usd_per_1k": 1.0}),
        ("recommendation", "cost", dict.fromkeys(COST) | {"usd_per_1k": 1.0}),
        ("control", "lines", []),
    ],
)
def test_a_run_without_what_a_report_looks_up_is_refused(part, name, value, tmp_path):
    values = json.loads(full().model_dump_json())
    values[part][name] = value
    (tmp_path / "assessment.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match="without"):
        read_assessment(tmp_path)


def test_a_record_that_is_none_is_named_harmlessly(tmp_path):
    values = json.loads(full().model_dump_json()) | {HOSTILE.replace("\ud800", ""): 1}
    (tmp_path / "assessment.json").write_text(json.dumps(values))
    shown = ladder("report", tmp_path)
    assert shown.returncode == 2
    assert not acting(shown.stdout + shown.stderr)
