"""What goes into production and what comes back: nothing without what has to be shown before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs_made import checked, made_run

from ladder.errors import StateError, TaskError
from ladder.files import digest_of
from ladder.lifecycle.production import in_production
from ladder.lifecycle.promotion import RELEASES, NotPromotedError, Wish, promote, roll_back
from ladder.lifecycle.registry import read_registry

DATED = "openai:gpt-4o-2024-08-06@https://api.openai.com/v1"
ALIAS = "openai:gpt-4o@https://api.openai.com/v1"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def stack(runs: Path, name: str = "shop") -> list[str]:
    found = in_production(read_registry(runs / "registry.jsonl").entries)[name]
    return [entry.place for entry in found.stack]


def test_the_first_needs_a_test_set_that_confirms_it(runs: Path, ladder) -> None:
    for verdict, word in (("undecided", "neither"), ("fail", "refutes"), (None, "was not read")):
        run = made_run(runs, f"run {verdict}", verdict=verdict)
        said = ladder("promote", run)
        assert said.code == 1
        assert word in said.errors
        assert "ladder assess" in said.errors
        assert len(said.errors.splitlines()) == 1
    assert not (runs / "registry.jsonl").exists()
    said = ladder(
        "promote",
        made_run(runs, "good"),
        "--owner",
        "the bakers",
        "--by",
        "Ada",
        "--fallback",
        "control",
    )
    assert said.code == 0, said.errors
    assert "shop: shop/good is in production by Ada" in said.out
    [entry] = read_registry(runs / "registry.jsonl").entries
    assert (entry.release, entry.previous, entry.by, entry.owner, entry.fallback) == (
        None, None, "Ada", "the bakers", "control",
    )  # fmt: skip


def test_a_plan_that_says_otherwise_than_its_assessment(runs: Path) -> None:
    run = made_run(runs, "one")
    path = run / "revalidation.yaml"
    path.write_text(path.read_text().replace("mean: 0.84", "mean: 0.94"))
    with pytest.raises(NotPromotedError, match="One of the two was changed"):
        promote(run, Wish())


def test_a_later_one_needs_a_release_check_of_these_two_plans(runs: Path, ladder) -> None:
    first, second = made_run(runs, "one"), made_run(runs, "two")
    promote(first, Wish())
    said = ladder("promote", second)
    assert said.code == 1
    command = f"ladder release check {second} --against {first}"
    assert command in said.errors
    assert len(said.errors.splitlines()) == 1

    checked(second, first, passed=False)
    with pytest.raises(NotPromotedError, match="did not pass"):
        promote(second, Wish())
    record = checked(second, first)
    entry = promote(second, Wish(by="Ada"))
    assert (entry.release, entry.checks) == (digest_of(record.model_dump(mode="json")), 2)
    assert stack(runs) == ["shop/one", "shop/two"]
    with pytest.raises(NotPromotedError, match="in production already"):
        promote(second, Wish())


def test_the_last_check_decides(runs: Path) -> None:
    first, second = made_run(runs, "one"), made_run(runs, "two")
    promote(first, Wish())
    checked(second, first)
    checked(second, first, passed=False)
    with pytest.raises(NotPromotedError, match="did not pass"):
        promote(second, Wish())


def test_a_plan_changed_since_its_check_is_another(runs: Path) -> None:
    first, second = made_run(runs, "one"), made_run(runs, "two")
    promote(first, Wish())
    checked(second, first)
    with (second / "revalidation.yaml").open("a") as file:
        file.write("\n")
    with pytest.raises(NotPromotedError, match="no release check"):
        promote(second, Wish())


def test_a_champion_that_was_changed_vouches_for_nothing(runs: Path) -> None:
    first, second = made_run(runs, "one"), made_run(runs, "two")
    promote(first, Wish())
    checked(second, first)
    with (first / "revalidation.yaml").open("a") as file:
        file.write("\n")
    with pytest.raises(StateError, match="not the plan that was promoted"):
        promote(second, Wish())


@pytest.mark.parametrize("line", ["{", "[]", '{"candidate": 3}', '{"candidate": {"plan": "x"}}'])
def test_a_broken_release_record_is_named(runs: Path, line: str) -> None:
    first, second = made_run(runs, "one"), made_run(runs, "two")
    promote(first, Wish())
    checked(second, first)
    with (second / RELEASES).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(StateError, match=r"releases\.jsonl:2: no release record"):
        promote(second, Wish())


def test_fields_that_a_later_version_writes_are_part_of_the_digest(runs: Path) -> None:
    first, second = made_run(runs, "one"), made_run(runs, "two")
    promote(first, Wish())
    values = {**checked(second, first).model_dump(mode="json"), "of_tomorrow": [1.5, None, "é"]}
    (second / RELEASES).write_text(json.dumps(values) + "\n")
    assert promote(second, Wish()).release == digest_of(values)


def test_a_rollback_is_one_more_record(runs: Path, ladder) -> None:
    one, two, three = (made_run(runs, stamp) for stamp in ("one", "two", "three"))
    promote(one, Wish(owner="bakers", fallback="control"))
    for below, run in ((one, two), (two, three)):
        checked(run, below)
        promote(run, Wish())
    before = (runs / "registry.jsonl").read_text()
    said = ladder("rollback", "shop", "--registry", runs / "registry.jsonl", "--by", "Ada")
    assert said.code == 0, said.errors
    assert "shop: shop/two is in production again by Ada" in said.out
    assert "never rehearsed" in said.out
    assert stack(runs) == ["shop/one", "shop/two"]
    assert (runs / "registry.jsonl").read_text().startswith(before)
    roll_back(runs / "registry.jsonl", "shop")
    assert stack(runs) == ["shop/one"]
    with pytest.raises(StateError, match=r"shop/one\. Its fallback is the rung control: promote"):
        roll_back(runs / "registry.jsonl", "shop")
    champion = in_production(read_registry(runs / "registry.jsonl").entries)["shop"].champion
    assert (champion.owner, champion.fallback) == ("bakers", "control")


def test_a_rollback_to_a_run_that_is_named(runs: Path) -> None:
    one, two, three = (made_run(runs, stamp) for stamp in ("one", "two", "three"))
    promote(one, Wish())
    for below, run in ((one, two), (two, three)):
        checked(run, below)
        promote(run, Wish())
    path = runs / "registry.jsonl"
    with pytest.raises(StateError, match="was not in production before"):
        roll_back(path, "shop", three)
    roll_back(path, "shop", one)
    assert stack(runs) == ["shop/one"]
    with pytest.raises(StateError, match="was not in production before"):
        roll_back(path, "shop", two)


def test_what_was_rolled_back_needs_a_new_check(runs: Path) -> None:
    one, two = made_run(runs, "one"), made_run(runs, "two")
    promote(one, Wish())
    checked(two, one)
    promote(two, Wish())
    roll_back(runs / "registry.jsonl", "shop")
    with pytest.raises(NotPromotedError, match="used up by an earlier promotion"):
        promote(two, Wish())
    checked(two, one, at="2026-11-01T00:00:00+00:00")
    promote(two, Wish())
    assert stack(runs) == ["shop/one", "shop/two"]


def test_a_rollback_to_what_is_gone_or_changed(runs: Path) -> None:
    one, two = made_run(runs, "one"), made_run(runs, "two")
    promote(one, Wish())
    checked(two, one)
    promote(two, Wish())
    (one / "revalidation.yaml").unlink()
    with pytest.raises(StateError, match="is not there"):
        roll_back(runs / "registry.jsonl", "shop")
    assert stack(runs) == ["shop/one", "shop/two"]


def test_an_alias_is_no_production_model(runs: Path, ladder) -> None:
    run = made_run(runs, "alias", model=ALIAS)
    said = ladder("promote", run, "--production")
    assert said.code == 1
    assert "openai:gpt-4o: an undated alias" in said.errors
    assert not (runs / "registry.jsonl").exists()
    assert "--production refuses it" in ladder("promote", run, "--name", "trial").out
    assert ladder("promote", made_run(runs, "dated", model=DATED), "--production").code == 0


def test_names(runs: Path) -> None:
    run = made_run(runs, "one")
    promote(run, Wish(name="till"))
    assert stack(runs, "till") == ["shop/one"]
    for name in ("../out", "a b", "é", "x" * 65):
        with pytest.raises(TaskError, match="--name"):
            promote(run, Wish(name=name))


def test_wrong_input(runs: Path, ladder, tmp_path: Path) -> None:
    ladder("promote", tmp_path).refused("revalidation.yaml", "no such file")
    run = made_run(runs, "one")
    promote(run, Wish())
    registry = ("--registry", runs / "registry.jsonl")
    ladder("rollback", "till", *registry).refused("nothing is in production as till", "shop")
    for rung in ("distill", "prompt"):  # never measured; the answer itself
        said = ladder("promote", run, "--fallback", rung, "--name", "till")
        said.refused(f"got `{rung}`, wanted a rung beside", "measured: control")
    (run / "assessment.json").unlink()
    ladder("promote", run, "--name", "till").refused("assessment.json: got no such file")
    assert ladder("promote", run, "--fallback", "guess").code == 2


def test_what_is_in_production_is_shown(runs: Path, ladder) -> None:
    one = made_run(runs, "one", model=DATED)
    two = made_run(
        runs, "two", model="openai:ft:gpt-4o-mini-2024-07-18:a::b@https://api.openai.com/v1"
    )
    registry = ("--registry", runs / "registry.jsonl")
    promote(one, Wish(owner="bakers"))
    record = checked(two, one)
    promote(two, Wish(fallback="control"))
    dates = ("--ends", "2099-03-31", "--told", "2099-02-28")
    assert ladder("deprecate", "shop", *dates, *registry).code == 0
    said = ladder("models", *registry).out
    for words in (
        "shop: shop/two (prompt, openai:ft:gpt-4o-mini-2024-07-18:a::b)",
        f"cites release {digest_of(record.model_dump(mode='json'))[:12]}",
        "before: shop/one, never rehearsed",
        "notice: general, 31 days of notice (the notice that this registry has on record)",
        "owner bakers, fallback control",
        "ENDS 2099-03-31",
        "a hosted fine-tune dies with its base: watch the end of gpt-4o-mini-2024-07-18",
    ):
        assert words in said, (words, said)
    [shown] = json.loads(ladder("models", "--json", *registry).out)["models"].values()
    assert (shown["run"], shown["before"], shown["line"]) == ("shop/two", "shop/one", 2)
    assert (shown["ends"], shown["intact"], shown["pinned"]) == ("2099-03-31", True, True)
    assert shown["days_left"] > 20_000
    assert shown["rehearsed"] is None
    (two / "revalidation.yaml").unlink()
    assert "NOT THERE" in ladder("models", *registry).out
