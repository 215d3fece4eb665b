"""What does not hold is named in one line: the first wrong record, or the file that was changed."""

from __future__ import annotations

import io
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from runs_made import checked, made_run

from ladder.audit import ledger as module
from ladder.audit.erasure import erase
from ladder.audit.folders import digests_in
from ladder.audit.keys import load_signer, make_keys, private_file, public_keys
from ladder.audit.ledger import HEADS, LEDGER, add, begin, note, note_lines
from ladder.audit.signature import sign_run
from ladder.audit.signing import HEAD, payload_of, signed
from ladder.audit.verify import verify
from ladder.errors import StateError, TaskError
from ladder.lifecycle.promotion import RELEASES, Wish, promote, roll_back
from ladder.lifecycle.registry import REGISTRY

GATE = {"gate.min_score": "0.8", "gate.confidence": "0.95", "seed": "0"}


@pytest.fixture
def runs(tmp_path):
    """A ledger, and two runs that it knows."""
    make_keys("machine")
    folder = begin(tmp_path / "runs").parent
    for stamp in ("2999-10-01T080000.000000Z", "2999-10-02T080000.000000Z"):
        run = made_run(folder, stamp)
        note(run, "assess", facts=GATE, files=digests_in(run))
    return folder


def newest(runs: Path) -> Path:
    return max((runs / "shop").iterdir())


def faults(runs: Path, kept: Path | None = None) -> tuple[str, ...]:
    return verify(runs, public_keys(()), kept, public_keys((), "person")).faults


def anchored(runs: Path, file: Path) -> Path:
    file.write_text((runs / HEADS).read_text().splitlines()[-1] + "\n")
    return file


def test_what_was_written_holds(runs):
    found = verify(runs, public_keys(()))
    assert (found.faults, found.notes) == ((), ())
    assert (found.records, found.heads, found.files) == (3, 3, 4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "was changed"),
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "was changed"),
        (lambda path: path.unlink(), "is missing, since record 3"),
        (lambda path: path.rename(path.with_name("other.json")), "is missing, since record 3"),
        (lambda path: (path.unlink(), path.symlink_to("/dev/null")), "a link stands in its place"),
        (lambda path: shutil.rmtree(path.parent), "missing with its folder (moved?)"),
    ],
)
def test_a_file_that_was_changed_is_named(runs, change, said):
    path = newest(runs) / "assessment.json"
    change(path)
    assert str(path) in faults(runs)[0]
    assert said in faults(runs)[0]


def test_a_file_and_a_run_that_were_added_are_named(runs):
    (newest(runs) / "prompt").mkdir()
    added = newest(runs) / "prompt" / "samples.jsonl"
    added.write_text("{}")
    run = made_run(runs, "2999-10-03T080000.000000Z")
    said = faults(runs)
    assert f"{added}: no record names this file" in said[0]
    assert f"{run}: no record names this run" in said[1]


def test_a_run_from_before_the_ledger_is_none_of_its_business(runs):
    made_run(runs, "2020-01-01T080000.000000Z")
    assert faults(runs) == ()


def test_the_folder_of_all_runs_may_be_moved(runs):
    moved = runs.rename(runs.with_name("elsewhere"))
    assert faults(moved) == ()


def test_the_first_record_that_does_not_hold_is_named(runs):
    path = runs / LEDGER
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"gate.min_score":"0.8"', b'"gate.min_score":"0.7"')
    path.write_bytes(b"\n".join(lines))
    [said] = faults(runs)
    assert said == f"{path}:2: this is the first record that is not what its head signed."


def test_a_head_that_is_cut_away_is_told(runs):
    path = runs / HEADS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "ledger.heads.jsonl was cut" in faults(runs)[0]


