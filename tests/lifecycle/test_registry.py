"""The registry's file: a chain of records that nothing can be taken out of unseen."""

from __future__ import annotations

import errno
import json
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from runs_made import checked, made_run

from ladder.audit import ledger
from ladder.audit.keys import make_keys, private_file
from ladder.audit.ledger import begin
from ladder.errors import LadderError, SettingsError, StateError
from ladder.lifecycle import promotion
from ladder.lifecycle.production import in_production
from ladder.lifecycle.promotion import NotPromotedError, Wish, promote, roll_back
from ladder.lifecycle.registry import clock_note, read_registry, registry_of


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs: the first two were in production, and the first is so again."""
    runs = tmp_path / "runs"
    first, second, third = (made_run(runs, stamp) for stamp in ("one", "two", "three"))
    promote(first, Wish())
    checked(second, first)
    promote(second, Wish())
    roll_back(runs / "registry.jsonl", "shop")
    checked(third, first)
    return runs


def test_each_line_holds_the_digest_of_the_one_before(runs: Path) -> None:
    found = read_registry(runs / "registry.jsonl")
    assert [entry.kind for entry in found.entries] == ["promoted", "promoted", "rolled back"]
    assert found.entries[0].chain == ""
    assert len({entry.chain for entry in found.entries} | {found.head}) == 4
    assert registry_of(runs / "shop/one") == found.path


@pytest.mark.parametrize(
    ("hurt", "line"),
    [
        (lambda lines: [lines[0].replace("one", "two"), *lines[1:]], 2),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [*lines, lines[0]], 4),
    ],
    ids=["changed", "taken out", "first gone", "moved", "copied"],
)
def test_a_changed_file_is_found_and_nothing_is_added(runs: Path, hurt, line: int) -> None:
    path = runs / "registry.jsonl"
    path.write_text("".join(each + "\n" for each in hurt(path.read_text().splitlines())))
    before = path.read_bytes()
    with pytest.raises(StateError, match=rf"registry\.jsonl:{line}: does not follow"):
        promote(runs / "shop/three", Wish())
    assert path.read_bytes() == before


@pytest.mark.parametrize("torn", ['{"kind":"promo', "[]", '{"kind": "sold"}', "\x00", ""])
def test_a_broken_line_is_named(runs: Path, torn: str, ladder) -> None:
    path = runs / "registry.jsonl"
    with path.open("a") as file:
        file.write(torn + "\n")
    said = ladder("promote", runs / "shop/three")
    said.refused("registry.jsonl:4: no record of the registry", "if it is the last line")
    assert len(said.errors.splitlines()) == 1


def test_a_line_cut_off_by_a_crash_can_be_taken_out(runs: Path) -> None:
    path = runs / "registry.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"promoted","na')
    with pytest.raises(StateError, match="Take it out if it is the last line"):
        read_registry(path)
    path.write_bytes(whole)
    assert promote(runs / "shop/three", Wish()).previous is not None


def test_a_full_disk_leaves_the_file_as_it_was(runs: Path, ladder) -> None:
    """The limit on a file's size ends the write in the middle of the line, as a full disk does."""
    path = runs / "registry.jsonl"
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        said = ladder("promote", runs / "shop/three")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said.refused("no space left on the device")
    assert len(said.errors.splitlines()) == 1
    assert path.read_bytes() == before
    assert promote(runs / "shop/three", Wish()).place == "shop/three"


def test_nothing_is_decided_that_the_ledger_cannot_hold(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_keys("machine")
    begin(runs)
    private_file("machine").rename(private_file("machine").with_name("away.pem"))
    before = (runs / "registry.jsonl").read_bytes()
    with pytest.raises(SettingsError, match="machine"):
        promote(runs / "shop/three", Wish())
    assert (runs / "registry.jsonl").read_bytes() == before
    private_file("machine").with_name("away.pem").rename(private_file("machine"))

    def full(path: Path, line: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "add_line", full)
        with pytest.raises(StateError) as caught:
            promote(runs / "shop/three", Wish())
    said = "shop is promoted: that stands, and the ledger does not say so"
    assert said in str(caught.value)
    assert "no space left" in str(caught.value)
    found = read_registry(runs / "registry.jsonl")
    assert in_production(found.entries)["shop"].champion.place == "shop/three"


def test_a_registry_of_a_wrong_name_is_told_and_not_made(tmp_path: Path, ladder) -> None:
    path = tmp_path / "typo" / "registry.jsonl"
    ladder("rollback", "shop", "--registry", path).refused("there is no such file")
    ladder("deprecate", "shop", "--ends", "2099-01-01", "--registry", path).refused("no such file")
    assert list(tmp_path.iterdir()) == []


def test_of_two_promotions_at_once_one_wins(runs: Path) -> None:
    champion = runs / "shop/one"
    rivals = [made_run(runs, f"rival {number}") for number in range(6)]
    for rival in rivals:
        checked(rival, champion)

    def attempt(run: Path) -> str:
        try:
            return promote(run, Wish()).place
        except NotPromotedError as error:
            return f"refused: {error}"

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(attempt, rivals))
    [won] = [each for each in said if not each.startswith("refused")]
    assert all("no release check" in each and won in each for each in said if each != won)
    found = read_registry(runs / "registry.jsonl")
    assert len(found.entries) == 4
    assert in_production(found.entries)["shop"].champion.place == won


def test_a_clock_that_went_back_decides_nothing(
    runs: Path, monkeypatch: pytest.MonkeyPatch, ladder
) -> None:
    """A record of the year 2099 is followed by one of today: the later line counts."""
    fourth = made_run(runs, "four")
    monkeypatch.setattr(promotion, "now", lambda: "2099-01-01T00:00:00+00:00")
    promote(runs / "shop/three", Wish())
    monkeypatch.undo()
    checked(fourth, runs / "shop/three")
    said = ladder("promote", fourth)
    assert (said.code, said.out.splitlines()[0]) == (0, "shop: shop/four is in production")
    assert "The clock stands before the last record (2099-01-01" in said.errors
    found = read_registry(runs / "registry.jsonl")
    assert in_production(found.entries)["shop"].champion.place == "shop/four"
    assert clock_note(found) == ""


def test_no_registry_is_an_empty_one(tmp_path: Path, ladder) -> None:
    said = ladder("models", "--registry", tmp_path / "registry.jsonl")
    assert said.code == 0
    assert "nothing is in production" in said.out
    assert list(tmp_path.iterdir()) == []
    shown = ladder("models", "--registry", tmp_path / "registry.jsonl", "--json")
    assert json.loads(shown.out)["models"] == {}


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "registry.jsonl").mkdir()
    with pytest.raises(LadderError, match=r"not the registry \(.*\)\. Name a file\."):
        read_registry(tmp_path / "registry.jsonl")
