"""Values and files as other programs write them."""

from __future__ import annotations

import datetime
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples.written import ROW, make_task, read, the_problem

from ladder.errors import DataError, Problem, TaskError
from ladder.samples.reading import read_rows
from ladder.samples.rows import Rows
from ladder.samples.values import list_in, plain, text_of

pa = pytest.importorskip("pyarrow")

PIECES = [
    *(ROW.encode(), ROW.encode("utf-16"), b"[", b"]", b",", b"{", b"}", b"\n", b"\r", b"\r\n"),
    *(
        b"input,target\n",
        b"a,b\n",
        b"input;target\n",
        b'"',
        b"sep=;\n",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ),
    *(b'{"messages": [{"role": "user", "content": "a"}]}\n', b'{"text": "a", "label": []}\n'),
    *(b'{"instruction": 1, "output": {"a": [null]}}\n', b'{"question": [], "answers": {}}\n'),
    *(b'{"input": [{"role": 1}], "target": [[], {}]}\n', b'{"input": NaN, "targets": "[1]"}\n'),
    *(b"PAR1", b"\x1f\x8b", b"PK\x03\x04", b"\0", b"null\n", b"7\n"),
]


def read_parquet(folder: Path, table: dict[str, Any], **more: Any) -> Rows:
    import pyarrow.parquet as pq

    pq.write_table(pa.table(table), folder / "rows.parquet")
    return read_rows(make_task(folder, {"examples": "rows.parquet", **more}))


def targets(rows: Rows) -> list[str]:
    return [row.target for row in rows.examples]


# Values


def missing() -> list[Any]:
    import numpy as np
    import pandas as pd

    return [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, Decimal("nan")]


@pytest.mark.parametrize("value", missing())
def test_what_is_missing_is_none(value: Any) -> None:
    assert plain(value) is None
    assert plain([value, {"a": value}]) == [None, {"a": None}]


def converted() -> list[tuple[Any, str]]:
    import numpy as np
    import pandas as pd

    return [
        ("nan", "nan"),
        ("NaN", "NaN"),
        (b"caf\xc3\xa9", "café"),
        (b"\xef\xbb\xbfa", "a"),
        ("cafe\u0301", "caf\u00e9"),
        (3.0, "3"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (1e300, "1e+300"),
        (2**70, str(2**70)),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+2"), "100"),
        (Decimal("0E-8"), "0.00000000"),
        (True, "true"),
        (np.bool_(False), "false"),
        (np.int64(7), "7"),
        (np.float64(2.0), "2"),
        (np.array(["a", "b"]), '["a", "b"]'),
        (np.str_("a"), "a"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC), "2026-01-02T03:04:00+00:00"),
        (datetime.time(3, 4), "03:04:00"),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        ({"a": b"x", "b": [1.0, None]}, '{"a": "x", "b": [1, null]}'),
        (b"\xff\xfe\x00", ""),
    ]


@pytest.mark.parametrize(("value", "text"), converted())
def test_a_value_becomes_its_text(value: Any, text: str) -> None:
    assert text_of(plain(value)) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [('["a", "b"]', ["a", "b"]), ("['a']", ["a"]), ("[1, 2]", []), ("[see there]", [])],
)
def test_a_text_that_holds_a_list_is_seen(text: str, found: list[str]) -> None:
    assert list_in(text) == found


def test_lists_in_the_cells_of_a_csv_are_read_where_lists_belong(tmp_path: Path) -> None:
    text = 'input,targets,doc_ids\na,"[""b"", ""c""]","[\'1\', \'2\']"\nd,e,3\n'
    rows = read(tmp_path, "rows.csv", text).examples
    assert [(row.targets, row.doc_ids) for row in rows] == [
        (("b", "c"), ("1", "2")),
        (("e",), ("3",)),
    ]


def test_the_float_nan_is_missing_and_the_text_nan_is_a_label(tmp_path: Path) -> None:
    text = '{"input": "a", "target": "nan"}\n{"input": "b", "target": NaN}\n'
    problem = the_problem(tmp_path, "rows.jsonl", text)
    assert problem.where.endswith("rows.jsonl:2: target")
    assert targets(read(tmp_path, "rows.csv", "input,target\na,nan\n")) == ["nan"]


def test_bytes_and_dictionary_columns_are_text(tmp_path: Path) -> None:
    labels = pa.array(["x", "y", "x"]).dictionary_encode()
    rows = read_parquet(tmp_path, {"input": pa.array([b"a", b"b", b"c"]), "target": labels})
    found = [(row.input, row.target) for row in rows.examples]
    assert found == [("a", "x"), ("b", "y"), ("c", "x")]


