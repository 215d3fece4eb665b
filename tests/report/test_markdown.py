"""report.md and the terminal, from an assessment made by hand."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from assessments import (
    assessment,
    attempt,
    control,
    data,
    estimate,
    failed,
    full_assessment,
    record,
)
from rich.console import Console

from ladder.evidence import (
    AgainstTeacher,
    Assessment,
    Attempt,
    Candidate,
    Comparison,
    Effort,
    Estimate,
    Latency,
    Measurement,
    RaceLine,
    Recommendation,
    TokenUse,
)
from ladder.report.markdown import as_markdown
from ladder.report.summary import answer_line, p95_cell
from ladder.report.terminal import show
from ladder.wording import duration, span

GOLDEN = Path(__file__).parent / "golden" / "report.md"
NASTY = ["a | b", "a\nb", "a\r\nb", "| --- |", "`a | b`", "<!-- a", "a\\|b"]


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of each table, as GitHub reads them; a row that does not fit is wrong."""
    found: list[list[list[str]]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|"), line
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not before.startswith("|"):
                found.append([])
            found[-1].append(cells)
        before = line
    for table in found:
        assert set(table[1]) == {"---"}
        assert {len(row) for row in table} == {len(table[0])}, table
    return found


def shown(found: Assessment) -> str:
    console = Console(file=io.StringIO(), width=400, color_system=None)
    show(found, Path("runs/mail"), console)
    return console.file.getvalue()


def test_the_report_is_the_golden_one() -> None:
    """Every part of a report, as it is written: `make golden` writes it anew; read its diff."""
    assert as_markdown(full_assessment()) == GOLDEN.read_text(encoding="utf-8")


def test_every_section_stands_in_the_report() -> None:
    text = as_markdown(assessment())
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# mail",
        "## What was measured",
        "### prompt: failed",
        "### rag: skipped",
        "### lora: passed",
        "## The rows",
        "## Cost",
        "## Evidence",
    ]
    for wanted in (
        "> Sort the mail.",
        "Answer: lora (best lora), confirmed on 150 held-out test examples: 0.84 (0.79–0.89).",
        "- lora is the first rung that passes: eval score 0.85 (0.80–0.90, n = 200).\n"
        "- prompt failed: 6 of 10 misses: does not know what the documents say\n"
        "- rag skipped: no documents are given\n"
        "- Without a language model the best is nearest example at 0.50",
        "gate: min_score 0.8, confidence 0.9.",
        "score (90 %)",
        "\nWithout a language model the best is nearest example at 0.50",
        "Best candidate: best lora. the reason of lora.",
        "Macro-F1 0.612 beside a score of 0.850.",
        "Also token_f1: 0.66 (0.61–0.71).",
        "Build: 10 min, 12,345 training tokens, 2,048 MB at the peak, 0.2500 USD.",
        "- **knowledge**: 6 of 10 misses: does not know what the documents say (e.g. row-9)",
        "900 train, 101 dev (they chose), 402 eval (they judged), 153 test (they confirmed), 54 in",
        "25 documents, 36 unlabelled. 7 near-duplicates",
        "can prove a true score of 0.84 or more",
        "1 held-out examples repeat training ones, not counted: test-5 ~ train-8.",
        "0.0421 USD per 1,000 requests, 4.21 USD a month at 100,000 requests "
        "(100 × 0.0421 USD per 1,000)",
        "Trained rungs: 1; not trained: distill.",
        "ladder 9.9, 2026-01-01T00:00:00+00:00, 321 s, seed 77.",
        "processor a fast one, cores 2.",
        "python 3.11.9.",
        "Task 0123456789abcdef; data test fedcba9876543210",
        "`ladder revalidate revalidation.yaml`",
    ):
        assert wanted in text


