"""An answer without a language model is kept alive like any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said
from small_tasks import write_task

from ladder.commands.assess import assess
from ladder.errors import StateError, TaskError
from ladder.files import digest_of
from ladder.lifecycle.drift import look_for_drift, looks_so_far
from ladder.lifecycle.needs import Needs, needs_of
from ladder.lifecycle.plan import load_plan, task_of
from ladder.lifecycle.promotion import RELEASES
from ladder.lifecycle.registry import REGISTRY
from ladder.lifecycle.rehearsal import rehearse
from ladder.lifecycle.release import Terms, check_release
from ladder.lifecycle.revalidate import Revalidation, revalidate
from ladder.lifecycle.rotation import rotations_so_far
from ladder.progress import Quiet
from ladder.task import load_task

LABELS = ("bread", "cake", "pie")


def order(split: str, number: int) -> dict[str, str]:
    """A row whose last word is its label."""
    label = LABELS[number % 3]
    return {"input": f"{split} order {digest_of([split, number])[:12]} {label}", "target": label}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The plan of a task that the control answers."""
    fields = {"answer": {"type": "label"}, "score": "exact_match", "gate": {"min_score": 0.8}}
    path = write_task(tmp_path, order, 90, 200, **fields)
    found, folder = assess(load_task(path), tmp_path / "runs", Quiet())
    assert found.recommendation.control
    assert found.plan == "revalidation.yaml"
    return folder / found.plan


def test_it_is_certified_without_a_model_and_holds(plan: Path) -> None:
    written = load_plan(plan)
    assert (written.candidate, written.control) == (None, "TF-IDF + logistic regression")
    assert not [name for name in written.pinned if name.startswith("model")]
    assert {"data: train", "data: test", "task"} <= written.pinned.keys()
    assert needs_of(written, task_of(plan, written)) == Needs()
    found = revalidate(plan, Quiet())
    assert found.findings == ()
    assert found.measurement is not None
    assert found.measurement.score == written.baseline.gate_rows


def certified_anew(plan: Path) -> Path:
    """The plan of the same task, assessed once more after a change to its folder."""
    task = task_of(plan, load_plan(plan))
    found, folder = assess(load_task(task.source), plan.parents[2], Quiet())
    assert found.recommendation.control
    return folder / found.plan


@pytest.mark.slow
def test_a_folder_of_runs_is_promoted_beside_them_all(
    plan: Path, ladder: Callable[..., Said]
) -> None:
    """Of the newest run: not into a registry one level above, of which nothing else knows."""
    assert ladder("promote", plan.parents[1]).code == 0
    assert (plan.parents[2] / REGISTRY).is_file()
    again = ladder("promote", plan.parent)
    assert (again.code, "is in production already" in again.out + again.errors) == (1, True)


def of_an_earlier_version(plan: Path) -> None:
    """Make a plan one that kept no rows."""
    lines = plan.read_text().splitlines(keepends=True)
    plan.write_text("".join(line for line in lines if not line.startswith("train:")))
    assert load_plan(plan).train is None


def turned(plan: Path) -> None:
    """Give the training examples of a plan's task other labels."""
    train = task_of(plan, load_plan(plan)).folder / "train.jsonl"
    rows = [json.loads(line) for line in train.read_text().splitlines()]
    wrong = [{**row, "target": LABELS[(LABELS.index(row["target"]) + 1) % 3]} for row in rows]
    train.write_text("".join(json.dumps(row) + "\n" for row in wrong))


@pytest.mark.slow
def test_it_goes_on_with_the_rows_that_it_was_certified_with(plan: Path, tmp_path: Path) -> None:
    """Also where the task's file has others by then: fitted on those it would score nothing."""
    turned(plan)
    found = revalidate(plan, Quiet())
    assert found.measurement is not None
    assert found.measurement.score == load_plan(plan).baseline.gate_rows
    assert found.findings == ()
    again = rehearse(plan, Quiet())
    assert (again.findings, again.same) == ((), again.rows)
    recent = tmp_path / "recent.jsonl"
    recent.write_text("".join(json.dumps(order("recent", at)) + "\n" for at in range(40)))
    look = look_for_drift(plan, recent, Quiet(), reference=recent).look
    assert look.score is not None
    assert look.score.mean == 1.0


def test_it_is_refused_without_its_own_rows(plan: Path) -> None:
    kept = plan.with_name("train.jsonl")
    whole = kept.read_text()
    kept.write_text(whole + "\n")
    with pytest.raises(StateError, match=r"train\.jsonl: other rows than were certified\. Put"):
        revalidate(plan, Quiet())
    kept.unlink()
    with pytest.raises(StateError, match=r"train\.jsonl: no such file, and .* names the .* Put"):
        revalidate(plan, Quiet())
    kept.write_text(whole)
    assert revalidate(plan, Quiet()).findings == ()