def test_a_tail_that_is_cut_and_signed_anew_is_told_by_a_head_that_was_kept(runs, tmp_path):
    kept = anchored(runs, tmp_path / "head.json")
    assert faults(runs, kept) == ()
    for name in (LEDGER, HEADS):
        path = runs / name
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    shutil.rmtree(newest(runs))
    assert faults(runs) == (), "without the head that was kept nobody could tell"
    [said] = faults(runs, kept)
    assert "the tail was cut" in said
    assert "\n" not in said
    add(runs / LEDGER, "drift")
    [said] = faults(runs, kept)
    assert "not those of the head kept" in said


def test_a_head_that_was_kept_is_a_beginning_of_a_ledger_that_went_on(runs, tmp_path):
    kept = anchored(runs, tmp_path / "head.json")
    for _ in range(4):
        add(runs / LEDGER, "drift")
    assert faults(runs, kept) == ()
    kept.write_text(kept.read_text().replace("a", "b", 1))
    assert "no head that can be held against" in faults(runs, kept)[0]


def test_a_gate_that_was_loosened_after_a_run_is_noted_in_one_line(runs):
    note(newest(runs), "assess", facts=GATE | {"gate.min_score": "0.7", "seed": "1"})
    found = verify(runs, public_keys(()))
    assert found.faults == ()
    assert found.notes == (
        "shop: min_score was loosened after a run: 0.8 in record 3, 0.7 in record 4",
        "shop: seed was changed after a run: 0 in record 3, 1 in record 4",
    )


def test_a_test_set_that_was_opened_twice_is_noted_in_one_line(runs):
    for task, system in (("shop", "aa"), ("shop", "aa"), ("mail", "bb")):
        digests = {"test set": "4f2a91bc4f2a91bc", "system": system}
        add(runs / LEDGER, "test set opened", task=task, digests=digests)
    [said] = verify(runs, public_keys(())).notes
    where = "shop in records 4 and 5, mail in record 6"
    assert said == f"test set 4f2a91bc4f2a was opened for 2 systems: {where}"


def test_lines_that_are_added_are_known_and_earlier_ones_are_held(runs):
    run = newest(runs)
    for at in range(2):
        with (run / "drift.jsonl").open("a") as file:
            file.write(f'{{"at": {at}}}\n')
        note_lines(run, "drift", ("drift.jsonl",))
    assert faults(runs) == ()
    text = (run / "drift.jsonl").read_text()
    (run / "drift.jsonl").write_text(text.replace("0", "7") + '{"at": 2}\n')
    note_lines(run, "drift", ("drift.jsonl",))
    [said] = faults(runs)
    assert "drift.jsonl: its earlier lines were changed before record 6" in said


def test_two_lines_at_once_may_be_noted_in_either_order(runs):
    """As an older program did, which let go of the registry before it told the ledger."""
    promote(newest(runs), Wish(name="first"))
    registry, ledger = runs / REGISTRY, runs / LEDGER
    one = registry.read_bytes()
    both = [one + b"second\n", one + b"second\nthird\n"]
    registry.write_bytes(both[1])
    left = {"place": ".", "files": {REGISTRY: sha256(both[1]).hexdigest()}}
    add(ledger, "promotion", **left, digests={f"before: {REGISTRY}": sha256(both[0]).hexdigest()})
    [said] = faults(runs)
    assert said.startswith(f"{registry}:2: this line is not in the ledger")
    add(ledger, "promotion", **left, digests={f"before: {REGISTRY}": sha256(one).hexdigest()})
    assert faults(runs) == ()


def test_promotion_release_and_rollback_are_recorded_and_the_registry_is_held(runs):
    before, after = sorted((runs / "shop").iterdir())
    promote(before, Wish(by="Ada Lovelace", owner="team"))
    checked(after, before)
    note_lines(after, "release check", (RELEASES,))
    promote(after, Wish())
    roll_back(runs / REGISTRY, "shop")
    text = (runs / LEDGER).read_text()
    kinds = [f'"kind":"{kind}"' for kind in ("promotion", "release check", "rollback")]
    assert [text.count(kind) for kind in kinds] == [2, 1, 1]
    assert "Lovelace" not in text, "no name of a person stands in the ledger"
    assert faults(runs) == ()
    registry = runs / REGISTRY
    registry.write_text("".join(registry.read_text().splitlines(keepends=True)[:-1]))
    assert f"{registry}: the file was changed since record 7" in faults(runs)[0]


