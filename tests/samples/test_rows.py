"""Data files are read fully or refused by file and line."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from writing import complaints, write_lines, write_task

from ladder.errors import DataError
from ladder.files import file_digest
from ladder.samples.rows import Document, Rows, Sample, read_rows

ROW = {"input": "sun", "target": "good"}


def read(folder: Path, name: str = "test.jsonl", **more: object) -> Rows:
    """Read one file as the test rows, with further data keys."""
    return read_rows(write_task(folder, {"test": name, **more}))


def refuse(folder: Path, name: str = "test.jsonl", **more: object) -> dict[str, str]:
    """Return where -> message of a file that must not be read."""
    with pytest.raises(DataError) as caught:
        read(folder, name, **more)
    for problem in caught.value.problems:
        assert problem.got
        assert problem.wanted
        assert problem.fix, f"no way to mend it is named: {problem}"
    return complaints(caught.value)


# JSON lines


def test_a_row_keeps_every_field(tmp_path):
    row = {"id": 7, "input": " sun ", "target": 3, "doc_ids": ["a", 2], "group": "g", "time": "t"}
    write_lines(tmp_path / "test.jsonl", [row])
    (sample,) = read(tmp_path).test
    assert sample == Sample("7", "sun", "3", ("a", "2"), "g", "t")


def test_a_row_without_an_id_is_named_by_role_and_place(tmp_path):
    write_lines(tmp_path / "test.jsonl", [ROW, {**ROW, "id": "own"}, ROW])
    assert [sample.id for sample in read(tmp_path).test] == ["test-1", "own", "test-3"]


def test_one_document_id_need_not_be_a_list(tmp_path):
    write_lines(tmp_path / "test.jsonl", [{**ROW, "doc_ids": "a"}])
    assert read(tmp_path).test[0].doc_ids == ("a",)


def test_an_object_as_target_becomes_json(tmp_path):
    write_lines(tmp_path / "test.jsonl", [{"input": "x", "target": {"größe": [1, True, None]}}])
    target = read(tmp_path).test[0].target
    assert json.loads(target) == {"größe": [1, True, None]}
    assert "größe" in target


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path):
    text = "\ufeff" + json.dumps(ROW) + "\n\n  \n" + json.dumps(ROW)
    (tmp_path / "test.jsonl").write_text(text, encoding="utf-8")
    assert len(read(tmp_path).test) == 2


def test_an_empty_file_has_no_rows(tmp_path):
    (tmp_path / "test.jsonl").touch()
    assert read(tmp_path).test == ()


def test_one_row_is_read(tmp_path):
    write_lines(tmp_path / "test.jsonl", [ROW])
    assert read(tmp_path).test == (Sample("test-1", "sun", "good"),)


def test_unlabelled_rows_need_no_target(tmp_path):
    write_lines(tmp_path / "test.jsonl", [ROW])
    write_lines(tmp_path / "more.jsonl", [{"input": "rain"}])
    rows = read(tmp_path, unlabeled="more.jsonl")
    assert rows.unlabeled == (Sample("unlabeled-1", "rain", ""),)


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ('{"input": "sun", ', "{"),
        ("not json", "not json"),
        ('["sun", "good"]', "a JSON list"),
        ('"sun"', "a JSON str"),
        ("null", "a JSON NoneType"),
        ('{"input": ' + "9" * 5000 + "}", "limit"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, got):
    good = json.dumps(ROW)
    (tmp_path / "test.jsonl").write_text(f"{good}\n\n{line}\n{good}\n")
    found = refuse(tmp_path)
    assert list(found) == [f"{tmp_path / 'test.jsonl'}:3"]
    (message,) = found.values()
    assert got in message
    assert "a JSON object" in message
    assert len(message) < 400


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_byte_that_is_not_utf8_is_named(tmp_path, ending):
    head = b"input,target\n" if ending == "csv" else json.dumps(ROW).encode() + b"\n"
    (tmp_path / f"test.{ending}").write_bytes(head + "grün,x\n".encode("latin-1"))
    found = refuse(tmp_path, f"test.{ending}")
    message = found[f"{tmp_path / 'test'}.{ending}:2"]
    assert r"b'\xfc'" in message
    assert "Save the file with UTF-8 encoding." in message


def test_a_missing_field_names_the_columns_and_how_to_map_them(tmp_path):
    write_lines(tmp_path / "test.jsonl", [ROW, {"text": "sun", "target": "good"}])
    found = refuse(tmp_path)
    message = found[f"{tmp_path / 'test.jsonl'}:2: input"]
    assert "got the columns text, target, wanted the column `input`" in message
    assert "data: {columns: {input: YOUR_COLUMN}}" in message


@pytest.mark.parametrize("empty", ["", "  \n", None])
@pytest.mark.parametrize("name", ["input", "target"])
def test_an_empty_field_is_named(tmp_path, name, empty):
    write_lines(tmp_path / "test.jsonl", [ROW, {**ROW, name: empty}])
    found = refuse(tmp_path)
    message = found[f"{tmp_path / 'test.jsonl'}:2: {name}"]
    assert "got an empty value, wanted text" in message


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (False, "false"), (0.0, "0.0")])
def test_a_zero_is_not_empty(tmp_path, value, text):
    write_lines(tmp_path / "test.jsonl", [{"input": "x", "target": value}])
    assert read(tmp_path).test[0].target == text


def test_every_wrong_row_of_every_file_is_reported(tmp_path):
    write_lines(tmp_path / "train.jsonl", [{"input": "x"}, {"target": "y"}])
    write_lines(tmp_path / "test.jsonl", [{}])
    found = refuse(tmp_path, train="train.jsonl")
    assert [where.removeprefix(f"{tmp_path}/") for where in found] == [
        "train.jsonl:1: target",
        "train.jsonl:2: input",
        "test.jsonl:1: input",
        "test.jsonl:1: target",
    ]


def test_a_thousand_wrong_rows_are_counted_not_listed(tmp_path):
    write_lines(tmp_path / "test.jsonl", [{"input": "x"}] * 1000)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1].got == "980 more such rows"


def test_an_id_used_twice_is_named_with_both_files(tmp_path):
    write_lines(tmp_path / "train.jsonl", [{**ROW, "id": "a"}])
    write_lines(tmp_path / "test.jsonl", [{**ROW, "id": "b"}, {**ROW, "id": "a"}])
    message = refuse(tmp_path, train="train.jsonl")[f"{tmp_path / 'test.jsonl'}:2"]
    assert f"the id `a` again (first in {tmp_path / 'train.jsonl'}:1)" in message


def test_a_document_may_share_an_id_with_a_row_but_not_with_a_document(tmp_path):
    write_lines(tmp_path / "test.jsonl", [{**ROW, "id": "a"}])
    write_lines(tmp_path / "docs.jsonl", [{"id": "a", "text": "t"}])
    assert read(tmp_path, documents="docs.jsonl").documents == (Document("a", "", "t"),)
    write_lines(tmp_path / "docs.jsonl", [{"id": "a", "text": "t"}] * 2)
    found = refuse(tmp_path, documents="docs.jsonl")
    assert "the id `a` again" in found[f"{tmp_path / 'docs.jsonl'}:2"]


# CSV


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> None:
    (folder / "test.csv").write_bytes(text.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_is_read_with_and_without_a_byte_order_mark(tmp_path, encoding):
    write_csv(tmp_path, 'input,target\r\n"rain, then sun",mixed\r\n', encoding)
    assert read(tmp_path, "test.csv").test == (Sample("test-1", "rain, then sun", "mixed"),)


def test_a_csv_cell_may_span_lines(tmp_path):
    write_csv(tmp_path, 'input,target\n"rain\nsun",mixed\n')
    assert read(tmp_path, "test.csv").test[0].input == "rain\nsun"


@pytest.mark.parametrize(
    ("line", "got"),
    [("rain, then sun,mixed", "more cells"), ("rain", "fewer cells")],
)
def test_too_many_and_too_few_cells_are_named(tmp_path, line, got):
    write_csv(tmp_path, f"input,target\nsun,good\n{line}\n")
    message = refuse(tmp_path, "test.csv")[f"{tmp_path / 'test.csv'}:3"]
    assert f"got {got} than columns, wanted 2 cells" in message
    assert "Quote cells that hold commas." in message


def test_lines_stay_right_after_a_line_with_broken_encoding(tmp_path):
    write_csv(tmp_path, "input,target\ngrün,x\nrain\n", "latin-1")
    assert set(refuse(tmp_path, "test.csv")) == {
        f"{tmp_path / 'test.csv'}:2",
        f"{tmp_path / 'test.csv'}:3",
    }


def test_a_csv_without_a_header_names_what_it_took_for_columns(tmp_path):
    write_csv(tmp_path, "sun,good\nrain,bad\n")
    found = refuse(tmp_path, "test.csv")
    assert "the columns sun, good" in found[f"{tmp_path / 'test.csv'}:2: input"]


def test_a_cell_too_long_for_csv_is_named(tmp_path):
    write_csv(tmp_path, f"input,target\n{'x' * 200_000},good\n")
    message = refuse(tmp_path, "test.csv")[f"{tmp_path / 'test.csv'}:2"]
    assert ".jsonl" in message


# Columns


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_columns_map_our_names_to_theirs(tmp_path, ending):
    write_lines(tmp_path / "test.jsonl", [{"key": "a", "text": "sun", "y": "good"}])
    write_csv(tmp_path, "key,text,y\na,sun,good\n")
    columns = {"id": "key", "input": "text", "target": "y"}
    rows = read(tmp_path, f"test.{ending}", columns=columns)
    assert rows.test == (Sample("a", "sun", "good"),)


def test_columns_map_the_fields_of_documents_too(tmp_path):
    write_lines(tmp_path / "test.jsonl", [ROW])
    write_lines(tmp_path / "docs.jsonl", [{"id": "d", "head": "h", "body": "b"}])
    columns = {"text": "body", "title": "head"}
    rows = read(tmp_path, documents="docs.jsonl", columns=columns)
    assert rows.documents == (Document("d", "h", "b"),)


def test_documents_keep_their_id_when_rows_name_theirs_otherwise(tmp_path):
    write_lines(tmp_path / "test.jsonl", [{**ROW, "key": "a"}])
    write_lines(tmp_path / "docs.jsonl", [{"id": "d", "text": "b"}])
    rows = read(tmp_path, documents="docs.jsonl", columns={"id": "key"})
    assert rows.test[0].id == "a"
    assert rows.documents[0].id == "d"


def test_a_mapped_column_that_is_not_there_is_named_as_mapped(tmp_path):
    write_lines(tmp_path / "test.jsonl", [ROW])
    found = refuse(tmp_path, columns={"input": "text"})
    assert "wanted the column `text`" in found[f"{tmp_path / 'test.jsonl'}:1: text"]


# Parquet and saved data sets


def test_parquet_is_read(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"input": ["sun", "rain"], "target": [1, 0], "doc_ids": [["a"], []]})
    parquet.write_table(table, tmp_path / "test.parquet")
    rows = read(tmp_path, "test.parquet")
    assert rows.test == (Sample("test-1", "sun", "1", ("a",)), Sample("test-2", "rain", "0"))
    assert dict(rows.digests)["test"] == file_digest(tmp_path / "test.parquet")


def test_a_missing_field_in_parquet_is_named_by_row(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"input": ["sun", None], "target": ["a", "b"]})
    parquet.write_table(table, tmp_path / "test.parquet")
    assert list(refuse(tmp_path, "test.parquet")) == [f"{tmp_path / 'test.parquet'}:row 2: input"]


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "test.parquet").write_text("input,target\n")
    found = refuse(tmp_path, "test.parquet")
    assert "wanted a parquet file" in found[f"{tmp_path / 'test.parquet'}"]


def test_a_saved_data_set_is_read_without_a_network(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = {"input": ["sun", "rain"], "target": ["good", "bad"]}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "saved"))
    found = read(tmp_path, "datasets:saved")
    assert [(s.input, s.target) for s in found.test] == [("sun", "good"), ("rain", "bad")]
    assert dict(found.digests) == dict(read(tmp_path, "datasets:saved").digests)


def test_the_split_of_a_saved_data_set_follows_the_role_or_is_named(tmp_path):
    datasets = pytest.importorskip("datasets")
    parts = {
        name: datasets.Dataset.from_dict({"input": [name], "target": ["x"]})
        for name in ("train", "test", "validation")
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    rows = read(tmp_path, "datasets:saved", train="datasets:saved")
    assert (rows.train[0].input, rows.test[0].input) == ("train", "test")
    assert read(tmp_path, "datasets:saved#validation").test[0].input == "validation"
    found = refuse(tmp_path, "datasets:saved#nope")
    assert "nope" in found["data.test: saved"]


def test_a_saved_data_set_may_hold_values_that_are_not_json(tmp_path):
    datasets = pytest.importorskip("datasets")
    day = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    rows = {"input": ["sun"], "target": ["good"], "time": [day], "raw": [b"\x00"]}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "saved"))
    assert read(tmp_path, "datasets:saved").test[0].time.startswith("2026-01-02")


def test_a_folder_that_holds_no_data_set_is_named(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "saved").mkdir()
    found = refuse(tmp_path, "datasets:saved")
    assert "wanted a data set" in found["data.test: saved"]
    assert "save_to_disk" in found["data.test: saved"]


# Digests


def test_digests_follow_the_files(tmp_path):
    write_lines(tmp_path / "test.jsonl", [ROW])
    first = dict(read(tmp_path).digests)
    assert set(first) == {"test"}
    write_lines(tmp_path / "test.jsonl", [ROW, ROW])
    assert dict(read(tmp_path).digests) != first