def test_what_it_answered_is_kept_and_compared(plan: Path, ladder: Callable[..., Said]) -> None:
    rows = [json.loads(line) for line in (plan.parent / "control/samples.jsonl").open()]
    assert len(rows) == load_plan(plan).baseline.gate_rows.n
    assert all(row["answer"] == row["target"] and row["score"] == 1 for row in rows)
    assert (plan.parent / "test/samples.jsonl").is_file()
    assert "control" in (plan.parent / "report.html").read_text()
    again = certified_anew(plan)
    said = ladder("compare", plan.parent, again.parent)
    assert f"control: {len(rows)} of {len(rows)} answers are the same" in said.out
    table = ladder("report", plan.parent, "--to", "csv")
    assert rows[0]["id"] in table.out + table.errors


@pytest.mark.slow
def test_a_plan_that_kept_no_rows_is_not_compared_on_others(plan: Path) -> None:
    train = task_of(plan, load_plan(plan)).folder / "train.jsonl"
    certified = train.read_text()
    train.write_text("".join(certified.splitlines(keepends=True)[:60]))
    later = certified_anew(plan)
    of_an_earlier_version(plan)
    with pytest.raises(TaskError, match=r"other rows \(data: train\) than those of"):
        check_release(later, plan, Quiet(), Terms())
    assert not (later.parent / RELEASES).exists()
    said = rehearse(plan, Quiet())
    assert "it is fitted on other rows than were certified: data: train" in said.findings
    train.write_text(certified)
    assert rehearse(plan, Quiet()).findings == ()


def test_other_training_examples_are_found_out(plan: Path) -> None:
    of_an_earlier_version(plan)
    turned(plan)
    found = revalidate(plan, Quiet())
    said = "\n".join(found.findings)
    assert "min_score is missed" in said
    assert "the score fell from 1.000" in said
    assert "data: train" in found.changed_pins


def test_a_part_of_its_eval_examples_is_rotated(plan: Path, tmp_path: Path) -> None:
    n, new = load_plan(plan).baseline.gate_rows.n, tmp_path / "new.jsonl"

    def rotate_in(number: int, turned: int) -> Revalidation:
        rows = [order("fresh", 1000 * number + at) for at in range(90)]
        wrong = [
            {**row, "target": LABELS[(LABELS.index(row["target"]) + turned) % 3]} for row in rows
        ]
        new.write_text("".join(json.dumps(row) + "\n" for row in wrong))
        found = revalidate(plan, Quiet(), rotate_in=new)
        assert found.measurement is not None
        assert found.rotation is not None
        assert found.measurement.score.n == n
        assert found.rotation.fresh == found.fresh == len(found.rotation.out) == round(n / 4)
        assert found.changed_pins == ()
        return found

    assert rotate_in(1, turned=0).findings == ()
    found = rotate_in(2, turned=1)
    assert any("the score fell from 1.000" in finding for finding in found.findings)
    assert [rotation.fresh for rotation in rotations_so_far(plan)] == [round(n / 4)] * 2


@pytest.mark.parametrize(
    ("change", "got"),
    [(("control: TF-IDF + logistic regression\n", "control: ''\n"), "neither"),
     (("control: TF-IDF + logistic regression\n", "control: by hand\n"), "by hand")],
)  # fmt: skip
def test_a_plan_of_nothing_that_is_known_is_refused(
    plan: Path, change: tuple[str, str], got: str
) -> None:
    plan.write_text(plan.read_text().replace(*change))
    with pytest.raises(TaskError) as error:
        revalidate(plan, Quiet())
    assert got in error.value.problems[0].got


@pytest.mark.slow
def test_labelled_rows_are_scored_as_the_certified_way_answers_them(
    plan: Path, tmp_path: Path
) -> None:
    recent = tmp_path / "recent.jsonl"

    def look(number: int, turned: int) -> float:
        rows = [order("recent", 1000 * number + at) for at in range(60)]
        wrong = [
            {**row, "target": LABELS[(LABELS.index(row["target"]) + turned) % 3]} for row in rows
        ]
        recent.write_text("".join(json.dumps(row) + "\n" for row in wrong))
        found = look_for_drift(plan, recent, Quiet()).look.score
        assert found is not None
        return found.mean

    assert look(1, turned=0) > 0.9
    assert look(2, turned=1) < 0.6
    assert "score" in looks_so_far(plan)[-1].alarms
