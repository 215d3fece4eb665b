"""Rows in the layouts of known data sets, several right answers, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samples.written import make_task, problems_of, read, the_problem

from ladder.samples.reading import read_rows
from ladder.samples.rows import Rows, Sample


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_lines(folder: Path, *rows: dict[str, Any], **data: Any) -> Rows:
    return read(folder, "rows.jsonl", lines(*rows), **data)


def first(folder: Path, *rows: dict[str, Any], **data: Any) -> Sample:
    return read_lines(folder, *rows, **data).examples[0]


def turn(who: str, text: Any) -> dict[str, Any]:
    return {"role": who, "content": text}


# Layouts

IN_GRAZ = ("Graz", "the city of Graz")
SQUAD = {"text": ["Graz", "Graz", "the city of Graz"], "answer_start": [3, 3, 1]}


@pytest.mark.parametrize(
    ("row", "asked", "targets"),
    [
        ({"instruction": "Say it.", "input": "a", "output": "b"}, "Say it.\n\na", ("b",)),
        ({"instruction": "Say it.", "input": "", "output": "b"}, "Say it.", ("b",)),
        ({"instruction": "Say it.", "output": "b"}, "Say it.", ("b",)),
        ({"instruction": "Say it.", "context": "c", "response": "b"}, "Say it.\n\nc", ("b",)),
        ({"prompt": "a", "completion": "b"}, "a", ("b",)),
        ({"prompt": [turn("user", "a")], "completion": [turn("assistant", "b")]}, "a", ("b",)),
        ({"question": "q", "context": "c", "answers": SQUAD}, "c\n\nq", IN_GRAZ),
        ({"question": "q", "answer": "a"}, "q", ("a",)),
        ({"question": "q", "answers": ["a", "b"]}, "q", ("a", "b")),
        ({"question": "q", "target": "a"}, "q", ("a",)),
        ({"text": "t", "label": 3}, "t", ("3",)),
        ({"text": "t", "label": 3, "label_text": "three"}, "t", ("three",)),
        ({"messages": [turn("user", "a"), turn("assistant", "b")]}, "a", ("b",)),
        (
            {"messages": [turn("user", [{"type": "text", "text": "a"}]), turn("assistant", "b")]},
            "a",
            ("b",),
        ),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            "a",
            ("b",),
        ),
        (
            {"messages": [turn("system", "s"), turn("user", "a"), turn("assistant", "b")]},
            "s\n\na",
            ("b",),
        ),
        (
            {
                "messages": [
                    turn("user", "a"),
                    turn("assistant", "b"),
                    turn("user", "c"),
                    turn("assistant", "d"),
                ]
            },
            "User: a\nAssistant: b\nUser: c",
            ("d",),
        ),
        (
            {"messages": [turn("user", "a"), turn("assistant", "b")], "target": "x"},
            "User: a\nAssistant: b",
            ("x",),
        ),
    ],
)
def test_a_known_layout_is_read_and_said(
    tmp_path: Path, row: dict[str, Any], asked: str, targets: tuple[str, ...]
) -> None:
    rows = read_lines(tmp_path, row)
    (sample,) = rows.examples
    assert (sample.input, sample.targets) == (asked, targets)
    assert rows.files[0].notes[0].startswith("read as ")
    assert "-> input" in rows.files[0].notes[0]
    assert rows.files[0].unread == (("label",) if "label_text" in row else ())


def test_a_mapped_target_does_not_hide_the_instruction(tmp_path: Path) -> None:
    row = {"instruction": "Say it.", "input": "a", "output": "b"}
    assert first(tmp_path, row, columns={"target": "output"}).input == "Say it.\n\na"


@pytest.mark.parametrize(
    "own", [{"target": "50 Euros "}, {"targets": ["€50", "50 euros"]}, {"targets": "50 euros"}]
)
def test_a_chat_does_not_tell_its_own_target(tmp_path: Path, own: dict[str, Any]) -> None:
    """The accepted answers stand beside a chat that ends with one of them."""
    chat = [turn("user", "Up to what sum?"), turn("assistant", "50 euros")]
    assert first(tmp_path, {"messages": chat, **own}).input == "Up to what sum?"


@pytest.mark.parametrize("empty", [[], "", None, float("nan")])
def test_where_the_answers_are_empty_the_chat_answers(tmp_path: Path, empty: object) -> None:
    chat = [turn("user", "Up to what sum?"), turn("assistant", "50 euros")]
    found = first(tmp_path, {"messages": chat, "targets": empty})
    assert (found.input, found.targets) == ("Up to what sum?", ("50 euros",))


def test_a_chat_about_which_is_asked_stays_whole(tmp_path: Path) -> None:
    chat = [turn("user", "Where is it?"), turn("assistant", "On its way.")]
    found = first(tmp_path, {"messages": chat, "target": "delivery"})
    assert found.input == "User: Where is it?\nAssistant: On its way."


def test_a_mapped_target_leaves_the_whole_chat_to_the_input(tmp_path: Path) -> None:
    row = {"messages": [turn("user", "a"), turn("assistant", "b")], "mood": "fine"}
    sample = first(tmp_path, row, columns={"target": "mood"})
    assert (sample.input, sample.target) == ("User: a\nAssistant: b", "fine")


def test_columns_that_only_some_rows_have_make_no_second_layout(tmp_path: Path) -> None:
    rows = read_lines(
        tmp_path,
        {"question": "q", "answers": ["a"]},
        {"question": "q2", "context": "c", "answer": "b"},
    )
    assert [(row.input, row.target) for row in rows.examples] == [("q", "a"), ("c\n\nq2", "b")]
    rows = read_lines(
        tmp_path,
        {"instruction": "i", "output": "o"},
        {"instruction": "j", "input": "in", "output": "o"},
    )
    assert [row.input for row in rows.examples] == ["i", "j\n\nin"]
    assert rows.files[0].unread == ()


def test_mapping_the_input_reads_that_column_alone(tmp_path: Path) -> None:
    row = {"instruction": "Say it.", "input": "a", "output": "b"}
    rows = read_lines(tmp_path, row, columns={"input": "input", "target": "output"})
    assert rows.examples[0].input == "a"
    assert rows.files[0].unread == ("instruction",)


def test_our_own_columns_come_first(tmp_path: Path) -> None:
    rows = read_lines(tmp_path, {"input": "a", "target": "b", "text": "t", "label": "l"})
    assert (rows.examples[0].input, rows.examples[0].target) == ("a", "b")
    assert rows.files[0].unread == ("text", "label")


def test_the_same_system_turn_of_every_row_is_left_out_and_said(tmp_path: Path) -> None:
    chats = [[turn("system", "Be terse."), turn("user", n), turn("assistant", "b")] for n in "xyz"]
    rows = read_lines(tmp_path, *({"messages": chat} for chat in chats))
    assert [row.input for row in rows.examples] == ["x", "y", "z"]
    assert "Be terse." in rows.files[0].notes[1]
    chats[0][0] = turn("system", "Be kind.")
    rows = read_lines(tmp_path, *({"messages": chat} for chat in chats))
    found = [row.input for row in rows.examples]
    assert found == ["Be kind.\n\nx", "Be terse.\n\ny", "Be terse.\n\nz"]


def test_a_context_is_left_to_the_documents_where_there_are_some(tmp_path: Path) -> None:
    (tmp_path / "documents.jsonl").write_text(lines({"id": "1", "text": "c"}))
    row = {"question": "q", "context": "c", "answers": SQUAD}
    rows = read_lines(tmp_path, row, documents="documents.jsonl")
    assert rows.examples[0].input == "q"
    assert any("documents" in note for note in rows.files[0].notes)


def test_rows_without_a_target_may_end_with_the_question(tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text(
        lines(
            {"messages": [turn("user", "a"), turn("assistant", "b"), turn("user", "c")]},
            {"messages": [turn("user", "d"), turn("assistant", "e")]},
        )
    )
    rows = read_lines(tmp_path, {"input": "i", "target": "t"}, unlabeled="more.jsonl")
    assert [row.input for row in rows.unlabeled] == ["User: a\nAssistant: b\nUser: c", "d"]


def test_turns_after_the_last_answer_are_said(tmp_path: Path) -> None:
    chat = [turn("user", "a"), turn("assistant", "b"), turn("user", "thanks")]
    rows = read_lines(tmp_path, {"messages": chat})
    assert (rows.examples[0].input, rows.examples[0].target) == ("a", "b")
    assert "1 chat goes on after the assistant's last turn" in rows.files[0].warnings[0]


def test_turns_written_as_the_text_of_a_list_are_read(tmp_path: Path) -> None:
    chat = json.dumps([turn("user", "a"), turn("assistant", "b")])
    assert first(tmp_path, {"messages": chat}).target == "b"


def test_rows_of_two_layouts_are_refused(tmp_path: Path) -> None:
    text = lines({"instruction": "a", "output": "b"}, {"messages": [turn("user", "a")]})
    problem = the_problem(tmp_path, "rows.jsonl", text)
    assert problem.where.endswith("rows.jsonl:2")
    assert "`chat` (messages) after rows in the layout `Alpaca`" in problem.got
    own = lines({"input": "a", "target": "b"}, {"question": "a", "answer": "b"})
    assert "one layout" in the_problem(tmp_path, "rows.jsonl", own).wanted


@pytest.mark.parametrize(
    ("turns", "got"),
    [
        ([], "an empty value"),
        ("a text", "`a text`"),
        (["a"], "no object"),
        ([turn("wizard", "a")], "a turn of `wizard`"),
        ([turn("user", [{"type": "image_url", "image_url": "x"}])], "part of the type `image_url`"),
        ([turn("user", "a")], "an empty value"),
        ([turn("user", "a"), turn("assistant", None)], "an empty value"),
    ],
)
def test_a_chat_that_cannot_be_read_is_named(tmp_path: Path, turns: Any, got: str) -> None:
    problem = the_problem(tmp_path, "rows.jsonl", lines({"messages": turns}))
    assert problem.where.endswith("rows.jsonl:1: messages")
    assert got in problem.got


def test_a_missing_answer_is_named_by_the_users_column(tmp_path: Path) -> None:
    text = lines({"question": "a", "answer": "b"}, {"question": "a", "answer": ""})
    assert the_problem(tmp_path, "rows.jsonl", text).where.endswith("rows.jsonl:2: answer")


# Several right answers


@pytest.mark.parametrize(
    ("row", "targets"),
    [
        ({"target": ["a kettle", "kettle"]}, ("a kettle", "kettle")),
        ({"target": ["caf\u00e9", "cafe\u0301"]}, ("caf\u00e9",)),
        ({"target": [" a", "a "]}, ("a",)),
        ({"target": [7, 7.0, 8]}, ("7", "8")),
        ({"targets": ["a", "b"]}, ("a", "b")),
        ({"targets": "a"}, ("a",)),
        ({"target": "a", "targets": ["b", "a"]}, ("a", "b")),
        ({"target": {"text": ["a"], "answer_start": [1]}}, ("a",)),
        ({"target": [{"text": "a", "answer_start": 1}]}, ("a",)),
    ],
)
def test_a_list_holds_several_right_answers(
    tmp_path: Path, row: dict[str, Any], targets: tuple[str, ...]
) -> None:
    assert first(tmp_path, {"input": "i", **row}).targets == targets


@pytest.mark.parametrize(
    ("target", "got"),
    [
        ([{"a": 1}], "a list with objects"),
        ([["a"], ["b"]], "a list with lists"),
        ([1, {"a": 1}], "a list with objects among others"),
        (["a", ""], "a list with empty texts"),
        (["a", None], "a list with empty values"),
        ([], "an empty value"),
    ],
)
def test_any_other_list_is_a_mistake(tmp_path: Path, target: Any, got: str) -> None:
    problem = the_problem(tmp_path, "rows.jsonl", lines({"input": "i", "target": target}))
    assert problem.where.endswith("rows.jsonl:1: target")
    assert got in problem.got


def test_a_list_is_the_answer_where_answers_are_json(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        lines({"input": "i", "target": [1, {"a": 2}]}, {"input": "j", "targets": [[1], [2]]})
    )
    task = make_task(tmp_path, {"examples": "rows.jsonl"}, answer={"type": "json"})
    assert [row.targets for row in read_rows(task).examples] == [('[1, {"a": 2}]',), ("[1]", "[2]")]


def test_a_near_column_is_named_where_one_is_missing(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "rows.jsonl", lines({"Input": "a", "TARGET": "b"}))
    assert [p.fix.partition("data: ")[2] for p in problems] == [
        "{columns: {input: Input}}",
        "{columns: {target: TARGET}}",
    ]
