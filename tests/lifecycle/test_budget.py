"""Checks of one plan share an error budget, and a part of its eval examples is rotated."""

from __future__ import annotations

import importlib.util
import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from ladder.errors import DataError, StateError
from ladder.files import file_digest
from ladder.lifecycle.alpha_spending import BUDGET, LIFE_DAYS, error_of_check
from ladder.lifecycle.plan import load_plan
from ladder.lifecycle.revalidate import RECORD, revalidate
from ladder.lifecycle.rotation import FOLDER, rotated, rotations_so_far
from ladder.lifecycle.rotation import RECORD as ROTATIONS
from ladder.progress import Quiet

CREATED = date(2026, 1, 1)


def quarterly(quarters: int) -> list[float]:
    before: list[tuple[date, float | None]] = []
    for quarter in range(1, quarters + 1):
        today = CREATED + timedelta(days=91 * quarter)
        before.append((today, error_of_check(CREATED, today, before)))
    return [error for _, error in before]


def test_the_checks_of_two_years_spend_half_of_the_budget():
    spent = quarterly(12)
    assert sum(spent) == pytest.approx(BUDGET / 2)
    assert spent[0] == pytest.approx(BUDGET / 2 * 91 / LIFE_DAYS)
    assert spent[9:] == [0, 0, 0]


def test_a_check_on_a_trigger_may_spend_a_tenth_of_what_is_left():
    first = error_of_check(CREATED, CREATED, [])
    assert first == pytest.approx(BUDGET / 20)
    before = [(CREATED, first)]
    for _ in range(200):
        before.append((CREATED, error_of_check(CREATED, CREATED, before)))
    assert sum(error for _, error in before) <= BUDGET / 2


def test_checks_of_before_count_as_their_share_and_a_clock_that_went_back_wins_nothing():
    later = CREATED + timedelta(days=182)
    old = [(CREATED + timedelta(days=91), None)]
    new = [(CREATED + timedelta(days=91), BUDGET / 2 * 91 / LIFE_DAYS)]
    assert error_of_check(CREATED, later, old) == error_of_check(CREATED, later, new)
    ahead = [(date(2090, 1, 1), BUDGET / 2)]
    assert error_of_check(CREATED, later, ahead) == 0


def test_two_years_in_which_nothing_changes():
    """The simulation of benchmarks/budget.py, on fewer plans: by the functions that decide."""
    spec = importlib.util.spec_from_file_location("budget", ROOT / "benchmarks/budget.py")
    budget = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(budget)

    def share(by_budget: bool) -> float:
        draws = (np.random.default_rng(number) for number in range(150))
        found = [budget.alarms(draw, 100, (0.8, 0.8), 1.0, by_budget, 8) for draw in draws]
        return sum(found) / len(found)

    assert share(True) <= 0.05
    assert share(False) > 0.15  # judged by itself, each check: what the budget is for