def test_bytes_that_are_no_text_are_a_mistake_only_where_they_are_read(tmp_path: Path) -> None:
    pictures = pa.array([b"\x89PNG\xff", b"\x89PNG\xfe"])
    rows = read_parquet(tmp_path, {"input": ["a", "b"], "target": ["x", "y"], "image": pictures})
    assert rows.files[0].unread == ("image",)
    with pytest.raises(DataError) as caught:
        read_parquet(tmp_path, {"input": ["a", "b"], "target": pictures})
    assert "bytes that are no text" in caught.value.problems[0].got


def test_whole_numbers_with_a_gap_are_those_without_one(tmp_path: Path) -> None:
    columns = {"input": ["a", "b", "c"], "target": [0.0, 1.0, 2.0], "group": [1.0, None, 3.0]}
    rows = read_parquet(tmp_path, columns)
    assert targets(rows) == ["0", "1", "2"]
    assert [row.group for row in rows.examples] == ["1", "", "3"]


def test_short_floats_keep_the_digits_that_were_written(tmp_path: Path) -> None:
    import datasets

    floats = pa.array([0.1, 2.5, None], pa.float32())
    table = {"input": ["a", "b", "c"], "target": ["x", "y", "z"], "id": floats}
    rows = read_parquet(tmp_path, table).examples
    assert [row.id for row in rows] == ["0.1", "2.5", "examples-3"]
    listed = pa.array([[0.1, 0.2], [0.3]], pa.list_(pa.float32()))
    rows = read_parquet(tmp_path, {"input": ["a", "b"], "target": listed}).examples
    assert [row.targets for row in rows] == [("0.1", "0.2"), ("0.3",)]
    features = datasets.Features(
        {"input": datasets.Value("string"), "target": datasets.Value("float32")}
    )
    made = datasets.Dataset.from_dict({"input": ["a"], "target": [0.1]}, features=features)
    made.save_to_disk(str(tmp_path / "saved"))
    assert targets(read_rows(make_task(tmp_path, {"examples": "datasets:saved"}))) == ["0.1"]


def test_class_names_are_read_from_parquet_and_saved_sets(tmp_path: Path) -> None:
    import datasets

    names = datasets.ClassLabel(names=["no", "yes"])
    features = {"text": datasets.Value("string"), "label": names, "all": datasets.List(names)}
    table = datasets.Dataset.from_dict(
        {"text": ["a", "b"], "label": [1, 0], "all": [[0, 1], [1]]},
        features=datasets.Features(features),
    )
    table.to_parquet(tmp_path / "rows.parquet")
    table.save_to_disk(str(tmp_path / "saved"))
    for value in ("rows.parquet", "datasets:saved"):
        rows = read_rows(make_task(tmp_path, {"examples": value}))
        assert targets(rows) == ["yes", "no"]
        assert ("target", "label (ClassLabel of 2 names)") in rows.files[0].used
        data = {"examples": value, "columns": {"input": "text", "target": "all"}}
        listed = read_rows(make_task(tmp_path, data)).examples
        assert [row.targets for row in listed] == [("no", "yes"), ("yes",)]


def test_an_open_class_is_a_missing_target(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"input": datasets.Value("string"), "target": datasets.ClassLabel(names=["a", "b"])}
    )
    rows = {"input": ["x", "y"], "target": [0, -1]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError) as caught:
        read_rows(make_task(tmp_path, {"examples": "rows.parquet"}))
    assert caught.value.problems[0].where.endswith("row 2: target")


def test_a_struct_column_is_reached_with_a_dot(tmp_path: Path) -> None:
    columns = {"input": ["a"], "target": ["b"], "meta": [{"source": "mail"}]}
    rows = read_parquet(tmp_path, columns, columns={"stratum": "meta.source"})
    assert rows.examples[0].stratum == "mail"
    assert rows.files[0].unread == ()


# Files


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("ROWS.JSONL", ROW.encode()),
        ("rows.ndjson", ROW.encode()),
        ("rows.jsonl.gz", gzip.compress(ROW.encode(), mtime=0)),
        ("rows.jsonl", gzip.compress(ROW.encode(), mtime=0)),
        ("rows.json", f"[{ROW.strip()}]".encode()),
        ("rows.jsonl", json.dumps([json.loads(ROW)], indent=1).encode()),
        ("rows.JSON.GZ", gzip.compress(f"\n[\n{ROW}]\n".encode(), mtime=0)),
        ("rows.jsonl", ROW.encode("utf-16")),
        ("rows.jsonl", ROW.encode("utf-16-le")),
        ("rows.jsonl", ROW.encode("utf-16-be")),
        ("rows.jsonl", ROW.encode("utf-32")),
        ("rows.jsonl", ROW.replace("\n", "\r\n").encode()),
        ("rows.jsonl", ROW.replace("\n", "\r").encode()),
        ("rows.jsonl", b"\xef\xbb\xbf" + ROW.encode()),
        ("rows.csv", b"input,target\ra,b\r"),
        ("rows.csv", "input,target\r\na,b\r\n".encode("utf-16")),
        ("Rows.Csv", b"\xef\xbb\xbfinput,target\r\na,b"),
        ("rows.csv.gz", gzip.compress(b"input,target\na,b\n", mtime=0)),
        ("rows.tsv", b"input\ttarget\na\tb\n"),
        ("rows.csv", b"sep=;\ninput;target\na;b\n"),
        ("rows.csv", b"input, target\na,b\n"),
        ("rows.csv", b"input,target\na,b\n,\n\n"),
    ],
)
def test_files_as_programs_write_them_are_read(tmp_path: Path, name: str, raw: bytes) -> None:
    rows = read(tmp_path, name, raw)
    assert [(row.input, row.target) for row in rows.examples] == [("a", "b")]