def test_a_line_of_the_registry_that_the_ledger_lacks_is_told_apart_from_a_changed_one(runs):
    """Two promotions while the ledger was away, another when it was back, and one that crashed."""
    registry, why = runs / REGISTRY, "not in the ledger: written while no ledger was kept"
    here = [runs / LEDGER, runs / HEADS]

    def promoted(name: str, *, kept: bool = True) -> None:
        away = [path.rename(path.with_suffix(".away")) for path in here if not kept]
        promote(newest(runs), Wish(name=name))
        for path, where in zip(away, here, strict=False):
            path.rename(where)

    promoted("first", kept=False)
    [note] = verify(runs, public_keys(())).notes
    assert faults(runs) == ()
    assert note.startswith(f"{registry}:1: this line is {why}")
    promoted("second")
    assert faults(runs) == ()
    assert verify(runs, public_keys(())).notes == (note,)
    promoted("third", kept=False)
    [said] = faults(runs)
    assert said.startswith(f"{registry}:3: this line is {why}")
    promoted("fourth", kept=False)
    [said] = faults(runs)
    assert said.startswith(f"{registry}:3: lines 3 to 4 are {why}")
    promoted("fifth")
    assert faults(runs) == (said,), "a later record does not cover them"
    whole = registry.read_text()
    registry.write_text(whole.replace("fourth", "fifths"))
    changed = faults(runs)
    assert f"{registry}: the file was changed since record 5" in changed[0]
    assert f"{registry}: its earlier lines were changed before record 5" in changed[1]


def test_lines_that_no_record_has_are_vouched_for_and_that_stays_to_be_seen(
    runs, ladder, monkeypatch
):
    registry, here = runs / REGISTRY, [runs / LEDGER, runs / HEADS]
    promote(newest(runs), Wish(name="first"))
    ladder("audit", "vouch", registry, runs).refused("lines that are all in the ledger")
    away = [path.rename(path.with_suffix(".away")) for path in here]
    promote(newest(runs), Wish(name="second"))
    for path, where in zip(away, here, strict=True):
        path.rename(where)
    promote(newest(runs), Wish(name="third"))
    [said] = faults(runs)
    assert f"ladder audit vouch {registry}" in said
    whole = registry.read_text()
    registry.write_text(whole.replace("first", "other"))
    ladder("audit", "vouch", registry, runs, "--yes").refused("changed or taken out", "from a copy")
    registry.write_text(whole)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    shown = ladder("audit", "vouch", registry, runs)
    assert (shown.code, len(faults(runs))) == (1, 1)
    assert shown.out.startswith("2: {")
    assert '"name":"second"' in shown.out
    assert ladder("audit", "vouch", registry, runs, "--yes").code == 0
    found = verify(runs, public_keys(()))
    assert found.faults == ()
    assert found.notes == (f"{REGISTRY}: lines 2 were in no record, and vouched for in record 6",)


def test_a_record_of_checks_is_vouched_for_too(runs, ladder, tmp_path):
    drift = newest(runs) / "drift.jsonl"
    drift.write_text('{"at": 0}\n')
    assert "no record names this file" in faults(runs)[0]
    assert ladder("audit", "vouch", drift, runs, "--yes").code == 0
    assert faults(runs) == ()
    ladder("audit", "vouch", tmp_path / "x.jsonl", runs).refused("a file elsewhere")
    ladder("audit", "vouch", drift, tmp_path).refused("no ledger is kept there")


