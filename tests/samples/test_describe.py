"""What is said of the rows before anything is spent; groups and leaked rows."""

from __future__ import annotations

import json

import pytest
from benches import bench_over, chat, task_with

from ladder.errors import DataError
from ladder.evaluation.confirm import score_with_leaks
from ladder.samples.data import Data
from ladder.samples.describe import (
    describe_data,
    headline,
    leaked,
    provable,
    refuse_untestable,
)
from ladder.samples.rows import Sample


def gate_rows(count: int, groups: int) -> tuple[Sample, ...]:
    return tuple(
        Sample(id=f"g{at}", input=f"question {at}", target="yes", group=f"group {at % groups}")
        for at in range(count)
    )


def test_groups_are_the_witnesses_that_prove_a_gate():
    task = task_with(gate={"min_score": 0.9})
    few = describe_data(task, Data((), (), gate_rows(500, 20), ()))
    assert (few.gate, few.units, few.detectable) == (500, 20, None)
    with pytest.raises(DataError, match="500 eval examples, 20 of them independent, too few"):
        refuse_untestable(task, few)
    many = describe_data(task, Data((), (), gate_rows(500, 250), ()))
    alone = describe_data(task, Data((), (), gate_rows(250, 250), ()))
    said = headline(task, many)
    assert said.startswith(
        "500 eval examples, 250 of them independent, gate at 0.9 for 4 rungs: a true score of"
    )
    # The same units; but looks are taken over 500 rows, and each look has its price.
    assert alone.detectable <= many.detectable < alone.detectable + 0.01


@pytest.mark.parametrize("rows", [60, 96, 153, 154, 155, 156, 300, 690, 700, 704])
@pytest.mark.parametrize("min_score", [0.8, 0.65])
def test_what_the_rows_prove_is_no_score_that_needs_more_rows(rows: int, min_score: float) -> None:
    """With 153 rows 0.901 is proven, and 0.90 takes 156: rounded, one figure would be both."""
    task = task_with(gate={"min_score": min_score})
    report = describe_data(task, Data((), (), gate_rows(rows, rows), ()))
    for score, needed in report.rows_needed.items():
        if needed is not None and needed > rows:
            assert report.detectable is not None
            assert float(provable(report)) > float(score), (score, needed)
            assert f"a true score of {provable(report)} should pass" in headline(task, report)


def test_the_headline_names_who_shares_the_error_of_the_gate() -> None:
    """With a control that may end the climb more rows are needed; `--until` leaves it out."""
    rows = gate_rows(153, 153)
    task = task_with(answer={"type": "label", "labels": ["yes", "no"]}, gate={"min_score": 0.8})
    told = {}
    for climbs in (False, True):
        asked = task.climbing() if climbs else task
        report = describe_data(asked, Data(rows[:9], (), rows, ()))
        told[climbs] = headline(asked, report)
    assert "gate at 0.8 for the control and 4 rungs: " in told[False]
    assert "0.85 needs 704 rows" in told[False]
    assert "gate at 0.8 for 4 rungs: " in told[True]
    assert "0.85 needs 680 rows" in told[True]


def test_no_leak_is_claimed_beside_look_alikes() -> None:
    rows = gate_rows(150, 150)
    report = describe_data(task_with(gate={"min_score": 0.8}), Data((), (), rows, ()))
    template = ("a ~ b (template, 0.90)", "c ~ d (template, 0.90)")
    said = {
        (leaks, alikes): " · ".join(
            leaked(report.model_copy(update={"contaminated": leaks, "look_alikes": alikes}))
        )
        for leaks in ((), ("e ~ f (equal, 1.00)",))
        for alikes in ((), template[:1], template)
    }
    assert said[(), ()] == "no leak found"
    assert said[(), template] == (
        "2 held-out examples differ from a training example in a number or a name only and are "
        "not counted"
    )
    assert said[(), template[:1]].startswith("1 held-out example differs from a training example")
    both = said[("e ~ f (equal, 1.00)",), template]
    assert both.startswith("1 held-out example repeats a training example and is not counted · 2 ")
    assert [key for key, words in said.items() if "no leak" in words] == [((), ())]


def test_leaked_rows_of_an_unknown_kind_are_left_out(tmp_path):
    """They are checked by nobody, and the run must not break on them at its very end."""
    rows = [Sample(id=f"l{at}", input=f"asked {at}", target="yes", stratum="b") for at in range(2)]
    leaked = (*rows, Sample(id="odd", input="asked oddly", target="yes"))
    (tmp_path / "said.jsonl").write_text(
        "".join(
            f'{{"request": {{"messages": [["system", "Answer."], ["user", "{row.input}"]], '
            f'"max_tokens": 64}}, "completion": {{"text": "yes", "tokens_in": 1, "seconds": 1}}}}\n'
            for row in leaked
        )
    )
    task = task_with(
        score="contains",
        models={"base": f"replay:{tmp_path / 'said.jsonl'}"},
        use={"strata": {"a": 1, "b": 3}},
    )
    gate = tuple(Sample(id=f"g{at}", input="x", target="yes", stratum="a") for at in range(4))
    bench = bench_over(task, Data((), (), gate, (), leaked=leaked), tmp_path)
    counted = {row.id: 0.0 for row in gate}
    found = score_with_leaks(bench.evaluator, chat(bench), counted)
    assert found.n == 6
    assert found.mean == pytest.approx(0.75)


def test_check_names_the_kinds_and_a_column_that_no_row_has(tmp_path):
    from ladder.commands.check import check_task

    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    rows = [
        {"input": f"{words[at % 10]} {words[at // 10]} {at * 7919}", "target": words[at % 3],
         "meta": {"site": words[at % 2]}}
        for at in range(100)
    ]  # fmt: skip
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "test.jsonl").write_text(lines)
    text = (
        "name: t\ngoal: Answer.\nscore: exact_match\ngate: {min_score: 0.5}\n"
        "data: {test: test.jsonl, columns: {stratum: meta.site, group: meta.nope}}\n"
    )
    (tmp_path / "task.yaml").write_text(text)
    said = check_task(tmp_path / "task.yaml", None)
    assert any(line.startswith("kinds of examples") and "one " in line for line in said)
    assert "warning: data.columns.group: no held-out example has `meta.nope`" in said
