"""Files are written whole or not at all, and digests follow the content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.errors import StateError
from ladder.files import (
    canonical,
    clear_disk_errors,
    digest_of,
    file_digest,
    folder_digests,
    shipped,
    user_cache,
    write_json_lines,
    write_whole,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), VALUES))
def test_the_digest_does_not_depend_on_the_order_of_keys(value):
    turned = dict(reversed(value.items()))
    assert canonical(turned) == canonical(value)
    assert digest_of(turned) == digest_of(value)


def test_the_digest_tells_values_apart():
    values = [1, "1", True, None, [], {}, [1], {"1": 1}, [[1]], "é", "e"]
    assert len({digest_of(value) for value in values}) == len(values)


def test_a_file_digest_follows_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    first = file_digest(path)
    assert first == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    path.write_text("other")
    assert file_digest(path) != first


def test_folder_digests_name_the_files_that_are_there(tmp_path):
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("two")
    (tmp_path / "sub").mkdir()
    assert set(folder_digests(tmp_path)) == {"a", "b"}
    assert set(folder_digests(tmp_path, ["b", "none"])) == {"b"}


def test_writing_makes_the_folder_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    write_whole(path, "grün")
    assert path.read_text(encoding="utf-8") == "grün"
    assert [found.name for found in path.parent.iterdir()] == ["a.txt"]


def test_a_write_that_fails_leaves_the_old_content(tmp_path):
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.txt"]


def test_json_lines_that_fail_half_way_leave_no_file(tmp_path):
    with pytest.raises(TypeError):
        write_json_lines(tmp_path / "rows.jsonl", [{"a": 1}, {"a": object()}])
    assert list(tmp_path.iterdir()) == []


def test_json_lines_are_one_row_a_line(tmp_path):
    write_json_lines(tmp_path / "rows.jsonl", [{"a": "x\ny"}, {"b": "ü"}])
    assert (tmp_path / "rows.jsonl").read_text() == '{"a": "x\\ny"}\n{"b": "ü"}\n'


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"file/a\.txt: cannot be written"):
        write_whole(tmp_path / "file" / "a.txt", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StateError, match="Choose another folder"):
        write_whole(tmp_path / "a.txt", "x")
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_told():
    def fill() -> None:
        with clear_disk_errors(Path("/dev/full")):
            Path("/dev/full").write_text("x")

    with pytest.raises(StateError, match="no space left"):
        fill()


def test_the_cache_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("LADDER_CACHE", "/a")
    assert user_cache() == Path("/a")
    monkeypatch.delenv("LADDER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert user_cache() == Path("/b/ladder")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_cache() == Path.home() / ".cache" / "ladder"


def test_the_recipes_ship():
    assert (shipped("recipes") / "lora.yaml").is_file()
