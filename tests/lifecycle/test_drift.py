"""A look at recent rows beside a plan: what is compared, answered, recorded and said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Said
from test_docs import assert_ran, run_pages

from ladder.commands.drift import lines
from ladder.errors import DataError, StateError, TaskError
from ladder.lifecycle.drift import (
    MOST_COMPARED,
    RECORD,
    look_for_drift,
    looks_so_far,
    some_of,
)
from ladder.progress import Quiet
from ladder.samples.rows import Sample

Ladder = Callable[..., Said]


def rows_in(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def orders(
    count: int, things: dict[str, str], words: str = "{0} {1}s, order number {2}"
) -> list[dict[str, str]]:
    names = list(things)
    found = []
    for number in range(count):
        thing = names[number % len(names)]
        few = number // 6 % 10 + 2
        text = words.format(few, thing, few * 7919 % 1000)
        found.append({"input": text, "target": things[thing]})
    return found


SAME = {
    "loaf": "bread",
    "baguette": "bread",
    "roll": "bread",
    "muffin": "cake",
    "tart": "cake",
    "eclair": "cake",
}
WRONG = {thing: "cake" if label == "bread" else "bread" for thing, label in SAME.items()}


@pytest.mark.slow
def test_rows_of_the_same_kind_raise_no_alarm_and_leave_their_line(
    plan_path: Path, tmp_path: Path
) -> None:
    recent = rows_in(tmp_path / "recent.jsonl", orders(60, SAME))
    first = look_for_drift(plan_path, recent, Quiet())
    assert first.look.alarms == ()
    assert first.look.score.mean == 1.0
    assert len(first.look.scores) == first.look.score.n == 60
    again = look_for_drift(plan_path, recent, Quiet())
    assert again.look.scores == {}  # every row is evidence once
    assert again.look.score.n == 60
    assert [look.data for look in looks_so_far(plan_path)] == [first.look.data] * 2


@pytest.mark.slow
def test_answers_that_went_wrong_are_found_by_the_score(plan_path: Path, tmp_path: Path) -> None:
    recent = rows_in(tmp_path / "recent.jsonl", orders(60, WRONG))
    look = look_for_drift(plan_path, recent, Quiet()).look
    assert "score" in look.alarms
    assert look.score.e_value >= 20
    unanswered = look_for_drift(plan_path, recent, Quiet(), answering=False)
    assert unanswered.look.scores == {}


@pytest.mark.slow
def test_other_inputs_are_found_without_targets(plan_path: Path, tmp_path: Path) -> None:
    letters = orders(60, SAME, "Dear sir, where is my refund for the {1} of last week, ticket {2}?")
    recent = rows_in(tmp_path / "recent.jsonl", [{"input": row["input"]} for row in letters])
    found = look_for_drift(plan_path, recent, Quiet())
    assert {"length", "vocabulary"} <= set(found.look.alarms)
    assert found.look.score is None
    other = look_for_drift(plan_path, recent, Quiet(), reference=recent)
    assert other.look.alarms == ()


def test_a_label_that_the_task_does_not_have_is_no_target(
    ladder: Ladder, plan_path: Path, tmp_path: Path
) -> None:
    """Its answer could never be right; the inputs alone may be compared."""
    rows = [*orders(59, SAME), {"input": "a 3 pies", "target": "pie"}]
    recent = rows_in(tmp_path / "recent.jsonl", rows)
    said = ladder("drift", plan_path, "--data", recent)
    said.refused("1 rows with labels that the task does not have (`pie`)", "--inputs-only")
    assert looks_so_far(plan_path) == []
    look = look_for_drift(plan_path, recent, Quiet(), answering=False).look
    assert (look.rows, look.scores) == (60, {})


@pytest.mark.slow
def test_an_alarm_says_what_comes_next_and_until_when_it_stands(
    ladder: Ladder, plan_path: Path, tmp_path: Path
) -> None:
    wrong = rows_in(tmp_path / "wrong.jsonl", orders(60, WRONG))
    said = ladder("drift", plan_path, "--data", wrong).out
    assert "Next: put the recent rows to the task's own, and assess it anew" in said
    assert "ladder revalidate --rotate" in said
    again = ladder("drift", plan_path, "--data", wrong, "--inputs-only").out
    assert "on 60 labelled rows of earlier looks" in again


def test_rows_of_one_conversation_count_once(plan_path: Path, tmp_path: Path) -> None:
    rows = [{**row, "group": str(number % 10)} for number, row in enumerate(orders(60, SAME))]
    with pytest.raises(
        DataError,
        match=r"recent.jsonl: got 60 rows of 10 groups, wanted 20 or more, groups counted once",
    ):
        look_for_drift(plan_path, rows_in(tmp_path / "recent.jsonl", rows), Quiet())


def test_rows_that_were_replaced_are_no_reference(
    folder: Path, plan_path: Path, tmp_path: Path
) -> None:
    recent = rows_in(tmp_path / "recent.jsonl", orders(60, SAME))
    with (folder / "test.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(TaskError, match=r"data: test: got another one, .* --reference FILE"):
        look_for_drift(plan_path, recent, Quiet())
    assert look_for_drift(plan_path, recent, Quiet(), reference=recent).look.rows == 60


def test_a_broken_record_is_named_by_its_line(plan_path: Path, tmp_path: Path) -> None:
    recent = rows_in(tmp_path / "recent.jsonl", orders(60, SAME))
    look_for_drift(plan_path, recent, Quiet(), answering=False)
    with (plan_path.parent / RECORD).open("a") as file:
        file.write('{"at": "yesterday"}\n')
    with pytest.raises(StateError, match=rf"{RECORD}:2: not a look at drift"):
        look_for_drift(plan_path, recent, Quiet())


def test_a_record_that_cannot_be_read_says_how_to_mend_it(plan_path: Path, tmp_path: Path) -> None:
    recent = rows_in(tmp_path / "recent.jsonl", orders(60, SAME))
    (plan_path.parent / RECORD).mkdir()
    with pytest.raises(StateError, match=rf"{RECORD}: not a file of lines.*\. Name a file\."):
        look_for_drift(plan_path, recent, Quiet())


@pytest.mark.slow
def test_a_look_of_the_future_is_said(ladder: Ladder, plan_path: Path, tmp_path: Path) -> None:
    recent = rows_in(tmp_path / "recent.jsonl", orders(60, SAME))
    words = ("drift", plan_path, "--data", recent, "--inputs-only")
    assert "future" not in ladder(*words).errors
    record = plan_path.parent / RECORD
    at = json.loads(record.read_text())["at"]
    record.write_text(record.read_text().replace(at, "2999-01-01T00:00:00+00:00"))
    ran = ladder(*words)
    assert f"{RECORD}:1: 2999-01-01 lies in the future" in ran.errors
    assert "0.007 %" in ran.out, "a day's share, as of any look"


@pytest.mark.slow
def test_the_command_says_what_it_found(ladder: Ladder, plan_path: Path, tmp_path: Path) -> None:
    same = rows_in(tmp_path / "same.jsonl", orders(60, SAME))
    ran = ladder("drift", plan_path.parent, "--data", same)
    assert ran.code == 0, ran.errors
    assert "60 recent rows beside 29 certified ones" in ran.out
    wrong = rows_in(tmp_path / "wrong.jsonl", orders(60, WRONG))
    ran = ladder("drift", plan_path, "--data", wrong, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["score"]["alarms"]
    ran = ladder("drift", plan_path, "--data", tmp_path / "nothing.jsonl")
    assert ran.code == 2
    assert "nothing.jsonl" in ran.errors


@pytest.mark.slow
def test_the_commands_of_the_page_run(plan_path: Path) -> None:
    rows_in(plan_path.parent / "recent.jsonl", orders(60, SAME))
    assert_ran(run_pages([ROOT / "docs/drift.md"], plan_path.parent))


def test_of_very_many_rows_whole_groups_are_drawn() -> None:
    rows = [Sample(str(at), "", "", group=str(at // 2)) for at in range(2 * MOST_COMPARED + 10)]
    drawn = some_of(rows)
    assert len(drawn) == 2 * MOST_COMPARED
    assert set(Counter(row.group for row in drawn).values()) == {2}
    assert some_of([*reversed(rows)]) == [*reversed(drawn)]
    assert some_of(rows[:100]) == rows[:100]


@pytest.mark.slow
def test_a_look_says_how_many_rows_were_drawn(
    plan_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ladder.lifecycle.drift.MOST_COMPARED", 40)
    recent = rows_in(tmp_path / "recent.jsonl", orders(60, SAME))
    found = look_for_drift(plan_path, recent, Quiet(), answering=False)
    assert (found.look.rows, found.look.compared) == (60, 40)
    assert next(lines(found)).startswith("60 recent rows (40 drawn of them) beside")
