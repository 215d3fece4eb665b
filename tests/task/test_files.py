"""Which files a task may name, and what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from task.written import GOOD, ROW, problems_of, the_problem, with_store, write_task

from ladder.task import DATA_SUFFIXES, load_task


def test_a_relative_path_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text(ROW)
    path = write_task(tmp_path / "task", GOOD.replace("rows.jsonl", "../secret.jsonl"))
    problem = the_problem(path)
    assert problem.where == f"{path}:4: data.examples"
    assert problem.got == "`../secret.jsonl`, outside the task's folder"
    assert problem.wanted == "a file inside it"
    assert "--data FOLDER" in problem.fix


def test_an_absolute_path_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text(ROW)
    problem = the_problem(write_task(tmp_path / "task", GOOD.replace("rows.jsonl", str(secret))))
    assert f"`{secret}`, outside" in problem.got
    assert "--data FOLDER" in problem.fix


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text(ROW)
    path = write_task(tmp_path / "task", GOOD.replace("rows.jsonl", "link.jsonl"))
    (tmp_path / "task" / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    problem = the_problem(path)
    assert "`link.jsonl`, outside" in problem.got
    assert "--data FOLDER" in problem.fix


def test_a_path_outside_is_refused_whether_or_not_it_exists(tmp_path: Path) -> None:
    path = write_task(tmp_path / "task", GOOD.replace("rows.jsonl", "../nothing.jsonl"))
    assert "outside" in the_problem(path).got


@pytest.mark.parametrize(
    "value", ["shared.jsonl", "../data/shared.jsonl", "ABSOLUTE", "link.jsonl"]
)
def test_data_root_allows_its_own_files(tmp_path: Path, value: str) -> None:
    root = tmp_path / "data"
    root.mkdir()
    shared = root / "shared.jsonl"
    shared.write_text(ROW)
    path = write_task(
        tmp_path / "task", GOOD.replace("rows.jsonl", value.replace("ABSOLUTE", str(shared)))
    )
    (tmp_path / "task" / "link.jsonl").symlink_to(shared)
    task = load_task(path, root)
    assert task.data_root == root
    assert task.find_data(task.data.examples or "").resolve() == shared.resolve()


def test_data_root_allows_nothing_above_it(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text(ROW)
    (tmp_path / "data").mkdir()
    path = write_task(tmp_path / "task", GOOD.replace("rows.jsonl", "../secret.jsonl"))
    assert "outside" in the_problem(path, tmp_path / "data").got


def test_a_file_beside_the_task_goes_before_data_root(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").write_text(ROW)
    task = load_task(write_task(tmp_path / "task"), tmp_path / "data")
    assert task.find_data("rows.jsonl") == tmp_path / "task" / "rows.jsonl"


def test_a_file_that_is_not_there_names_where_was_looked(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = write_task(tmp_path / "task", GOOD.replace("rows.jsonl", "rowz.jsonl"))
    problem = the_problem(path, tmp_path / "data")
    assert problem.where == f"{path}:4: data.examples"
    assert "no file `rowz.jsonl`" in problem.got
    assert str(tmp_path / "task") in problem.got
    assert str(tmp_path / "data") in problem.got


@pytest.mark.parametrize("value", ['"rows\\0.jsonl"', "a" * 5000 + ".jsonl"], ids=["nul", "long"])
def test_a_path_that_no_file_can_have_is_a_problem(tmp_path: Path, value: str) -> None:
    path = write_task(tmp_path, GOOD.replace("rows.jsonl", value))
    assert the_problem(path).where == f"{path}:4: data.examples"


def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path) -> None:
    problem = the_problem(write_task(tmp_path, GOOD.replace("rows.jsonl", "rows.txt")))
    assert problem.got == "`rows.txt`"
    for suffix in (*DATA_SUFFIXES, "datasets:"):
        assert suffix in problem.wanted


def test_one_file_may_not_both_teach_and_measure(tmp_path: Path) -> None:
    path = write_task(
        tmp_path, GOOD.replace("examples: rows.jsonl", "train: rows.jsonl\n  test: rows.jsonl")
    )
    problem = the_problem(path)
    assert problem.where.endswith("task.yaml:5: data.test")
    assert problem.got == "the file of `train` again"


def test_one_file_under_two_names_is_one_file(tmp_path: Path) -> None:
    text = GOOD.replace("examples: rows.jsonl", "train: rows.jsonl\n  test: ./rows.jsonl")
    assert the_problem(write_task(tmp_path, text)).got == "the file of `train` again"


def test_training_rows_may_be_documents(tmp_path: Path) -> None:
    text = GOOD.replace("examples: rows.jsonl", "examples: rows.jsonl\n  documents: rows.jsonl")
    assert load_task(write_task(tmp_path, text)).data.documents == "rows.jsonl"


@pytest.mark.parametrize("value", ["lancedb:kept", "qdrant:a/b", "qdrant:http://10.0.0.1:6333"])
def test_a_store_is_a_folder_or_a_server(tmp_path: Path, value: str) -> None:
    assert load_task(with_store(tmp_path, value)).data.store == value


@pytest.mark.parametrize(
    "value", ["chroma:kept", "lancedb", "'lancedb:'", "lancedb:http://h", "qdrant:ftp://h", "7"]
)
def test_another_store_names_those_that_there_are(tmp_path: Path, value: str) -> None:
    path = with_store(tmp_path, value)
    (problem,) = problems_of(path)
    assert problem.where == f"{path}:6: data.store"
    if value != "7":
        assert problem.wanted == "lancedb:<folder>, qdrant:<folder> or qdrant:http://HOST:PORT"


def test_a_key_does_not_belong_into_the_task(tmp_path: Path) -> None:
    (problem,) = problems_of(with_store(tmp_path, "qdrant:https://me:secret@h"))
    assert "QDRANT_API_KEY" in problem.fix
    assert "secret" not in str(problem)


@pytest.mark.parametrize("value", ["lancedb:../elsewhere", "qdrant:/tmp", "lancedb:a/../../b"])
def test_a_store_lies_inside_the_tasks_folder(tmp_path: Path, value: str) -> None:
    (problem,) = problems_of(with_store(tmp_path, value))
    assert "outside" in problem.got


def test_a_store_needs_documents(tmp_path: Path) -> None:
    (problem,) = problems_of(with_store(tmp_path, "lancedb:kept", documents=False))
    assert "without documents" in problem.got
