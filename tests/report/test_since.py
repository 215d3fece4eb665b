"""What happened to an answer since its certification, on the page and on the terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from assessments import full_assessment
from report.test_page import Seen
from rich.console import Console

from ladder.commands.page import happened_since, records_read, write_page
from ladder.evidence import Happening, HappeningKind
from ladder.report.page import as_page
from ladder.report.since import MOST_SHOWN_LINES, happening_words, since_lines
from ladder.report.terminal import show

SCORE = {"mean": 0.9, "low": 0.85, "high": 0.95, "n": 200}
LINES = {
    "revalidations.jsonl": [
        {"at": "2027-01-01T06:17:00+00:00", "score": SCORE, "verdict": "pass", "changed": [],
         "findings": []},
        {"at": "2027-04-05T06:17:00+00:00", "score": SCORE, "verdict": "fail", "changed": [],
         "findings": ["min_score is missed"]},
        "{ broken",
    ],
    "releases.jsonl": [
        {"at": "2027-04-10T10:00:00+00:00", "candidate": {"folder": "b"},
         "champion": {"folder": "2026-12-01T10"}, "passed": True},
    ],
    "probes.jsonl": [
        {"at": "2027-04-11T10:00:00+00:00", "verdict": "revalidate", "ends": "2027-12-31"},
    ],
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "assessment.json").write_text(full_assessment().model_dump_json())
    return tmp_path


def keep(run: Path) -> None:
    for name, lines in LINES.items():
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (run / name).write_text("\n".join(text) + "\n")


def told(since: tuple[Happening, ...]) -> str:
    console = Console(file=io.StringIO(), width=400, color_system=None)
    show(full_assessment(), Path("runs/mail"), console, since)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.slow
def test_a_run_without_any_shows_nothing(run: Path) -> None:
    assert happened_since(run) == ()
    page = write_page(run, full_assessment()).read_text(encoding="utf-8")
    assert "Since the certification" not in page
    assert "since the certification" not in told(())


@pytest.mark.slow
def test_the_page_has_what_the_records_beside_the_plan_say(run: Path) -> None:
    before = records_read(run)
    keep(run)
    assert records_read(run) != before, "a page that is kept is made anew"
    page = write_page(run, full_assessment()).read_text(encoding="utf-8")
    shown = Seen(page).shown()
    assert 'href="#since"' in page
    for words in (
        "4 lines in the records beside the plan; 2 of them gave a reason to act.",
        "the answer still holds; score 0.90 (0.85–0.95)",
        "act: min_score is missed",
        "may take the place of 2026-12-01T10",
        "act: another model than the certified one: revalidate; its model ends on 2027-12-31",
    ):
        assert words in shown, words
    assert shown.index("2027-04-11") < shown.index("2027-01-01"), "the newest first"


def test_the_terminal_has_the_last_of_them(run: Path) -> None:
    keep(run)
    shown = told(happened_since(run))
    assert "since the certification:\n- 2027-04-11, the model probed: act: another model" in shown
    many = happened_since(run) * 3
    assert list(since_lines(many))[-1] == f"- and {12 - MOST_SHOWN_LINES} before"


HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["revalidation", "drift", "probe", "release"])
def test_no_text_of_a_record_acts(kind: HappeningKind) -> None:
    for held in (True, False):
        happened = Happening(at="2027-01-01T00:00:00+00:00", kind=kind, held=held, found=(HOSTILE,))
        page = as_page(full_assessment(), since=(happened,)).html
        assert "<script>alert" not in page
        assert not {"\x1b", "\u202e"} & set(page + told((happened,)))


def test_each_kind_is_said_in_words() -> None:
    def said(kind: HappeningKind, held: bool, *found: str) -> str:
        return happening_words(Happening(at="", kind=kind, held=held, found=found))

    assert said("drift", True) == "no alarm"
    assert said("drift", False, "length", "score") == "moved: length, score"
    assert said("probe", True) == "the same model"
    assert said("release", False, "a") == "may not take the place of a"
    assert said("revalidation", False) == "something was found"
