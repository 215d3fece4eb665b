"""A release check of two systems: what passes, what is refused and why, and what is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import ROOT, Said
from lifecycle.two_systems import (
    KINDS,
    LABELS,
    WANTED,
    knows,
    number_of,
    plan_of,
    row,
    two_systems,
    write_task,
)
from test_docs import assert_ran, run_pages

from ladder.errors import DataError, EndpointDownError, NoVerdictError, StateError, TaskError
from ladder.evidence import ReleaseRecord
from ladder.files import digest_of, file_digest
from ladder.lifecycle.promotion import RELEASES
from ladder.lifecycle.release import Terms, check_release, releases_so_far
from ladder.lifecycle.release_findings import MOST_REGRESSIONS
from ladder.progress import Quiet

Ladder = Callable[..., Said]


def turned(text: str) -> str:
    """Return the other label."""
    return LABELS[1 - LABELS.index(knows(text))]


def wrong_on(which: Callable[[int], bool]) -> Callable[[str], str]:
    """Answer some rows wrongly, the fixed prompts rightly."""

    def speak(text: str) -> str:
        number = number_of(text)
        return turned(text) if number >= 0 and which(number) else knows(text)

    return speak


def forgetful(text: str) -> str:
    """Answer every row rightly, and everything else with a label."""
    return knows(text) if number_of(text) >= 0 else "bread"


def checked(candidate: Path, champion: Path, **terms: object) -> ReleaseRecord:
    return check_release(candidate, champion, Quiet(), Terms(**terms))


@pytest.mark.slow
def test_an_equal_candidate_passes_and_leaves_a_record_that_can_be_cited(tmp_path: Path) -> None:
    with two_systems(tmp_path, knows) as two:
        found = checked(two.candidate, two.champion)
        assert found.passed, found.refusals
        assert [check.name for check in found.checks] == ["all", *KINDS]
        assert all(check.holds for check in found.checks)
        [forgot] = found.forgetting
        assert (forgot.before, forgot.after, forgot.lost, forgot.against) == (
            40,
            40,
            (),
            "champion",
        )
        assert found.candidate.plan == file_digest(two.candidate)
        assert found.champion.folder == two.champion.parent.name
        [kept] = releases_so_far(two.candidate)
        assert digest_of(kept.model_dump(mode="json")) == digest_of(found.model_dump(mode="json"))


@pytest.mark.slow
def test_a_candidate_that_is_worse_on_one_slice_alone_is_refused(tmp_path: Path) -> None:
    with two_systems(tmp_path, wrong_on(lambda n: n // 2 % 2 == 1 and n % 5 < 2)) as two:
        found = checked(two.candidate, two.champion, margin=0.3)
        assert found.refusals == ("web",)
        assert [check.holds for check in found.checks] == [True, True, False]
        web = found.checks[2]
        assert web.lost == found.checks[0].lost == 28
        assert len(found.regressions) == MOST_REGRESSIONS
        assert {one.slice for one in found.regressions} == {"web"}
        first = found.regressions[0]
        assert (first.champion, first.candidate) == (first.target, turned(first.input))


@pytest.mark.slow
def test_a_slice_of_few_rows_does_not_hold_and_may_be_told_only(tmp_path: Path) -> None:
    with two_systems(tmp_path, knows, rows=150) as two:
        found = checked(two.candidate, two.champion)
        assert [check.verdict for check in found.checks] == ["not worse"] + ["too few rows"] * 2
        assert found.refusals == KINDS
        eased = checked(two.candidate, two.champion, slices_from=59)
        assert eased.passed
        assert [check.decides for check in eased.checks] == [True, False, False]


@pytest.mark.slow
def test_what_was_forgotten_refuses_and_names_the_prompts(tmp_path: Path) -> None:
    with two_systems(tmp_path, forgetful) as two:
        found = checked(two.candidate, two.champion)
        assert found.refusals == ("forgetting",)
        [forgot] = found.forgetting
        assert forgot.p_worse < 0.001
        assert {one.prompt for one in forgot.lost} == set(WANTED)
        assert all(one.after == "bread" and one.before == one.wanted for one in forgot.lost)
        assert checked(two.candidate, two.champion, may_forget=True).passed


@pytest.mark.slow
def test_another_task_is_answered_with_both_models(tmp_path: Path) -> None:
    def harms(text: str) -> str:
        return knows(text) if number_of(text) >= 0 or text in WANTED else "nothing"

    def rows_of_other(folder: Path, url: str) -> Path:
        folder.mkdir()
        path = write_task(folder, url, 0, name="other", answer={"type": "text"}, goal="Say it.")
        lines = [{"input": f"{row(n)['input'][3:]} {n} letters", "target": LABELS[n % 2]}
                 for n in range(300)]  # fmt: skip
        lines = [{**line, "input": line["input"].replace("n", "m")} for line in lines]
        (folder / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    with two_systems(tmp_path, harms) as two:
        url = url_of(two.champion)
        other = plan_of(rows_of_other(tmp_path / "other", url), f"openai:old@{url}", "old")
        found = checked(two.candidate, two.champion, also=(other,))
        assert found.refusals == ("other",)
        anew = plan_of(tmp_path / "task.yaml", f"openai:old@{url}", "anew")
        kept = checked(anew, two.champion, also=(other,))
        assert kept.passed
        assert kept.unmeasured[0].what == "a difference"
        assert not [one for one in found.unmeasured if one.what == "a difference"]
        assert kept.checks[-1].name == "other"


def url_of(plan: Path) -> str:
    from ladder.lifecycle.plan import load_plan

    candidate = load_plan(plan).candidate
    assert candidate is not None
    return str(candidate.model.place)


@pytest.mark.slow
def test_the_tighter_limit_of_both_gates_binds_the_candidate(tmp_path: Path) -> None:
    """11 tokens in and 3 out at one dollar a million: 0.014 USD per 1,000."""
    with two_systems(tmp_path, knows) as two:
        for plan, limit in ((two.champion, "0.001"), (two.candidate, "9.0")):
            text = plan.read_text()
            assert "max_cost_usd_per_1k: null" in text
            plan.write_text(
                text.replace("max_cost_usd_per_1k: null", f"max_cost_usd_per_1k: {limit}")
            )
        found = checked(two.candidate, two.champion)
        assert found.refusals == ("max_cost_usd_per_1k",)
        [cost] = [limit for limit in found.limits if limit.limit == "max_cost_usd_per_1k"]
        assert (cost.wanted, cost.got) == (0.001, pytest.approx(0.014))
        assert not [one for one in found.unmeasured if one.what == "cost"]


@pytest.mark.slow
def test_rows_that_a_training_has_seen_are_left_out(tmp_path: Path) -> None:
    with two_systems(tmp_path, knows) as two:
        fresh = [row(number) for number in range(1_000, 1_200)]
        seen = {**row(5_000), "stratum": "shop"}
        (tmp_path / "fresh.jsonl").write_text(
            "".join(json.dumps(each) + "\n" for each in (*fresh, seen))
        )
        (tmp_path / "train.jsonl").write_text(json.dumps(seen) + "\n")
        task = tmp_path / "task.yaml"
        task.write_text(
            task.read_text().replace("test: test.jsonl", "test: test.jsonl\n  train: train.jsonl")
        )
        found = checked(two.candidate, two.champion, data=tmp_path / "fresh.jsonl")
        assert (found.checks[0].n, found.own_rows) == (200, False)
        first = found.unmeasured[0]
        assert (first.what, first.why) == ("rows known to a training", "1")


@pytest.mark.slow
def test_what_is_wrong_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    with two_systems(tmp_path, knows, rows=150) as two:
        with pytest.raises(TaskError, match=r"nowhere: got no such file, wanted a plan"):
            checked(tmp_path / "nowhere", two.champion)
        with pytest.raises(DataError, match=r"\d\d rows .* wanted 149 or more"):
            checked(two.candidate, two.champion, margin=0.02)
        other = tmp_path / "other.yaml"
        other.write_text((tmp_path / "task.yaml").read_text().replace("name: shop", "name: till"))
        moved = two.candidate.read_text().replace("task.yaml", "other.yaml")
        two.candidate.write_text(moved)
        with pytest.raises(
            TaskError, match=r"a plan of the task till, .* one of the champion's, shop"
        ):
            checked(two.candidate, two.champion)
        assert not (two.candidate.parent / RELEASES).exists()
        two.candidate.write_text(moved.replace("other.yaml", "task.yaml"))
        (two.candidate.parent / RELEASES).write_text('{"at": "yesterday"}\n')
        with pytest.raises(StateError, match=rf"{RELEASES}:1: not a release check"):
            checked(two.candidate, two.champion)


def test_a_candidate_is_not_compared_with_itself(ladder: Ladder, tmp_path: Path) -> None:
    with two_systems(tmp_path, knows, rows=150) as two:
        copy = tmp_path / "copy" / "of" / "run"
        shutil.copytree(two.champion.parent, copy)
        for itself in (two.champion.parent, two.champion, copy):
            ran = ladder("release", "check", itself, "--against", two.champion)
            assert ran.code == 2
            assert "got the champion's own plan" in ran.errors
            assert "compared with itself" in ran.errors
        assert not list(tmp_path.rglob(RELEASES))
        anew = plan_of(tmp_path / "task.yaml", f"openai:old@{url_of(two.champion)}", "anew")
        words = (anew, "--against", two.champion, "--slices-with-at-least", "59")
        ran = ladder("release", "check", *words)
        assert ran.code == 0, ran.errors
        assert "not looked at: a difference (the champion's own answer, certified anew" in ran.out


@pytest.mark.slow
def test_a_server_that_is_gone_leaves_no_verdict_and_no_record(tmp_path: Path) -> None:
    with two_systems(tmp_path, knows) as two:
        pass
    with pytest.raises((NoVerdictError, EndpointDownError)):
        checked(two.candidate, two.champion)
    assert not (two.candidate.parent / RELEASES).exists()


@pytest.mark.slow
def test_the_command_says_it_to_people_and_to_ci(
    ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, junit = tmp_path / "summary.md", tmp_path / "out.xml"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    with two_systems(tmp_path, forgetful) as two:
        words = ("release", "check", two.candidate.parent, "--against", two.champion.parent)
        ran = ladder(*words, "--junit", junit)
        assert ran.code == 1, ran.errors
        assert "Refused: forgetting." in ran.out
        assert "NOT HELD forgetting" in ran.out
        assert "0 of 40 fixed prompts right, 40 with the champion: 40 lost, 0 won" in ran.out
        assert "format 1: Write the word apple in capital letters." in ran.out
        suite = ElementTree.fromstring(junit.read_text())[0]
        assert suite.attrib["failures"] == "1"
        [failed] = [case for case in suite if case.find("failure") is not None]
        assert failed.attrib["name"] == "forgetting, beside the champion"
        assert "**Refused: forgetting.**" in summary.read_text()
        ran = ladder(*words, "--may-forget", "--json")
        assert ran.code == 0, ran.errors
        assert json.loads(ran.out)["passed"]
        assert summary.read_text().count("## Release check") == 2
        assert ladder("release", "check", two.candidate, "--against", tmp_path / "none").code == 2


@pytest.mark.slow
def test_the_commands_of_the_page_and_of_the_runbook_run(tmp_path: Path) -> None:
    with two_systems(tmp_path, knows, runs=("runs", "runs"), name="my-task"):
        rows = [json.dumps(row(number)) for number in range(1_000, 1_300)]
        (tmp_path / "fresh.jsonl").write_text("\n".join(rows))
        pages = [ROOT / "docs/release.md", ROOT / "runbooks/release.md"]
        assert_ran(run_pages(pages, tmp_path))
    [record] = tmp_path.glob(f"runs/my-task/*/{RELEASES}")
    assert [json.loads(line)["passed"] for line in record.open()] == [True] * 4
    assert (tmp_path / "release.xml").is_file()