def test_quoted_cells_keep_their_marks_and_line_ends(tmp_path: Path) -> None:
    rows = read(tmp_path, "rows.csv", b'input;target\r"a;\n""b""";c\r'.replace(b"\n", b""))
    assert rows.examples[0].input == 'a;"b"'


def test_a_key_twice_in_a_row_is_warned_of_by_line(tmp_path: Path) -> None:
    text = ROW + '{"input": "c", "target": "wrong", "target": "d"}\n' * 2
    for content in (text, "[" + ",\n".join(text.splitlines()) + "]"):
        rows = read(tmp_path, "rows.jsonl", content)
        (warning,) = rows.files[0].warnings
        assert warning.startswith("rows.jsonl:2: the key `target` stands twice")
        assert "2 such rows" in warning
        assert targets(rows) == ["b", "d", "d"]


@pytest.mark.parametrize(
    ("content", "where", "got"),
    [
        ('[\n{"input": "a", "target": "b"}\n{"input": "b"}]', "rows.json:2", "behind this row"),
        ('[{"input": "a", "target": "b"},\n7]', "rows.json:2", "a JSON int"),
        ('[{"input": "a", "target": "b"}', "rows.json:1", "the end of the file"),
        ('[{"input": "a", "target": "b"}] more', "rows.json", "`more` behind the array"),
        ('{\n "input": "a"\n}', "rows.json:1", "`{`"),
        (b"PK\x03\x04abc", "rows.json", "Excel"),
        (gzip.compress(b"[1, 2, 3]" * 9, mtime=0)[:-12], "rows.json", "end-of-stream"),
    ],
)
def test_a_broken_array_is_named_once(
    tmp_path: Path, content: str | bytes, where: str, got: str
) -> None:
    problem = the_problem(tmp_path, "rows.json", content)
    assert problem.where.rpartition("/")[2] == where
    assert got in problem.got


@pytest.mark.parametrize(
    ("encoding", "text", "named"),
    [("cp1252", "café crème", "Windows-1252 (`café crème"), ("cp1251", "привет мир", "older")],
)
def test_another_encoding_is_named_once_with_its_conversion(
    tmp_path: Path, encoding: str, text: str, named: str
) -> None:
    raw = f"input,target\n{text},b\n{text},b\n".encode(encoding)
    problem = the_problem(tmp_path, "rows.csv", raw)
    assert problem.where.endswith("rows.csv:2")
    assert named in problem.fix
    assert "iconv" in problem.fix


def test_one_broken_byte_in_utf8_is_told_as_such(tmp_path: Path) -> None:
    raw = "input,target\nna\u00efve \u2013 caf".encode() + b"\xe9,b\n"
    problem = the_problem(tmp_path, "rows.csv", raw)
    assert "only this place is broken" in problem.fix
    assert "iconv" not in problem.fix


def test_names_of_columns_are_compared_in_one_form_of_unicode(tmp_path: Path) -> None:
    text = "input,re\u0301ponse\na,b\n"
    assert targets(read(tmp_path, "rows.csv", text, columns={"target": "r\u00e9ponse"})) == ["b"]


@pytest.mark.parametrize(
    ("name", "fix"),
    [("r.xlsx", "CSV"), ("r.XLS", "CSV"), ("r.zip", "gzip"), ("r.parquet.gz", "Convert")],
)
def test_a_file_of_another_kind_says_how_to_convert_it(tmp_path: Path, name: str, fix: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(TaskError) as caught:
        make_task(tmp_path, {"examples": name})
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    assert fix in problem.fix


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["r.jsonl", "r.json", "r.csv", "r.tsv", "r.jsonl.gz", "r.parquet"]),
    parts=st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=12),
    packed=st.booleans(),
)
def test_whatever_stands_in_a_file_is_read_or_told(
    tmp_path: Path, name: str, parts: list[bytes], packed: bool
) -> None:
    raw = b"".join(parts)
    (tmp_path / name).write_bytes(gzip.compress(raw) if packed else raw)
    try:
        rows = read_rows(make_task(tmp_path, {"examples": name}))
    except DataError as error:
        told = str(error)
    else:
        told = ""
        assert all(row.input and row.target for row in rows.examples)
    assert told or rows.digests