def test_a_person_signs_and_the_name_stays_out_of_the_ledger(runs):
    make_keys("person")
    file, record = sign_run(newest(runs), "Grace Hopper", "product owner", None)
    assert record.kind == "signature"
    assert "Hopper" not in (runs / LEDGER).read_text()
    assert "Hopper" not in (runs / HEADS).read_text()
    assert faults(runs) == ()
    found = verify(runs, public_keys(()))
    assert found.faults == ()
    assert "not checked" in found.notes[0]
    file.write_bytes(file.read_bytes()[:-2] + b"!}")
    assert str(file) in faults(runs)[0]


def test_a_signature_by_a_key_that_is_not_the_person_s_does_not_hold(runs, monkeypatch):
    """Whoever holds the machine's key could write the record; the envelope is the person's."""
    make_keys("person")
    machine = load_signer(private_file("machine"))
    person = load_signer(private_file("person")).public_key.keyid
    with monkeypatch.context() as patched:
        patched.setattr("ladder.audit.signature.load_signer", lambda _: machine)
        file, record = sign_run(newest(runs), "Grace Hopper", "", None)
    assert record.digests["key"] != person
    assert record.digests["key"] == machine.public_key.keyid
    found = verify(runs, public_keys(()), None, public_keys((), "person"))
    assert "signed with the machine's key, not a person's" in found.notes[0]
    assert file.is_file()


def test_a_person_s_key_signs_no_head(runs):
    """Else whoever signs runs could write the whole ledger anew."""
    make_keys("person")
    person = load_signer(private_file("person"))
    path = runs / HEADS
    path.write_bytes(
        b"".join(
            signed(payload_of(line, HEAD, public_keys(())), HEAD, person) + b"\n"
            for line in path.read_bytes().splitlines()
        )
    )
    assert "signed with machine key" in faults(runs)[0]


def test_another_public_key_does_not_check_it(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("LADDER_CONFIG", str(tmp_path / "other" / "config.yaml"))
    make_keys("machine")
    [said] = faults(runs)
    assert "signed with machine key" in said


def test_a_ledger_that_was_handed_over_alone_can_be_checked(runs, tmp_path):
    """As an evidence pack holds it: records and heads, without the files of the runs."""
    alone = tmp_path / "ledger"
    alone.mkdir()
    for name in (LEDGER, HEADS):
        (alone / name).write_bytes((runs / name).read_bytes())
    keys = public_keys(())
    assert verify(alone, keys).faults
    assert verify(alone, keys, ledger_only=True).faults == ()
    content = (alone / LEDGER).read_bytes()
    (alone / LEDGER).write_bytes(content[:-9] + b"x" + content[-8:])
    assert verify(alone, keys, ledger_only=True).faults


def test_a_folder_that_is_not_there_is_told_apart_from_one_without_a_ledger(tmp_path):
    with pytest.raises(StateError, match="got no such folder"):
        verify(tmp_path / "nowhere", ())


def test_where_no_ledger_is_kept_it_is_said(tmp_path):
    make_keys("machine")
    with pytest.raises(StateError, match="ladder audit init"):
        faults(tmp_path)


def test_without_a_ledger_nothing_is_written(tmp_path):
    run = made_run(tmp_path / "runs", "2999-10-01T080000.000000Z")
    before = digests_in(tmp_path)
    note(run, "assess")
    note_lines(run, "drift", ("drift.jsonl",))
    module.refuse_unready(run)
    assert digests_in(tmp_path) == before


def test_a_file_that_was_erased_is_missed_by_nobody(runs):
    make_keys("person")
    file, _ = sign_run(newest(runs), "Grace Hopper", "", None)
    erase(file, runs)
    assert not file.exists()
    assert faults(runs) == ()
    assert "Hopper" not in "".join(p.read_text() for p in runs.rglob("*") if p.is_file())
    file.write_text("{}")
    assert "was erased (record 5) and is there again" in faults(runs)[0]
    with pytest.raises(TaskError, match="no record names"):
        erase(runs / "shop" / "other.json", runs)
