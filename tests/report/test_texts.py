"""A finished run of somebody else: every text in its assessment.json may be hostile."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assessments import full_assessment
from conftest import ladder
from harmful import HOSTILE, acting, headings, live
from pydantic import ValidationError
from rich.console import Console

from ladder.errors import DataError
from ladder.evidence import (
    Assessment,
)
from ladder.report.markdown import as_markdown
from ladder.report.reading import COST, read_assessment
from ladder.report.terminal import show
from ladder.report.texts import each_text

FIXED = ("confidence", "min_score", *COST)
"""Names that the report looks up."""


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
    values = json.loads(full_assessment().model_dump_json())
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
    kept, own = (
        [heading.rpartition(": ")[2] for heading in headings(shown)][1:]
        for shown in (text, as_markdown(full_assessment()))
    )
    assert kept == own, "no heading more; those of rungs hold the rung's name, which is any text"


def test_nothing_on_the_terminal_acts_and_nothing_is_endless(hostile):
    console = Console(file=io.StringIO(), width=200, color_system=None)
    show(hostile, Path("runs/\x1b[2J\u202e"), console)
    assert not acting(console.file.getvalue())
    long = each_text(
        full_assessment(), lambda text: text + "a" * 10**5 if text == "best lora" else text
    )
    console = Console(file=io.StringIO(), width=200, color_system=None)
    show(long, Path("runs"), console)
    assert len(console.file.getvalue()) < 10_000
    assert "a" * 10**5 in as_markdown(long)


@pytest.mark.slow
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
    values = json.loads(full_assessment().model_dump_json())
    values[part][name] = value
    (tmp_path / "assessment.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match="without"):
        read_assessment(tmp_path)


@pytest.mark.slow
def test_a_record_that_is_none_is_named_harmlessly(tmp_path):
    values = json.loads(full_assessment().model_dump_json()) | {HOSTILE.replace("\ud800", ""): 1}
    (tmp_path / "assessment.json").write_text(json.dumps(values))
    shown = ladder("report", tmp_path)
    assert shown.returncode == 2
    assert not acting(shown.stdout + shown.stderr)