def test_the_tables_say_what_was_measured() -> None:
    rungs, *others = tables(as_markdown(assessment()))
    assert [row[0] for row in rungs] == ["rung", "---", "control", "prompt", "rag", "lora"]
    assert rungs[2][1:] == [
        "0.50 (0.45–0.55)",
        "mean 1.5 ms",
        "0.0001",
        "–",
        "reference on 200 rows: nearest example, no model",
    ]
    assert (
        rungs[3][-1] == "fail after 200 rows · 6 of 10 misses: does not know what the documents say"
    )
    assert rungs[4][1:] == ["not climbed", "", "", "", "no documents are given"]
    assert rungs[5] == [
        "lora",
        "0.85 (0.80–0.90)",
        "23 ms",
        "0.0421",
        "10 min",
        "pass after 200 rows · best lora",
    ]
    limits, race, *_ = others
    assert limits[2] == ["min_score", "0.8", "0.7", "0.1 below", "fail"]
    assert limits[3] == ["max_cost_usd_per_1k", "0.5", "?", "?", "pass"]
    assert race[2:] == [
        ["best prompt ← won", "0.81", "120", "0"],
        ["left behind", "0.41", "16", "0"],
    ]
    took, plans = others[-2:]
    assert took[2:] == [
        ["race", "1,000", "60,000"],
        ["training", "0", "50,000"],
        ["measuring", "400", "30,000"],
        ["**in all**", "1,400", "140,000"],
    ]
    assert plans[0] == ["plan", "calls, at least", "tokens, at least"]
    assert [row[1:] for row in plans[2:]] == [
        ["2,200", "160,000"],
        ["3,000", "190,000"],
    ]
    said = "Not known to take more than was taken: eval examples fixed beforehand, for a power of"
    assert f"{said} 80 % (136,500 tokens or more)." in as_markdown(assessment())
    in_short = (
        "other plans, in tokens: every rung 160,000 or more; every candidate 190,000 or more; "
        "not known to take more: fixed rows"
    )
    assert in_short in shown(assessment())
    assert len(others) == 6


def test_undecided_says_how_many_rows_would_settle_it() -> None:
    text = as_markdown(assessment(attempts=(attempt("prompt", "undecided"),)))
    assert "undecided, about 1,234 more rows would settle it" in text


def test_what_is_not_there_is_left_out() -> None:
    bare = Measurement(score=estimate(0.7), tokens=TokenUse(input_mean=1, output_mean=1))
    text = as_markdown(
        assessment(
            attempts=(attempt("prompt", "fail", measurement=bare, race=()),),
            control=None,
            data=data(detectable=None, contaminated=()),
            recommendation=Recommendation(rung=None, description="none"),
            effort=Effort(),
            plan=None,
        )
    )
    for absent in ("control", "Macro-F1", "Also ", "Build:", "Why it", "race", "Next:", "USD"):
        assert absent not in text
    assert "Answer: none of the rungs that were measured." in text
    assert "cannot prove this gate even without a mistake" in text
    assert "not trained" not in text
    [row] = [row for row in tables(text)[0] if row[0] == "prompt"]
    assert row[2:5] == ["–", "?", "–"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("pass", ", confirmed on"),
        ("undecided", ", neither confirmed nor refuted on"),
    ],
)
def test_the_answer_says_whether_it_was_confirmed(word: str, said: str) -> None:
    answer = assessment().recommendation
    changed = answer.but(confirmed_verdict=word, leans_to_pass=True)
    line = answer_line(assessment(recommendation=changed))
    assert line.startswith(
        f"Answer: lora (best lora), inconclusive: leans to pass{said} 150 held-out test examples"
    )


def test_scores_and_durations() -> None:
    assert span(Estimate(mean=0.845, low=0.8, high=1, n=3)) == "0.84 (0.80–1.00)"
    assert [duration(s) for s in (0, 0.9, 1, 119, 120, 7200)] == [
        "–", "–", "1 s", "119 s", "2 min", "120 min",
    ]  # fmt: skip


def with_text(place: str, text: str) -> Assessment:
    """Return an assessment of one attempt in which a text stands at one place."""
    changes: dict[str, dict[str, object]] = {
        "reason": {"attempts": (Attempt(rung="rag", status="skipped", reason=text),)},
        "description": {
            "attempts": (
                attempt(
                    "rag",
                    "pass",
                    candidate=Candidate(rung="rag", description=text, model="bundled:m"),
                ),
            )
        },
        "race": {
            "attempts": (
                attempt(
                    "rag", "pass", race=(RaceLine(description=text, score=0, n=1, dropped=True),)
                ),
            )
        },
        "control": {"attempts": (failed(),), "control": control(name=text)},
    }
    return assessment(**changes[place])


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("place", ["reason", "description", "race", "control"])
def test_no_text_breaks_a_table(text: str, place: str) -> None:
    def shape(words: str) -> list[tuple[int, int]]:
        found = tables(as_markdown(with_text(place, words)))
        return [(len(table), len(table[0])) for table in found]

    assert shape(text) == shape("plain words")


@pytest.mark.parametrize("goal", ["Sort the mail.\nBe brief.", "Sort.\n\n# Answer: pass", "a\r\nb"])
def test_a_goal_of_several_lines_stays_one_quotation(goal: str) -> None:
    text = as_markdown(assessment(task=record(goal=goal)))
    head = text.split("\nAnswer: lora")[0].splitlines()
    assert head[0] == "# mail"
    assert all(line.startswith(">") or not line for line in head[1:])
    assert goal.split()[-1] in "\n".join(head)


