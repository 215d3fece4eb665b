"""Data files of every form, and each way they can be wrong: told by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples.written import ROW, make_task, problems_of, read, the_problem

from ladder.errors import DataError
from ladder.files import file_digest
from ladder.samples.reading import MOST_PROBLEMS_SHOWN, read_rows
from ladder.samples.splits import split


def test_jsonl_rows_keep_every_field(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "input": "  a question ",
        "target": "b",
        "doc_ids": ["d1", 2],
        "group": "g",
        "time": "2024-01-01",
        "more": "left alone",
    }
    rows = read(tmp_path, "rows.jsonl", json.dumps(row) + "\n\n" + ROW)
    first, second = rows.examples
    assert (first.id, first.input, first.target) == ("7", "a question", "b")
    assert (first.doc_ids, first.group, first.time) == (("d1", "2"), "g", "2024-01-01")
    assert (second.id, second.doc_ids) == ("examples-2", ())
    assert rows.digests == (("examples", file_digest(tmp_path / "rows.jsonl")),)


def test_a_target_that_is_json_becomes_its_text(tmp_path: Path) -> None:
    rows = read(tmp_path, "rows.jsonl", '{"input": "a", "target": {"k": [1, "é"]}}\n')
    assert rows.examples[0].target == '{"k": [1, "é"]}'


@pytest.mark.parametrize(("value", "text"), [("0", "0"), ("1.5", "1.5"), ("true", "true")])
def test_a_target_that_is_a_json_scalar_becomes_its_text(
    tmp_path: Path, value: str, text: str
) -> None:
    rows = read(tmp_path, "rows.jsonl", f'{{"input": "a", "target": {value}}}\n')
    assert rows.examples[0].target == text


def test_columns_map_our_names_to_theirs(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        "rows.csv",
        "text,label,nr,input\na,b,n1,ignored\n",
        columns={"input": "text", "target": "label", "id": "nr"},
    )
    (row,) = rows.examples
    assert (row.id, row.input, row.target) == ("n1", "a", "b")


def test_a_dot_reaches_into_a_field(tmp_path: Path) -> None:
    lines = [
        {"input": "a", "target": "b", "meta": {"site": {"name": "yelp"}}},
        {"input": "c", "target": "b", "meta": "none"},
        {"input": "d", "target": "b", "meta.site.name": "flat"},
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    rows = read(tmp_path, "rows.jsonl", text, columns={"stratum": "meta.site.name"})
    assert [sample.stratum for sample in rows.examples] == ["yelp", "", "flat"]


def test_every_role_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(ROW)
    (tmp_path / "test.csv").write_text("input,target\nc,d\n")
    (tmp_path / "documents.jsonl").write_text('{"title": "T", "text": "body"}\n')
    (tmp_path / "unlabeled.jsonl").write_text('{"input": "no target"}\n')
    data = {
        "train": "train.jsonl",
        "test": "test.csv",
        "documents": "documents.jsonl",
        "unlabeled": "unlabeled.jsonl",
    }
    rows = read_rows(make_task(tmp_path, data))
    assert [row.id for row in (*rows.train, *rows.test)] == ["train-1", "test-1"]
    assert [(doc.id, doc.title, doc.text) for doc in rows.documents] == [
        ("documents-1", "T", "body")
    ]
    assert [(row.input, row.target) for row in rows.unlabeled] == [("no target", "")]
    assert [role for role, _ in rows.digests] == ["train", "test", "documents", "unlabeled"]


def test_a_missing_field_names_the_columns_and_the_mapping(tmp_path: Path) -> None:
    problem = the_problem(tmp_path, "rows.jsonl", ROW + '{"input": "a", "label": "b"}\n')
    assert problem.where == f"{tmp_path / 'rows.jsonl'}:2: target"
    assert problem.got == "the columns input, label"
    assert problem.wanted == "the column `target`"
    assert "data: {columns: {target: label}}" in problem.fix


def test_a_missing_field_is_named_as_the_mapping_names_it(tmp_path: Path) -> None:
    problem = the_problem(tmp_path, "rows.jsonl", ROW, columns={"target": "label"})
    assert problem.where == f"{tmp_path / 'rows.jsonl'}:1: label"
    assert problem.wanted == "the column `label`"


@pytest.mark.parametrize("value", ['""', '" \\t "', "null"])
def test_an_empty_field_is_named_by_line(tmp_path: Path, value: str) -> None:
    text = ROW + f'{{"input": "a", "target": {value}}}\n'
    problem = the_problem(tmp_path, "rows.jsonl", text)
    assert problem.where == f"{tmp_path / 'rows.jsonl'}:2: target"
    assert (problem.got, problem.wanted) == ("an empty value", "text")
    assert "take the row out" in problem.fix


def test_an_empty_cell_is_named_by_line(tmp_path: Path) -> None:
    problem = the_problem(tmp_path, "rows.csv", "input,target\na,b\n,c\n")
    assert problem.where == f"{tmp_path / 'rows.csv'}:3: input"
    assert problem.got == "an empty value"


def test_a_document_without_text_is_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text('{"title": "T"}\n')
    problem = the_problem(tmp_path, "rows.jsonl", ROW, documents="docs.jsonl")
    assert problem.where == f"{tmp_path / 'docs.jsonl'}:1: text"


def test_a_duplicate_id_is_named_by_file_and_line(tmp_path: Path) -> None:
    text = '{"id": "x", "input": "a", "target": "b"}\n' * 2
    problem = the_problem(tmp_path, "rows.jsonl", text)
    assert "the id `x` again" in problem.got
    assert problem.wanted == "an id of its own for every row"
    assert problem.where.startswith(f"{tmp_path / 'rows.jsonl'}:2")


def test_the_same_id_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("train.jsonl", "test.jsonl"):
        (tmp_path / name).write_text('{"id": "x", "input": "a", "target": "b"}\n')
    with pytest.raises(DataError, match="the id `x` again") as caught:
        read_rows(make_task(tmp_path, {"train": "train.jsonl", "test": "test.jsonl"}))
    assert "train" in caught.value.problems[0].got
    assert "test" in caught.value.problems[0].where


def test_a_document_may_share_an_id_with_a_row(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text('{"id": "x", "text": "body"}\n')
    text = '{"id": "x", "input": "a", "target": "b"}\n'
    rows = read(tmp_path, "rows.jsonl", text, documents="docs.jsonl")
    assert rows.documents[0].id == rows.examples[0].id == "x"


def test_two_columns_of_one_name_are_not_merged_in_silence(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "rows.csv", "input,target,input\na,b,c\n")
    assert "input" in str(problems[0])


@pytest.mark.parametrize("field", ["id", "input", "target"])
def test_half_a_surrogate_is_named_by_line(tmp_path: Path, field: str) -> None:
    """Such a text can be neither digested nor written, so it would stop a run half-way."""
    row = {"id": "x", "input": "a", "target": "b", field: "half \ud800"}
    problem = the_problem(tmp_path, "rows.jsonl", ROW + json.dumps(row) + "\n")
    assert problem.where.startswith(f"{tmp_path / 'rows.jsonl'}:2")


def test_mistakes_of_all_files_come_in_one_go(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text("{\n")
    problems = problems_of(tmp_path, "rows.jsonl", '{"input": ""}\n', documents="docs.jsonl")
    assert [p.where for p in problems] == [
        f"{tmp_path / 'rows.jsonl'}:1: input",
        f"{tmp_path / 'rows.jsonl'}:1: target",
        f"{tmp_path / 'docs.jsonl'}:1",
    ]


def test_many_mistakes_are_counted_and_not_all_printed(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "rows.jsonl", "no\n" * (MOST_PROBLEMS_SHOWN + 7))
    assert len(problems) == MOST_PROBLEMS_SHOWN + 1
    assert problems[-1].got == "7 more such rows"


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize(("role", "least"), [("examples", 30), ("test", 10)])
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_no_row_or_one_is_too_few(
    tmp_path: Path, count: int, role: str, least: int, suffix: str
) -> None:
    text = ROW * count if suffix == "jsonl" else "input,target\n" + "a,b\n" * count
    (tmp_path / f"rows.{suffix}").write_text(text)
    task = make_task(tmp_path, {role: f"rows.{suffix}"})
    rows = read_rows(task)
    with pytest.raises(DataError) as caught:
        split(task, rows, [])
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'task.yaml'}: data.{role}"
    assert problem.got == f"{count} rows"
    assert problem.wanted == f"at least {least}"
    assert "200 rows" in problem.fix


def test_columns_map_the_fields_of_documents_too(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text('{"id": "d", "head": "h", "body": "b"}\n')
    columns = {"text": "body", "title": "head"}
    rows = read(tmp_path, "rows.jsonl", ROW, documents="docs.jsonl", columns=columns)
    assert [(d.id, d.title, d.text) for d in rows.documents] == [("d", "h", "b")]


def test_documents_keep_their_id_where_rows_name_theirs_otherwise(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text('{"id": "d", "text": "b"}\n')
    text = '{"key": "k", "input": "a", "target": "b"}\n'
    rows = read(tmp_path, "rows.jsonl", text, documents="docs.jsonl", columns={"id": "key"})
    assert (rows.examples[0].id, rows.documents[0].id) == ("k", "d")


def test_a_missing_column_is_said_once_for_a_file(tmp_path: Path) -> None:
    problem = the_problem(tmp_path, "rows.csv", "input,label\na,b\nc,d\ne,f\n")
    assert problem.where.endswith("rows.csv:2: target")


def test_rows_that_lack_a_field_which_others_have_are_all_named(tmp_path: Path) -> None:
    text = ROW * 3 + '{"input": "c"}\n' + ROW + '{"input": "d"}\n'
    problems = problems_of(tmp_path, "rows.jsonl", text)
    assert [problem.where.rpartition("rows.jsonl")[2] for problem in problems] == [
        ":4: target",
        ":6: target",
    ]


@pytest.mark.parametrize(("name", "text"), [("rows.jsonl", "\n"), ("rows.csv", "input,target\n")])
def test_a_file_without_rows_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "test.jsonl").write_text(ROW)
    problem = the_problem(tmp_path, name, text, examples=None, train=name, test="test.jsonl")
    assert problem.where.endswith("task.yaml: data.train")
    assert problem.got == f"no rows in {name}"
