"""A run of before the records carried facts alone: its sentences are dropped, the rest is shown.

older/assessment.json was written by ladder 0.1.0 for the evalset r2_ferry_handbook, --until rag.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ladder import evidence
from ladder.errors import DataError
from ladder.evidence import Control, Record
from ladder.report.markdown import as_markdown
from ladder.report.reading import read_assessment
from ladder.report.summary import answer_line

OLDER = Path(__file__).with_name("older")


def values() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OLDER / "assessment.json").read_text(encoding="utf-8"))
    return found


def read(folder: Path, changed: dict[str, Any]) -> evidence.Assessment:
    (folder / "assessment.json").write_text(json.dumps(changed), encoding="utf-8")
    return read_assessment(folder)[0]


def test_an_older_run_is_shown() -> None:
    found, _ = read_assessment(OLDER)
    text = as_markdown(found)
    control = values()["control"]["sentence"]
    for said in (
        "Answer: rag (Text/Label, 1 document, labels scored), confirmed on 102 held-out test "
        "examples",
        "- rag is the first rung that passes: eval score 1.00 (0.93–1.00, n = 50).",
        "- prompt failed: 100% of the misses: does not know what the documents say",
        f"- {control}",
        "min_score: 50 rows place the true score at least 0.884",
        "- rag becomes cheaper than prompt at no volume.",
        "| **none** (chosen) | – |",
    ):
        assert said in text


def test_nothing_but_what_was_retired_is_dropped(tmp_path: Path) -> None:
    for path in (("control",), ("recommendation",), ("attempts", 0, "verdict", "limits", 0)):
        changed: Any = values()
        inner = changed
        for step in path:
            inner = inner[step]
        inner["sentences"] = "one letter more"
        with pytest.raises(DataError, match="sentences"):
            read(tmp_path, changed)


def test_an_older_answer_that_was_withheld_stays_withheld(tmp_path: Path) -> None:
    changed = values()
    changed["recommendation"] |= {
        "rung": None, "tested": "rag", "withheld": "rag is not confirmed: 60 of 60 failed",
    }  # fmt: skip
    found = read(tmp_path, changed)
    assert found.recommendation.withheld
    line = answer_line(found)
    assert line == "Answer: no verdict. rag is not confirmed: too many requests failed"


def test_a_retired_field_is_refused_where_no_file_is_read() -> None:
    with pytest.raises(ValidationError, match="sentence"):
        Control.model_validate({"lines": (), "sentence": "Take the control."})


def test_what_is_retired_is_no_field() -> None:
    kinds = [kind for kind in vars(evidence).values() if isinstance(kind, type)]
    records = [kind for kind in kinds if issubclass(kind, Record)]
    assert any(kind.RETIRED for kind in records)
    for kind in records:
        assert not kind.RETIRED & kind.model_fields.keys(), kind.__name__
        assert not kind.RETIRED & kind.FORMER.keys(), kind.__name__
