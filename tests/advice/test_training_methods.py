"""Which way of training: each reason cites what was measured. Pure."""

from __future__ import annotations

import pytest
from advice.test_recommend import TRAINS, attempt, explained, skipped
from advice.test_recommend import task as usual_task

from ladder.advice.training_methods import training_methods
from ladder.evidence import Attempt, Memory
from ladder.report.training import method_reason
from ladder.task import Task

ROOMY = Memory(needed_mb={"lora": 3e3, "qlora": 2e3, "dora": 4e3, "full": 9e3}, available_mb=16e3)
TIGHT = Memory(needed_mb=ROOMY.needed_mb, available_mb=2500.0)


@pytest.fixture
def task() -> Task:
    return usual_task()


def ways(
    task: Task, attempts: list[Attempt], chosen: Attempt | None, memory: Memory | None = ROOMY
) -> tuple[str, dict[str, str]]:
    found = training_methods(task, attempts, chosen, 900, memory, TRAINS)
    (picked,) = [way.name for way in found if way.chosen]
    return picked, {way.name: method_reason(way, attempts, "exact_match") for way in found}


def test_nothing_is_trained_where_a_lower_rung_passes(task: Task) -> None:
    rag = attempt("rag", "pass")
    picked, why = ways(task, [attempt("prompt", "fail"), rag], rag)
    assert picked == "none"
    assert "rag passes with eval score" in why["none"]
    assert "not measured" in why["lora"]
    assert "2.9 GB needed, 15.6 GB free" in why["lora"]


def test_a_refusal_says_the_gap(task: Task) -> None:
    rag = explained(attempt("rag", "fail"), "retrieval", "lora", "distill")
    picked, why = ways(task, [rag], None)
    assert picked == "none"
    assert why["none"].startswith("The gap is retrieval, not skill")


def test_memory_decides_between_lora_and_qlora_unless_the_task_does(task: Task) -> None:
    lora = attempt("lora", "pass")
    assert ways(task, [lora], lora)[0] == "lora"
    picked, why = ways(task, [lora], lora, TIGHT)
    assert picked == "qlora"
    assert "LoRA does not fit" in why["qlora"]
    named = task.model_copy(
        update={"training": task.training.model_copy(update={"recipe": "dora"})}
    )
    assert ways(named, [lora], lora)[0] == "dora"
    assert ways(task, [lora], lora, None)[0] == "lora"


def test_a_student_is_chosen_for_what_it_measured(task: Task) -> None:
    student = attempt("distill", "pass")
    picked, why = ways(task, [attempt("lora", "fail"), student], student)
    assert picked == "distill"
    assert why["distill"].startswith("measured: eval score")


def test_what_was_not_measured_is_said(task: Task) -> None:
    _, why = ways(task, [attempt("prompt", "fail"), skipped("lora")], None)
    assert "the best without training is prompt" in why["none"]
    assert "not measured" in why["lora"]
    assert "data.preferences" in why["preference"]
    assert "900 rows are few" in why["full"]
