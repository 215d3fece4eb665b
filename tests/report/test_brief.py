"""The brief: what a meeting needs, each line from the record, for every kind of answer."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from assessments import assessment, attempt, control, full_assessment
from harmful import HOSTILE, acting
from report.test_page import Seen

from ladder.evidence import Assessment, Estimate, Recommendation
from ladder.report.blocks import Table
from ladder.report.brief import as_brief, as_brief_page, work
from ladder.report.headline import NextCheck, answer_words, verdict_words
from ladder.report.page import as_page

DUE = NextCheck("2027-02-26", 90, ())


@cache
def full() -> Assessment:
    return full_assessment()


def test_it_says_what_a_lead_asks() -> None:
    text = as_brief(full(), DUE)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        f"# {full().task.name}",
        "## The pattern",
        "## The technique",
        "## The work",
        "## What would change this answer",
        "## Next",
    ]
    assert f"**{verdict_words(full())}.**" in text
    assert "On 2027-02-26, and every 90 days: `ladder revalidate" in text
    assert "A gate above" in text


def test_both_forms_say_the_same() -> None:
    page = "".join(Seen(as_brief_page(full(), DUE)).shown().split())
    for line in as_brief(full(), DUE).splitlines():
        words = line.strip("#>-| ").replace("*", "").replace("`", "").replace("\\", "")
        for cell in words.split(" | "):
            if cell.strip("-|"):
                assert "".join(cell.split()) in page, cell


def test_there_are_six_steps_and_each_is_done_left_or_not_needed() -> None:
    steps = list(work(full(), DUE))
    assert [step.name[0] for step in steps] == list("123456")
    assert {step.done for step in steps} <= {"done", "left", "not needed"}
    assert all(step.evidence for step in steps)


@pytest.mark.parametrize(
    ("found", "pattern", "training"),
    [
        ({"rung": "prompt", "description": "p"}, "A base model and a prompt", "not needed"),
        ({"rung": None, "description": "", "control": True}, "No language model", "not needed"),
        ({"rung": None, "description": ""}, "nothing that was measured is ready", "left"),
        ({"rung": None, "description": "", "withheld": True}, "there is no verdict", "left"),
    ],
)
def test_the_pattern_follows_from_the_answer(
    found: dict[str, Any], pattern: str, training: str
) -> None:
    judged = control()
    line = judged.lines[0].name
    changed = assessment().but(
        attempts=(attempt("prompt", "pass"),),
        control=judged.but(judged=line),
        recommendation=Recommendation(**found),
        plan=None,
    )
    text = as_brief(changed, None)
    assert pattern in text
    assert [step.done for step in work(changed, None)][3] == training
    assert "no plan" in text


def test_a_trained_answer_is_a_model_of_ones_own() -> None:
    assert "task SLM" in as_brief(assessment(), None)
    assert [step.done for step in work(assessment(), None)][3] == "done"


def test_it_fits_on_a_page() -> None:
    assert len(as_brief(full(), DUE).split()) < 700
    assert len(as_brief_page(full(), DUE)) < 60_000


def test_hostile_texts_stay_texts() -> None:
    evil = full().but(task=full().task.but(name=HOSTILE, goal=HOSTILE))
    assert not acting(as_brief(evil, DUE))
    page = Seen(as_brief_page(evil, DUE))
    assert not any(tag in ("script", "img") for tag, _ in page.tags)


def test_tables_have_a_cell_for_each_head() -> None:
    from ladder.report.brief import brief_blocks

    for block in brief_blocks(full(), DUE):
        if isinstance(block, Table):
            assert {len(row) for row in block.rows} == {len(block.head)}
            assert all(block.head)


@pytest.mark.parametrize(
    ("advice", "said"),
    [
        ("climb on", "without --until"),
        ("stronger base", "names a stronger one"),
        ("fix", "what the diagnosis names is fixed"),
    ],
)
def test_where_nothing_is_certified_the_next_command_is_said(advice: str, said: str) -> None:
    none = Recommendation(rung=None, description="none", advice=advice)
    a = full_assessment().but(recommendation=none, plan=None)
    for text in (as_brief(a, None), as_page(a).html):
        assert "ladder assess" in text
        assert said in text


def test_a_control_above_every_rung_stands_under_the_answer() -> None:
    a = full_assessment()
    line = a.control.lines[0]
    line = line.but(score=Estimate(mean=0.99, low=0.9, high=1.0, n=50))
    none = Recommendation(rung=None, description="none", advice="stronger base")
    a = a.but(recommendation=none, plan=None, control=a.control.but(lines=(line,)))
    assert f"{line.name}, without any language model, scores 0.99" in answer_words(a)
    assert "scores 0.99" in as_brief(a, None)
