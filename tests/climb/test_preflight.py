"""What is wrong with a task, all of it at once, before anything is spent."""

from __future__ import annotations

import pytest
from benches import NO_DATA, task_with

from ladder.climb.preflight import gate_warnings, preflight, refuse_at_once
from ladder.errors import TaskError
from ladder.rungs import LADDER
from ladder.samples.data import Data
from ladder.samples.rows import Sample


def test_a_task_in_order_has_no_problem():
    assert preflight(task_with()) == []
    refuse_at_once(task_with())


def test_a_misspelt_rung_is_one_mistake_and_names_those_that_there_are():
    (problem,) = preflight(task_with(rungs=["promt"]))
    assert problem.where.endswith(": rungs")
    assert problem.got == "`promt`"
    assert all(rung.NAME in problem.wanted for rung in LADDER)


def test_all_mistakes_come_at_once():
    task = task_with(
        models={"base": "bundled:nothing", "teacher": "openai:x@https://models.example/v1"},
        training={"recipe": "no-such-recipe"},
        score="no_such_scorer",
    )
    wheres = [problem.where.rpartition(": ")[2] for problem in preflight(task)]
    assert {"models.base", "models.teacher", "training.recipe"} <= set(wheres)
    assert any("scorer" in str(problem) for problem in preflight(task))
    assert len(wheres) == len(set(map(str, preflight(task)))), "none is said twice"
    with pytest.raises(TaskError) as caught:
        refuse_at_once(task)
    assert caught.value.problems == tuple(preflight(task))


def test_a_cost_limit_below_the_rent_of_a_machine_is_told_where_one_answers():
    gate = {"min_score": 0.5, "max_cost_usd_per_1k": 0.4}
    [told] = gate_warnings(task_with(gate=gate), NO_DATA)
    assert "costs 1.46 USD per 1,000 requests where 100,000 are asked a month" in told
    assert "hardware: {shared: true}" in told
    endpoint = {"base": "openai:x@http://127.0.0.1:1/v1"}
    assert not list(gate_warnings(task_with(gate=gate, models=endpoint), NO_DATA))
    assert not list(gate_warnings(task_with(gate=gate, hardware={"shared": True}), NO_DATA))


@pytest.mark.parametrize(("rows", "told"), [(60, True), (199, True), (200, False)])
def test_a_latency_limit_that_the_rows_cannot_show_to_hold_is_told(rows, told):
    sample = [Sample(id=f"g{at}", input=f"{at}", target="x") for at in range(rows)]
    data = Data((), tuple(sample[:50]), tuple(sample[50:]), ())
    said = list(gate_warnings(task_with(gate={"min_score": 0.5, "max_p95_ms": 100}), data))
    assert bool(said) == told
    if told:
        assert f"{rows} rows can be timed, each once, and a pass takes at least 200" in said[0]
