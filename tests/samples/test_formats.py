"""What files may hold rows, and what is no such file."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from samples.written import ROW, make_task, problems_of, read, the_problem

from ladder.errors import DataError, LadderError
from ladder.samples.reading import read_rows


def test_csv_rows_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    rows = read(tmp_path, "rows.csv", 'input,target\n"a, ""b""\nc",d\n')
    assert [(row.input, row.target) for row in rows.examples] == [('a, "b"\nc', "d")]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path, name: str) -> None:
    text = "input,target\na,b\n" if name.endswith("csv") else ROW
    rows = read(tmp_path, name, b"\xef\xbb\xbf" + text.encode())
    assert [(row.input, row.target) for row in rows.examples] == [("a", "b")]


def test_parquet_rows_are_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"text": ["a", "b"], "target": [1, 2], "doc_ids": [["x"], []]}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    data = {"examples": "rows.parquet", "columns": {"input": "text"}}
    rows = read_rows(make_task(tmp_path, data)).examples
    assert [(row.input, row.target, row.doc_ids) for row in rows] == [
        ("a", "1", ("x",)),
        ("b", "2", ()),
    ]


def test_a_parquet_row_that_is_wrong_is_named_by_number(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"input": ["a", None], "target": ["x", "y"]}), tmp_path / "r.parquet")
    with pytest.raises(DataError) as caught:
        read_rows(make_task(tmp_path, {"examples": "r.parquet"}))
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'r.parquet'}:row 2: input"
    assert problem.got == "an empty value"


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    problem = the_problem(tmp_path, "rows.parquet", b"not parquet at all")
    assert problem.where == str(tmp_path / "rows.parquet")
    assert problem.wanted == "a parquet file"


def save(folder: Path, **splits: list[dict[str, Any]]) -> None:
    import datasets

    tables = {name: datasets.Dataset.from_list(rows) for name, rows in splits.items()}
    datasets.DatasetDict(tables).save_to_disk(str(folder))


def test_a_saved_data_set_gives_each_role_its_split(tmp_path: Path) -> None:
    save(
        tmp_path / "saved",
        train=[{"input": "a", "target": "x"}],
        test=[{"input": "b", "target": "y"}],
        more=[{"input": "c", "target": "z"}],
    )
    rows = read_rows(make_task(tmp_path, {"train": "datasets:saved", "test": "datasets:saved"}))
    assert [row.input for row in rows.train] == ["a"]
    assert [row.input for row in rows.test] == ["b"]
    rows = read_rows(make_task(tmp_path, {"test": "datasets:saved#more"}))
    assert [row.target for row in rows.test] == ["z"]
    digest = dict(rows.digests)["test"]
    assert (
        digest
        == dict(read_rows(make_task(tmp_path, {"test": "datasets:saved#more"})).digests)["test"]
    )
    other = dict(read_rows(make_task(tmp_path, {"test": "datasets:saved#train"})).digests)["test"]
    assert digest != other


def test_a_saved_table_without_splits_is_read(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list([{"input": "a", "target": "x"}]).save_to_disk(str(tmp_path / "one"))
    rows = read_rows(make_task(tmp_path, {"examples": "datasets:one"}))
    assert [row.input for row in rows.examples] == ["a"]


def test_a_wrong_row_of_a_saved_data_set_is_named(tmp_path: Path) -> None:
    save(tmp_path / "saved", test=[{"input": "a", "target": "x"}, {"input": "b", "target": ""}])
    with pytest.raises(DataError) as caught:
        read_rows(make_task(tmp_path, {"test": "datasets:saved"}))
    (problem,) = caught.value.problems
    assert problem.where == "saved#test:row 2: target"
    assert problem.got == "an empty value"


def test_a_saved_data_set_with_dates_is_read(tmp_path: Path) -> None:
    when = datetime.datetime(2024, 5, 1, 12, 0)  # noqa: DTZ001 - as most files hold it
    save(tmp_path / "saved", test=[{"input": "a", "target": "x", "time": when}])
    rows = read_rows(make_task(tmp_path, {"test": "datasets:saved"}))
    assert rows.test[0].time.startswith("2024-05-01")


@pytest.mark.parametrize("value", ["datasets:folder", "datasets:saved#nothing"])
def test_a_folder_or_split_that_is_no_data_set_is_told(tmp_path: Path, value: str) -> None:
    (tmp_path / "folder").mkdir()
    save(tmp_path / "saved", test=[{"input": "a", "target": "x"}])
    with pytest.raises(DataError) as caught:
        read_rows(make_task(tmp_path, {"test": value}))
    (problem,) = caught.value.problems
    assert problem.where.startswith("data.test: ")
    assert problem.wanted == "a data set"
    assert "save_to_disk" in problem.fix


@pytest.mark.parametrize("absolute", [False, True])
def test_a_saved_data_set_outside_the_folder_is_refused(tmp_path: Path, absolute: bool) -> None:
    save(tmp_path / "secret", test=[{"input": "a", "target": "x"}])
    value = f"datasets:{tmp_path / 'secret' if absolute else '../secret'}"
    with pytest.raises(LadderError, match="outside"):
        read_rows(make_task(tmp_path / "task", {"test": value}))


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_broken_encoding_is_named_by_line(tmp_path: Path, name: str) -> None:
    head = b"input,target\na,b\n" if name.endswith("csv") else ROW.encode() * 2
    problem = the_problem(tmp_path, name, head + b"caf\xe9,b\n")
    assert problem.where == f"{tmp_path / name}:3"
    assert problem.got == "a byte that is not UTF-8 (b'\\xe9')"
    assert problem.wanted == "UTF-8 text"
    assert "Windows-1252 (`café,b`)" in problem.fix
    assert f"iconv -f WINDOWS-1252 -t UTF-8 {name}" in problem.fix


def test_lines_after_a_broken_one_keep_their_numbers(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "rows.csv", b"input,target\n\xff,b\nshort\n")
    assert [p.where.rpartition(":")[2] for p in problems] == ["2", "3"]


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ('{"input": "a",', '`{"input": "a",`'),
        ("[1, 2]", "a JSON list"),
        ('"text"', "a JSON str"),
        ("[" * 100_000, "nested deeper than 200"),
        (f'{{"input": {"[" * 5000}{"]" * 5000}}}', "nested deeper than 200"),
        (f'{{"input": "a", "target": {"9" * 5000}}}', "digits"),
    ],
)
def test_a_line_that_is_no_json_object_is_named(tmp_path: Path, line: str, got: str) -> None:
    problem = the_problem(tmp_path, "rows.jsonl", ROW + line + "\n")
    assert problem.where == f"{tmp_path / 'rows.jsonl'}:2"
    assert got in problem.got
    assert problem.wanted == "a JSON object"
    assert len(problem.got) < 300


@pytest.mark.parametrize(
    ("line", "got"),
    [("a,b,c", "more cells than columns"), ("a", "fewer cells than columns")],
)
def test_a_csv_row_of_another_width_is_named(tmp_path: Path, line: str, got: str) -> None:
    problem = the_problem(tmp_path, "rows.csv", f"input,target\na,b\n{line}\n")
    assert problem.where == f"{tmp_path / 'rows.csv'}:3"
    assert problem.got == got
    assert problem.wanted == "2 cells"
    assert problem.fix == "Quote cells that hold commas."


def test_a_cell_too_long_for_csv_is_named_by_line_with_the_way_out(tmp_path: Path) -> None:
    text = "input,target\n" + "x" * 200_000 + ",good\n"
    problem = the_problem(tmp_path, "rows.csv", text)
    assert problem.where == f"{tmp_path / 'rows.csv'}:2"
    assert problem.wanted == "valid CSV"
    assert ".jsonl" in problem.fix


@pytest.mark.parametrize(
    ("mark", "said"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")]
)
def test_other_marks_between_cells_are_seen_and_said(tmp_path: Path, mark: str, said: str) -> None:
    text = f'input{mark}target\na, with a comma{mark}b\n"c{mark}d"{mark}e\n'
    rows = read(tmp_path, "rows.csv", text)
    assert [(row.input, row.target) for row in rows.examples] == [
        ("a, with a comma", "b"),
        (f"c{mark}d", "e"),
    ]
    assert rows.files[0].notes == (f"{said} between the cells",)


def test_squads_own_file_of_articles_gives_a_row_for_each_question(tmp_path: Path) -> None:
    def asked(name: str, *texts: str) -> dict[str, Any]:
        answers = [{"text": text, "answer_start": 0} for text in texts]
        return {"id": name, "question": f"Who is {name}?", "answers": answers}

    articles = [
        {
            "title": "Ferries",
            "paragraphs": [{"context": "Ane and Bo.", "qas": [asked("q1", "Ane")]}],
        },
        {
            "title": "Boats",
            "paragraphs": [
                {"context": "Cy.", "qas": [asked("q2", "Cy", "cy"), asked("q3", "Di")]},
                {"context": "Nobody asks.", "qas": []},
            ],
        },
    ]
    rows = read(tmp_path, "train.json", json.dumps({"version": "1.1", "data": articles}))
    assert [row.id for row in rows.examples] == ["q1", "q2", "q3"]
    assert rows.examples[0].input == "Ane and Bo.\n\nWho is q1?"
    assert rows.examples[1].targets == ("Cy", "cy")
    assert any("articles" in note for note in rows.files[0].notes)
    articles[1]["paragraphs"][0]["qas"][1]["answers"] = []
    wrong = the_problem(tmp_path, "train.json", json.dumps({"data": articles}))
    assert "question q3" in wrong.where
