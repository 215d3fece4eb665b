"""Files are written whole or not at all, and digests follow the content."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.errors import StateError
from ladder.files import (
    append_line,
    canonical,
    clear_disk_errors,
    digest_of,
    digest_of_each,
    file_digest,
    folder_digests,
    private_folder,
    refuse_unwritable_file,
    shipped,
    user_cache,
    write_json_lines,
    write_whole,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé", max_size=4), inner),
    max_leaves=10,
)


def test_write_whole_makes_folders_and_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "text.txt"
    write_whole(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_over_a_folder_leaves_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(StateError, match="taken"):
        write_whole(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_its_folder(tmp_path: Path, code: int) -> None:
    with pytest.raises(StateError) as caught, clear_disk_errors(tmp_path):
        raise OSError(code, os.strerror(code))
    assert str(caught.value).startswith(f"{tmp_path}: no space left")
    assert "Free some" in str(caught.value)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_missing_right_is_told_with_its_folder(tmp_path: Path, code: int) -> None:
    with pytest.raises(StateError) as caught, clear_disk_errors(tmp_path):
        raise OSError(code, os.strerror(code))
    assert str(caught.value).startswith(f"{tmp_path}: cannot be written")
    assert "Make it writable, or choose another folder." in str(caught.value)


def test_a_path_that_is_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="Is a directory"), clear_disk_errors(tmp_path):
        tmp_path.read_bytes()


def test_an_error_that_is_not_the_disks_is_not_disguised(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), clear_disk_errors(tmp_path):
        raise ZeroDivisionError


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_truly_full_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StateError, match="no space left"),
        clear_disk_errors(tmp_path),
        Path("/dev/full").open("w") as file,
    ):
        print("x", file=file, flush=True)


def test_json_lines_come_back(tmp_path: Path) -> None:
    rows = [{"input": "é\n2", "target": "b"}, {"input": "", "target": "\U0001f600"}]
    write_json_lines(tmp_path / "rows.jsonl", rows)
    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert "é" in lines[0], "readable text stays readable"


def test_no_rows_give_an_empty_file(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "rows.jsonl", [])
    assert (tmp_path / "rows.jsonl").read_bytes() == b""


@given(JSON)
def test_canonical_text_reads_back_and_is_stable(value: object) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=3), st.integers(), min_size=2))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, int]) -> None:
    backwards = dict(reversed(value.items()))
    assert digest_of(value) == digest_of(backwards)
    key = next(iter(value))
    assert digest_of(value) != digest_of({**value, key: value[key] + 1})


def test_a_file_digest_is_sha256_and_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert file_digest(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"other")
    assert file_digest(path) == hashlib.sha256(b"other").hexdigest()


def test_folder_digests_name_files_only(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("b")
    (tmp_path / "a").write_text("a")
    (tmp_path / "sub").mkdir()
    assert list(folder_digests(tmp_path)) == ["a", "b"]
    assert list(folder_digests(tmp_path, ["b", "nothing"])) == ["b"]


def test_the_users_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LADDER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert user_cache() == Path("/somewhere/ladder")
    monkeypatch.setenv("LADDER_CACHE", "/chosen")
    assert user_cache() == Path("/chosen")
    monkeypatch.delenv("LADDER_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert user_cache() == Path("/home/someone/.cache/ladder")


@pytest.mark.parametrize(("kind", "holds"), [("recipes", "lora*"), ("evalsets", "r1_*")])
def test_shipped_folders_hold_what_they_say(kind: str, holds: str) -> None:
    assert list(shipped(kind).glob(holds))


def test_lines_of_many_writers_are_all_there(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    code = (
        "import sys; from pathlib import Path; from ladder.files import append_line\n"
        "for n in range(100): append_line(Path(sys.argv[1]), sys.argv[2] * 300 + str(n))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, path, name]) for name in "abc"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert sorted(path.read_text().splitlines()) == sorted(
        f"{name * 300}{number}" for name in "abc" for number in range(100)
    )
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_left_half_written_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text('{"a": 1}\n{"half')
    append_line(path, '{"b": 2}')
    assert path.read_text().splitlines() == ['{"a": 1}', '{"half', '{"b": 2}']


def test_a_line_that_a_full_device_takes_only_in_part_is_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems say so when what was written is to lie on the disk."""
    path = tmp_path / "record.jsonl"
    append_line(path, '{"a": 1}')

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StateError, match="no space left"):
            append_line(path, '{"b": 2}')
    assert path.read_text() == '{"a": 1}\n'


def test_folders_that_are_made_are_private_and_others_stay(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path / "a" / "b")
    made = (tmp_path, tmp_path / "a", tmp_path / "a" / "b")
    assert [each.stat().st_mode & 0o777 for each in made] == [0o755, 0o700, 0o700]


def test_a_place_to_write_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    refuse_unwritable_file(tmp_path / "new" / "rows.jsonl")
    assert list((tmp_path / "new").iterdir()) == []
    for path in (tmp_path / "new", tmp_path / ("x" * 250), Path("/proc/rows.jsonl")):
        with pytest.raises(StateError, match=re.escape(str(path.parent))):
            refuse_unwritable_file(path)


@pytest.mark.parametrize("values", [[], [1], ["a, b", {"b": 1, "a": [None]}, 2.5]])
def test_a_digest_of_each_is_that_of_the_list(values):
    assert digest_of_each(iter(values)) == digest_of(values)