def fresh_rows(count: int, start: int = 50) -> list[dict[str, str]]:
    things = {"loaf": "bread", "muffin": "cake"}
    return [
        {"input": f"please send {at} of the {thing}s to {at * 7907} Long Street", "target": label}
        for at in range(start, start + count // 2)
        for thing, label in things.items()
    ]


def write(file: Path, rows: list[dict[str, str]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def last(plan: Path) -> dict:
    return json.loads((plan.parent / RECORD).read_text().splitlines()[-1])


def test_a_part_is_rotated_and_the_users_file_is_left_alone(folder, plan_path, tmp_path):
    before = file_digest(folder / "test.jsonl")
    new = write(tmp_path / "new.jsonl", fresh_rows(40))
    found = revalidate(plan_path, Quiet(), rotate_in=new)
    n = load_plan(plan_path).baseline.gate_rows.n
    done = found.rotation
    assert done.fresh == round(n / 4) == len(done.out)
    assert done.alike + done.fresh + done.unused == 40
    assert found.measurement.score.n == n
    assert found.changed_pins == ()
    assert file_digest(folder / "test.jsonl") == before
    assert (last(plan_path)["openings"], last(plan_path)["fresh"]) == (2, done.fresh)
    again = revalidate(plan_path, Quiet())
    assert (again.openings, again.fresh) == (3, 0)
    assert again.measurement.score == found.measurement.score


def test_what_was_read_most_often_goes_out_first(plan_path, tmp_path):
    """After four quarters none of the certified examples is left."""
    for quarter in range(4):
        new = write(tmp_path / f"{quarter}.jsonl", fresh_rows(60, 100 * (quarter + 1)))
        revalidate(plan_path, Quiet(), rotate_in=new)
    rotations = rotations_so_far(plan_path)
    gone = [key for rotation in rotations for key in rotation.out]
    assert len(set(gone)) == len(gone) == sum(rotation.fresh for rotation in rotations)
    n = load_plan(plan_path).baseline.gate_rows.n
    assert len(gone) == 4 * round(n / 4)
    assert not set(gone) & rotated(plan_path, ()).known  # none that came in has gone yet


def test_the_same_file_again_goes_on_where_a_stopped_check_ended(plan_path, tmp_path):
    new = write(tmp_path / "new.jsonl", fresh_rows(10))
    first = revalidate(plan_path, Quiet(), rotate_in=new)
    (plan_path.parent / RECORD).unlink()  # as a check leaves it that is stopped before its end
    found = revalidate(plan_path, Quiet(), rotate_in=new)
    assert found.rotation is None
    assert found.fresh == first.fresh == 7
    assert len(rotations_so_far(plan_path)) == 1


def test_rows_that_were_too_many_come_in_at_the_next_check(plan_path, tmp_path, monkeypatch):
    new = write(tmp_path / "new.jsonl", fresh_rows(10))
    assert revalidate(plan_path, Quiet(), rotate_in=new).rotation.unused == 3
    line = json.loads((plan_path.parent / RECORD).read_text())
    later = json.dumps({**line, "at": "2090-01-01T00:00:00+00:00"})
    (plan_path.parent / RECORD).write_text(later + "\n")
    assert revalidate(plan_path, Quiet(), rotate_in=new).rotation.fresh == 3
    assert revalidate(plan_path, Quiet()).measurement.score.n == 29


@pytest.mark.parametrize(
    ("rows", "said"),
    [([{"input": "a pallet of things, unsorted"}], "no target"),
     ([{"input": "a pallet of things, unsorted", "target": "pie"}], "the label `pie`"),
     ([{"input": "2 loafs, order number 838", "target": "bread"}], "none can replace")],
)  # fmt: skip
def test_rows_that_cannot_judge_are_refused(plan_path, tmp_path, rows, said):
    new = write(tmp_path / "new.jsonl", rows)
    with pytest.raises(DataError) as error:
        revalidate(plan_path, Quiet(), rotate_in=new)
    assert said in str(error.value)
    assert not (plan_path.parent / ROTATIONS).exists()
    assert not (plan_path.parent / RECORD).exists()


def test_a_broken_record_or_a_changed_copy_is_named(plan_path, tmp_path):
    new = write(tmp_path / "new.jsonl", fresh_rows(10))
    revalidate(plan_path, Quiet(), rotate_in=new)
    [copy] = (plan_path.parent / FOLDER).glob("*.jsonl")
    whole = copy.read_text()
    copy.write_text(whole.replace("please", "pleasy"))
    with pytest.raises(StateError, match="Put the original file back"):
        revalidate(plan_path, Quiet())
    copy.unlink()
    with pytest.raises(StateError, match="no such file"):
        revalidate(plan_path, Quiet())
    copy.write_text(whole)
    record = plan_path.parent / ROTATIONS
    record.write_text(record.read_text() + "half a li\n")
    with pytest.raises(StateError, match=r"rotations\.jsonl:2: not a rotation"):
        revalidate(plan_path, Quiet())


def test_a_spent_budget_asks_for_a_new_certification(plan_path):
    text = plan_path.read_text()
    created = load_plan(plan_path).created
    plan_path.write_text(text.replace(created, "2020-01-01T00:00:00+00:00"))
    record = plan_path.parent / RECORD
    spent = {"at": "2022-06-01T00:00:00+00:00", "error": 0.025, "score": {}}
    record.write_text(json.dumps(spent) + "\n")
    found = revalidate(plan_path, Quiet())
    assert found.error == 0
    assert any("budget of 730 days is spent" in finding for finding in found.findings)


def test_what_is_said(plan_path, tmp_path, ladder):
    new = write(tmp_path / "new.jsonl", fresh_rows(10))
    said = ladder("revalidate", plan_path, "--rotate", new)
    assert "rotated: 7 fresh eval examples in, as many out, 3 left" in said.out
    assert "the eval set was read for the 2nd time, 7 of its examples for the first" in said.out
    assert "5 % over the 730 days of the plan" in said.out
    lines = ladder("revalidate", plan_path, "--json").out.splitlines()
    found = json.loads(lines[-1])
    assert found["event"] == "answer"
    assert '"openings": 3' in lines[-1]
