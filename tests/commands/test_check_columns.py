"""What `ladder check` says of columns, examples, labels and targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samples.test_splits import WORDS

from ladder.commands.check import check_task
from ladder.errors import LadderError
from ladder.samples.columns import mapping, nearest, our_columns
from ladder.samples.splits import same_label


def said(folder: Path, rows: list[dict[str, Any]], **more: Any) -> list[str]:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"examples": "rows.jsonl", **more.pop("data", {})}
    values = {
        "name": "check",
        "goal": "Sort the notes.",
        "data": data,
        "answer": {"type": "label"},
        "score": "exact_match",
        "gate": {"min_score": 0.5, "when_undecided": "lean"},
        **more,
    }
    (folder / "task.yaml").write_text(json.dumps(values))
    return check_task(folder / "task.yaml", None)


def notes(count: int = 60, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "input": " ".join(WORDS[(at * k) % 13] for k in range(1, 8)) + f" {at * 7919}",
            "target": "ab"[at % 2],
            **more,
        }
        for at in range(count)
    ]


def test_each_column_is_said_with_what_it_was_read_from(tmp_path: Path) -> None:
    rows = [
        {"text": row["input"], "label": row["target"], "nr": at} for at, row in enumerate(notes())
    ]
    lines = said(tmp_path, rows, data={"columns": {"id": "nr"}})
    assert "rows.jsonl: input <- text · target <- label · id <- nr" in lines
    assert any(
        "read as text and label rows: text -> input, label -> target" in line for line in lines
    )
    assert sum(line.startswith("e.g. ") for line in lines) == 3


def test_unread_columns_are_named_and_misspelt_ones_with_the_mapping(tmp_path: Path) -> None:
    lines = said(tmp_path, notes(doc_id="7", groups="g", strata="mail", colour="red", Time="noon"))
    assert any(line.endswith("not read: doc_id, groups, strata, colour, Time") for line in lines)
    warned = [line for line in lines if line.startswith("warning: the column")]
    assert [line.partition("? ")[2] for line in warned] == [
        "data: {columns: {doc_ids: doc_id}}",
        "data: {columns: {group: groups}}",
        "data: {columns: {stratum: strata}}",
        "data: {columns: {time: Time}}",
    ]


def test_parts_of_the_input_and_our_own_names_are_not_passed_over(tmp_path: Path) -> None:
    lines = said(tmp_path, notes(instruction="Sort it.", options=["a", "b"]))
    assert sum("so no model sees it" in line for line in lines) == 2
    rows = [{**row, "note": "x " + row["input"]} for row in notes()]
    lines = said(tmp_path, rows, data={"columns": {"input": "note"}})
    assert "warning: the column `input` is not read: data.columns names another for it" in lines


@pytest.mark.parametrize(
    ("column", "ours"),
    [
        ("doc-ids", "doc_ids"),
        ("document_id", "doc_ids"),
        ("Group", "group"),
        ("conversation_id", "group"),
        ("startum", "stratum"),
        ("inputs", "input"),
        ("timestamp", "time"),
        ("colour", None),
        ("meta", None),
        ("", None),
    ],
)
def test_the_nearest_of_our_columns(column: str, ours: str | None) -> None:
    assert nearest(column, our_columns("test")) == ours


def test_a_mapping_quotes_a_name_that_yaml_would_read_otherwise() -> None:
    assert mapping("input", "my text: raw") == "data: {columns: {input: 'my text: raw'}}"


def test_labels_that_differ_in_capitals_or_spaces_are_warned_of(tmp_path: Path) -> None:
    rows = [
        {**row, "target": ["Login", "log in", "refund"][at % 3]} for at, row in enumerate(notes())
    ]
    lines = said(tmp_path, rows)
    assert any("labels `Login` and `log in` differ" in line for line in lines)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("log in", "LOGIN", True),
        ("re-fund", "refund", True),
        ("refund", "refund\u200b", True),
        ("1", "1.0", True),
        ("C", "C++", False),
        ("A", "A-", False),
        ("1", "-1", False),
        ("+", "-", False),
    ],
)
def test_labels_that_are_one_label(one: str, other: str, same: bool) -> None:
    assert same_label(one, other) is same


def test_a_label_written_otherwise_names_the_one_that_is_meant(tmp_path: Path) -> None:
    rows = [{**row, "target": ["a", "b", "B "][at % 3]} for at, row in enumerate(notes())]
    with pytest.raises(LadderError, match="Did you mean `b`"):
        said(tmp_path, rows, answer={"type": "label", "labels": ["a", "b"]})


def test_labels_of_the_task_file_are_compared_in_one_form_of_unicode(tmp_path: Path) -> None:
    rows = [{**row, "target": ["acce\u0300s", "b"][at % 2]} for at, row in enumerate(notes())]
    lines = said(tmp_path, rows, answer={"type": "label", "labels": ["acc\u00e8s", "b"]})
    assert "no mistake found" in lines[0]


def test_every_right_label_must_be_known(tmp_path: Path) -> None:
    rows = [{**row, "target": ["a", "b"] if at % 2 else "a"} for at, row in enumerate(notes())]
    lines = said(tmp_path, rows, answer={"type": "label", "labels": ["a", "b"]})
    assert any("several right answers" in line for line in lines)
    with pytest.raises(LadderError, match="the target `b`"):
        said(tmp_path, rows, answer={"type": "label", "labels": ["a", "c"]})


def test_a_text_that_holds_a_list_is_warned_of(tmp_path: Path) -> None:
    rows = [{**row, "target": '["a", "b"]'} for row in notes()]
    lines = said(tmp_path, rows, answer={"type": "text"})
    assert any("one text that holds a list" in line for line in lines)


def test_contradictions_are_listed(tmp_path: Path) -> None:
    rows = notes()
    rows.append({**rows[0], "target": "b"})
    lines = said(tmp_path, rows)
    assert "contradicts an earlier row: examples-61 ~ examples-1: b / a" in lines
    assert "1 row contradicts an earlier one" in lines[2]
