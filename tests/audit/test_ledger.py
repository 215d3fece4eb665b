"""The ledger on a real disk: two writers, a full disk, a crash, another's key, a newer version."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from ladder.audit import ledger as module
from ladder.audit.canonical import decoded, encoded
from ladder.audit.keys import load_signer, make_keys, private_file, public_keys
from ladder.audit.ledger import (
    HEADS,
    LEDGER,
    PENDING,
    BrokenLedgerError,
    add,
    begin,
    read_ledger,
)
from ladder.audit.verify import verify
from ladder.errors import SettingsError, StateError


@pytest.fixture
def runs(tmp_path):
    make_keys("machine")
    return begin(tmp_path / "runs").parent


def lines(runs: Path, name: str = LEDGER) -> list[str]:
    return (runs / name).read_text().splitlines()


def broken(runs: Path, *words: str) -> None:
    [said, *_] = verify(runs, public_keys(())).faults
    for word in words:
        assert word in said, said


def holds(runs: Path) -> None:
    found = verify(runs, public_keys(()))
    assert found.faults == (), found.faults


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 0.8}, b'{"a":"0.8","b":1}'),
        ({"n": 2**53}, b'{"n":"9007199254740992"}'),
        ({"n": 2**53 - 1}, b'{"n":9007199254740991}'),
        ({"n": float("nan")}, b'{"n":"nan"}'),
        ({"s": "\u20ac\x0f\n"}, '{"s":"\u20ac\\u000f\\n"}'.encode()),
        ([True, None, (1,)], b"[true,null,[1]]"),
    ],
)
def test_a_value_has_one_text(value, text):
    assert encoded(value) == text


@pytest.mark.parametrize(
    "text", [b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1.0}', b"{", b'{"a":1,"a":1}']
)
def test_another_text_of_a_value_is_refused(text):
    with pytest.raises(ValueError, match="JSON"):
        decoded(text)


def test_each_record_has_a_signed_head(runs):
    add(runs / LEDGER, "drift", task="shop", facts={"alarms": 0})
    found = read_ledger(runs / LEDGER, public_keys(()))
    assert [record.kind for record in found.records] == ["begun", "drift"]
    assert [record.number for record in found.records] == [0, 1]
    assert len(found.heads) == 2
    assert (runs / LEDGER).stat().st_mode & 0o077 == 0
    holds(runs)


def test_begin_twice_begins_once(runs):
    before = (runs / LEDGER).read_bytes()
    assert begin(runs) == runs / LEDGER
    assert (runs / LEDGER).read_bytes() == before


@pytest.mark.slow
def test_two_processes_that_append_at_once_both_leave_theirs(runs):
    script = (
        "import sys; from pathlib import Path; from ladder.audit.ledger import add\n"
        "for at in range(8): add(Path(sys.argv[1]), 'probe', facts={'at': at})"
    )
    words = [sys.executable, "-c", script, runs / LEDGER]
    running = [subprocess.Popen(words, cwd=ROOT, env=os.environ) for _ in range(2)]
    assert [each.wait(timeout=300) for each in running] == [0, 0]
    assert len(lines(runs)) == len(lines(runs, HEADS)) == 17
    holds(runs)


def test_without_a_key_nothing_is_written(tmp_path):
    with pytest.raises(SettingsError, match="ladder audit keys"):
        begin(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_others_may_read_is_refused(runs):
    private_file("machine").chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        add(runs / LEDGER, "drift")
    assert len(lines(runs)) == 1


def test_another_key_does_not_go_on_with_a_ledger(runs):
    private_file("machine").rename(private_file("machine").with_name("first.pem"))
    private_file("machine").with_suffix(".pub.pem").unlink()
    make_keys("machine")
    with pytest.raises(StateError, match="signed with machine key"):
        add(runs / LEDGER, "drift")
    broken(runs, "signed with machine key")


def test_a_full_disk_leaves_the_ledger_as_it_was(runs, monkeypatch):
    before = (runs / LEDGER).read_bytes()

    def full(path: Path, line: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(module, "add_line", full)
        with pytest.raises(StateError, match="no space left"):
            add(runs / LEDGER, "drift")
    assert (runs / LEDGER).read_bytes() == before
    holds(runs)
    add(runs / LEDGER, "drift")
    holds(runs)


@pytest.mark.parametrize("kept", [0, 1, 40, -1, None])
@pytest.mark.parametrize("cut", [LEDGER, HEADS])
def test_an_append_that_was_cut_short_is_ended_by_the_next(runs, cut, kept):
    """As a loss of power leaves it: any beginning of the line is there, or all of it."""
    begun = {name: (runs / name).read_bytes() for name in (LEDGER, HEADS)}
    add(runs / LEDGER, "drift", facts={"alarms": 1})
    whole = {name: (runs / name).read_bytes() for name in (LEDGER, HEADS)}
    added = {name: whole[name][len(begun[name]) :] for name in whole}
    pending = {"line": added[LEDGER][:-1].decode(), "head": added[HEADS][:-1].decode()}
    (runs / PENDING).write_bytes(encoded(pending))
    (runs / cut).write_bytes(begun[cut] + added[cut][:kept])
    if cut == LEDGER:
        (runs / HEADS).write_bytes(begun[HEADS])
    holds(runs)
    add(runs / LEDGER, "probe")
    assert (runs / LEDGER).read_bytes().startswith(whole[LEDGER])
    assert (runs / HEADS).read_bytes().startswith(whole[HEADS])
    assert len(lines(runs)) == len(lines(runs, HEADS)) == 3
    assert not (runs / PENDING).exists()
    holds(runs)


def test_a_half_line_is_told_where_nothing_is_pending(runs):
    with (runs / LEDGER).open("ab") as file:
        file.write(b'{"at"')
    broken(runs, f"{LEDGER}:2", "cut")


def test_a_record_of_a_newer_version_is_told(runs):
    record = json.loads(lines(runs)[0]) | {"version": 2}
    (runs / LEDGER).write_bytes(encoded(record) + b"\n")
    broken(runs, f"{LEDGER}:1", "version 2", "newer ladder")


def test_a_line_that_others_added_is_not_signed_by_the_next_append(runs):
    record = json.loads(lines(runs)[0]) | {"number": 1, "kind": "freeze"}
    with (runs / LEDGER).open("ab") as file:
        file.write(encoded(record) + b"\n")
    with pytest.raises(BrokenLedgerError, match="no signed head covers it"):
        add(runs / LEDGER, "drift")
    broken(runs, f"{LEDGER}:2", "no signed head")


def test_a_missing_file_is_told(runs):
    (runs / LEDGER).unlink()
    broken(runs, LEDGER, "missing")
    with pytest.raises(BrokenLedgerError, match="missing"):
        begin(runs) and add(runs / LEDGER, "drift")


def test_no_secret_is_written(runs, monkeypatch):
    monkeypatch.setattr("ladder.redaction._SECRETS", {"sk-planted-000000"})
    add(runs / LEDGER, "probe", facts={"model": "openai:m@https://u:sk-planted-000000@host/v1"})
    assert "planted" not in (runs / LEDGER).read_text()


def test_the_clock_that_went_back_is_noted(runs, monkeypatch):
    monkeypatch.setattr(module, "_now", lambda: "2020-01-01T00:00:00+00:00")
    add(runs / LEDGER, "drift")
    found = verify(runs, public_keys(()))
    assert found.faults == ()
    assert "the clock went back between records 1" in found.notes[0]


def test_the_private_key_signs_and_the_public_one_is_no_private_one(runs):
    path = make_keys("machine")
    assert load_signer(path).public_key.keyid == public_keys(())[0].keyid
    with pytest.raises(SettingsError, match=r"\.pub\.pem"):
        public_keys([path])