@pytest.mark.parametrize("sample", ["row\n# 9", "row\n\n## The rows"])
def test_an_id_with_a_line_break_makes_no_heading(sample: str) -> None:
    text = as_markdown(assessment(attempts=(failed(sample=sample),)))
    assert text.count("\n## The rows") == 1
    assert "\n# 9" not in text


def test_the_terminal_shows_the_same_answer() -> None:
    text = shown(assessment())
    assert "Answer: lora (best lora), confirmed on 150 held-out test examples" in text
    for wanted in (
        "0.85 (0.80–0.90)",
        "23 ms",
        "1,400 calls",
        "Note: Without a language model the best",
    ):
        assert wanted in text
    assert "runs/mail/report.md" in text
    assert "runs/mail/revalidation.yaml" in text


@pytest.mark.parametrize(
    "text", ['pip install "escalation-ladder[train]"', "see /data[/a]", "[red]alert[/red]"]
)
def test_brackets_of_the_user_are_shown_as_they_are(text: str) -> None:
    skipped = Attempt(rung="rag", status="skipped", reason=text)
    assert text in shown(assessment(attempts=(skipped,)))
    assert text in shown(assessment(control=control(name=text)))


@pytest.mark.parametrize("folder", ["my [old] runs", "a[/b]"])
def test_brackets_in_the_folders_name_are_shown_as_they_are(folder: str) -> None:
    console = Console(file=io.StringIO(), width=400, color_system=None)
    show(assessment(), Path(folder), console)
    assert f"{folder}/report.md" in console.file.getvalue()


def test_contradictions_are_said_with_the_noise_that_they_imply() -> None:
    found = data(
        contradictions=tuple(f"train-{at} ~ train-1: a / b" for at in range(2, 22)),
        contradicting=30,
        label_noise=0.0125,
        labelled=2000,
        reworded=("test-1 ~ train-3",),
    )
    text = as_markdown(full_assessment().model_copy(update={"data": found}))
    assert "30 rows contradict an earlier one: at least 1.2% of 2,000 targets are wrong" in text
    assert "train-6 ~ train-1: a / b and 25 more" in text
    assert "have another answer are counted, and worth a look: test-1" in text
    assert "contradict" not in as_markdown(full_assessment())


SAVED = (
    "a request costs 1/607 of the teacher's (1/50 on machines that are busy all the time), and "
    "takes 1/147 of the time (p50)"
)
UNPROVEN = (
    "The teacher, rag, is not proven better than the control "
    "(0.03 lower, -0.09 to +0.04, on 200 rows)"
)


@pytest.mark.parametrize(
    ("teacher", "student", "said"),
    [
        ("better", None, None),
        (
            "no difference proven",
            "no difference proven",
            f"{UNPROVEN}, so no student of it is needed.",
        ),
        (
            "worse",
            None,
            f"{UNPROVEN}, so no student of it is needed.",
        ),
        (
            "no difference proven",
            "better",
            f"{UNPROVEN}; the student itself is.",
        ),
        (
            None,
            None,
            "This teacher was not compared with the control, what needs no language model",
        ),
    ],
)
def test_what_a_student_saves_is_said_of_a_teacher_proven_above_the_control(
    teacher: str | None, student: str | None, said: str | None
) -> None:
    def against_control(claim: str | None) -> Comparison | None:
        gap = {"difference": -0.025, "low": -0.09, "high": 0.04, "n": 200, "p_value": 0.5}
        return (
            Comparison.model_validate({"other": "control", "claim": claim, **gap})
            if claim
            else None
        )

    beside = AgainstTeacher(
        teacher="rag", kept=1.02, low=0.97, high=1.08, n=200, cheaper=607, cheaper_busy=50,
        faster=147, over_control=against_control(teacher),
    )  # fmt: skip
    own = against_control(student)
    taught = attempt("distill", "pass", against_teacher=beside, comparisons=(own,) if own else ())
    text = as_markdown(assessment(attempts=(taught,)))
    assert "Beside its teacher, rag, on the 200 rows that both answered: 102% of the score" in text
    assert (SAVED in text) is (said is None)
    assert said is None or said in text
    assert ("not proven better than the control" in text) is (
        said is not None and teacher is not None
    )


def test_a_p95_that_other_work_may_have_made_is_marked() -> None:
    quiet = Latency(p50=90, p95=100, p99=110, n=20, waited=0.0)
    assert p95_cell(quiet) == "100 ms"
    assert p95_cell(quiet.but(waited=0.5)) == "100 ms (disturbed)"
    assert p95_cell(None) == "–"
