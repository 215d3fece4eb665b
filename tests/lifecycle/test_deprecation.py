"""The playbook: each step once, in order, and taken up again where it was left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs_made import checked, made_run

from ladder.cli.promoting import passed_release
from ladder.errors import StateError, TaskError
from ladder.evidence import Stepped
from ladder.files import digest_of, file_digest
from ladder.lifecycle import deprecation
from ladder.lifecycle.deprecation import STEPS, Move, announce, begin, carry_out
from ladder.lifecycle.production import in_production
from ladder.lifecycle.promotion import NotPromotedError, Wish, promote, read_certified, roll_back
from ladder.lifecycle.registry import read_registry
from ladder.lifecycle.rehearsal import Rehearsal
from ladder.progress import Quiet

RELEASE = digest_of("a release")
DATED = "openai:gpt-4o-2024-08-06@https://api.openai.com/v1"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """One run in production, which has kept an answer, and one that may replace it."""
    runs = tmp_path / "runs"
    for stamp in ("old", "new"):
        kept = made_run(runs, stamp, model=DATED) / "prompt"
        kept.mkdir()
        (kept / "samples.jsonl").write_text('{"id": "a", "answer": "x", "score": 1, "error": null}')
    promote(runs / "shop/old", Wish(production=True))
    return runs


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Rehearsal]:
    """Run -> what asking it finds; the real rehearsal is in `test_registry_story`."""
    found = {
        "old": Rehearsal(2, 2, 0.5, 0.5, (), {"a": "x", "b": "y"}),
        "new": Rehearsal(2, 2, 0.5, 1.0, (), {"a": "x", "b": "z"}),
    }

    def rehearse(path: Path, *_: object) -> Rehearsal:
        return found[path.parent.name]

    monkeypatch.setattr(deprecation, "rehearse", rehearse)
    return found


def steps(runs: Path) -> list[str]:
    entries = read_registry(runs / "registry.jsonl").entries
    return [entry.step for entry in entries if isinstance(entry, Stepped)]


def move(runs: Path, check=lambda *_: RELEASE) -> Move:
    path, new = runs / "registry.jsonl", read_certified(runs / "shop/new")
    old, _ = begin(path, "shop", new)
    return Move(path, old, new, check, Quiet(), Wish())


def test_all_steps_in_order_and_none_twice(runs: Path, asked) -> None:
    checked(runs / "shop/new", runs / "shop/old")
    done = {step: entry for step, entry, new in carry_out(move(runs)) if new}
    assert list(done) == list(STEPS) == steps(runs)
    plan = runs / "shop/old/revalidation.yaml"
    assert done["freeze"].kept["revalidation.yaml"] == file_digest(plan)
    assert done["freeze"].kept.keys() == {
        "revalidation.yaml", "assessment.json", "prompt/samples.jsonl",
    }  # fmt: skip
    assert done["dual run"].facts == {
        "rows": 2, "same": 1, "old_score": 0.5, "new_score": 1.0, "old_findings": "",
    }  # fmt: skip
    assert done["non-inferiority"].facts == {"release": RELEASE}
    assert done["retention"].facts["place"] == "shop/old"
    champion = in_production(read_registry(runs / "registry.jsonl").entries)["shop"].champion
    assert (champion.place, champion.production) == ("shop/new", True)
    before = (runs / "registry.jsonl").read_bytes()
    assert [new for _, _, new in carry_out(move(runs))] == [False] * 5
    assert (runs / "registry.jsonl").read_bytes() == before


def test_it_goes_on_where_it_was_left(runs: Path, asked, ladder) -> None:
    """No release check yet: two steps are kept; then it passed, and the rest is done."""
    command = ("deprecate", "shop", "--replacement", runs / "shop/new",
               "--registry", runs / "registry.jsonl")  # fmt: skip
    said = ladder(*command)
    assert said.code == 1
    assert f"ladder release check {runs / 'shop/new'} --against {runs / 'shop/old'}" in said.errors
    assert steps(runs) == ["freeze", "dual run"]
    asked.clear()  # it is not asked again
    checked(runs / "shop/new", runs / "shop/old", passed=False)
    assert "did not pass" in ladder(*command).errors
    checked(runs / "shop/new", runs / "shop/old")
    said = ladder(*command)
    assert said.code == 0, said.errors
    assert [line.split(" ")[0] for line in said.out.splitlines()] == [
        "freeze", "dual", "non-inferiority", "cut-over", "retention",
    ]  # fmt: skip
    assert steps(runs) == list(STEPS)


def test_killed_between_the_cut_over_and_its_record(runs: Path, asked) -> None:
    """The promotion stands, its step does not: it is not promoted twice."""
    checked(runs / "shop/new", runs / "shop/old")
    going = carry_out(move(runs))
    for _ in range(3):
        next(going)
    promote(runs / "shop/new", Wish())
    assert [step for step, _, new in carry_out(move(runs)) if new] == ["cut-over", "retention"]
    kinds = [entry.kind for entry in read_registry(runs / "registry.jsonl").entries]
    assert kinds.count("promoted") == 2


def test_an_old_model_that_is_gone_does_not_hold_up(runs: Path, asked) -> None:
    asked["old"] = Rehearsal(findings=("it cannot be had: 404",))
    checked(runs / "shop/new", runs / "shop/old")
    done = {step: entry for step, entry, _ in carry_out(move(runs))}
    assert done["dual run"].facts["old_findings"] == "it cannot be had: 404"
    assert steps(runs) == list(STEPS)


def test_a_replacement_that_is_not_what_it_was_is_refused(runs: Path, asked) -> None:
    asked["new"] = Rehearsal(findings=("canaries: 8 of 8 answer otherwise",))
    with pytest.raises(NotPromotedError, match="8 of 8 answer otherwise"):
        list(carry_out(move(runs)))
    assert steps(runs) == ["freeze"]


def test_an_alias_is_no_replacement_for_a_production_model(runs: Path, asked) -> None:
    new = made_run(runs, "alias", model="openai:gpt-4o@https://api.openai.com/v1")
    checked(new, runs / "shop/old")
    path, found = runs / "registry.jsonl", read_certified(new)
    asked["alias"] = asked["new"]
    going = Move(path, begin(path, "shop", found)[0], found, lambda *_: RELEASE, Quiet(), Wish())
    with pytest.raises(NotPromotedError, match="undated alias"):
        list(carry_out(going))
    assert steps(runs) == ["freeze", "dual run", "non-inferiority"]


def test_nothing_kept_of_the_old_one(runs: Path, asked) -> None:
    (runs / "shop/old/prompt/samples.jsonl").unlink()
    with pytest.raises(NotPromotedError, match="kept no answers"):
        list(carry_out(move(runs)))


def test_a_replacement_that_was_rolled_back_begins_anew(runs: Path, asked) -> None:
    checked(runs / "shop/new", runs / "shop/old")
    list(carry_out(move(runs, passed_release)))
    roll_back(runs / "registry.jsonl", "shop")
    with pytest.raises(NotPromotedError, match="used up"):
        list(carry_out(move(runs, passed_release)))
    assert steps(runs) == [*STEPS, "freeze", "dual run"]
    checked(runs / "shop/new", runs / "shop/old", at="2026-11-01T00:00:00+00:00")
    going = carry_out(move(runs, passed_release))
    assert [new for *_, new in going] == [False, False, True, True, True]


def test_a_replacement_by_itself(runs: Path) -> None:
    with pytest.raises(StateError, match="in production already"):
        begin(runs / "registry.jsonl", "shop", read_certified(runs / "shop/old"))


def test_an_end_is_noted(runs: Path, ladder) -> None:
    path = runs / "registry.jsonl"
    found = announce(path, "shop", "2027-01-15", "2026-10-14", "Ada")
    assert (found.model, str(found.ends), found.by) == (DATED, "2027-01-15", "Ada")
    for ends, told in (("soon", ""), ("2027-01-15", "then"), ("2026-01-01", "2026-10-14")):
        with pytest.raises(TaskError, match=r"--ends|--told"):
            announce(path, "shop", ends, told)
    shown = json.loads(ladder("models", "--json", "--registry", path).out)["models"]["shop"]
    assert (shown["ends"], shown["notice"]["days"]) == ("2027-01-15", 91)
    assert ladder("deprecate", "shop", "--registry", path).code == 2


def test_an_end_does_not_outlive_its_model(runs: Path) -> None:
    path = runs / "registry.jsonl"
    announce(path, "shop", "2027-01-15", "2026-10-14")
    other = made_run(runs, "other")
    checked(other, runs / "shop/old")
    promote(other, Wish())
    assert in_production(read_registry(path).entries)["shop"].end is None


def test_what_needs_no_model_does_not_end(tmp_path: Path) -> None:
    promote(made_run(tmp_path / "runs", "one", control="majority"), Wish())
    with pytest.raises(StateError, match="needs no language model"):
        announce(tmp_path / "runs/registry.jsonl", "shop", "2099-01-01", "")
