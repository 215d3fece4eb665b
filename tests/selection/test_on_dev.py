"""What a rung builds on is chosen on the dev set: eval scores decide nothing about what is built.

The systems are recordings: one is right on the training and dev examples, one on the eval
examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from advice.test_recommend import attempt
from replayed import asking, of, replayed

from ladder.diagnosis.changes import oracle
from ladder.evidence import Attempt, Build, Candidate, Diagnosis, Estimate, Memory, Retrieval
from ladder.inference.evaluator import Evaluator
from ladder.rungs import r3_lora, r4_distill
from ladder.rungs.protocol import Bench, History
from ladder.samples.data import Data
from ladder.samples.rows import Document, Sample
from ladder.selection.on_dev import dev_scores
from ladder.task import RungName
from ladder.training.recipes import Recipe
from ladder.training.trainer import Rows

LABELS = ("even", "odd")
RIGHT_ON = {"dev": range(2000), "eval": range(2000, 3000)}


def rows(prefix: str, count: int, start: int) -> tuple[Sample, ...]:
    return tuple(
        Sample(id=f"{prefix}{at}", input=f"number {at}", target=LABELS[at % 2])
        for at in range(start, start + count)
    )


DATA = Data(rows("t", 60, 0), rows("d", 40, 1000), rows("g", 40, 2000), (), labels=LABELS)
DEV, EVAL = asking("right on dev", "prompt"), asking("right on eval", "rag")


def speak(prompt: str) -> str:
    """Answer rightly where the instruction says so; elsewhere only a half of the numbers."""
    instruction, _, question = prompt.rpartition("number ")
    number = int(question.split()[0])
    place = instruction.split("right on ")[1].split()[0]
    return LABELS[number % 2] if number in RIGHT_ON[place] or number % 4 < 2 else "neither"


def measured(candidate: Candidate, score: float, rung: RungName | None = None) -> Attempt:
    """Return an attempt whose system had such a score on the eval set."""
    found = attempt(rung or candidate.rung, "undecided").but(candidate=candidate)
    assert found.measurement
    mean = Estimate(mean=score, low=score - 0.05, high=score + 0.05, n=40)
    return found.but(measurement=found.measurement.but(score=mean))


def bench_of(folder: Path, attempts: Mapping[RungName, tuple[Candidate, float]]) -> Bench:
    bench = replayed(folder, DATA, lambda _: [DEV, EVAL], speak)
    found = [measured(of(bench, each), score, rung) for rung, (each, score) in attempts.items()]
    return replace(bench, history=History(attempts=found))


@pytest.mark.parametrize("scores", [(0.5, 1.0), (1.0, 0.5), (0.8, 0.8)])
@pytest.mark.parametrize("order", [(DEV, EVAL), (EVAL, DEV)])
def test_the_teacher_is_the_best_on_dev_whatever_the_eval_scores(tmp_path, scores, order):
    attempts = {"prompt": (order[0], scores[0]), "rag": (order[1], scores[1])}
    bench = bench_of(tmp_path, attempts)
    best = bench.best_on_dev()
    assert best is not None
    assert best.candidate == of(bench, DEV)
    assert "race" in bench.evaluator.models.needed, "what it asks is counted"


def test_of_equals_the_lowest_rung_teaches(tmp_path):
    again = DEV.but(rung="lora", description="the same again")
    bench = bench_of(tmp_path, {"prompt": (DEV, 0.1), "lora": (again, 0.9)})
    best = bench.best_on_dev()
    assert best is not None
    assert best.rung == "prompt"


def test_nobody_is_asked_where_there_is_nothing_to_choose(tmp_path):
    bench = bench_of(tmp_path, {"prompt": (EVAL, 0.1)})
    assert bench.best_on_dev() == bench.history.attempts[0]
    assert replace(bench, history=History()).best_on_dev() is None
    assert bench.evaluator.models.asked.calls == 0


def test_a_row_that_one_system_did_not_answer_is_left_out_for_all(tmp_path):
    """The recording of the second system holds all dev examples but one, which the first misses."""
    bench = replayed(tmp_path, DATA, lambda _: [DEV], speak)
    one = replace(bench.data, dev=(*bench.data.dev[:38], replace(bench.data.dev[38], input="?")))
    gate = bench.task.gate.model_copy(update={"max_error_rate": 0.1})
    task = bench.task.model_copy(update={"gate": gate})
    evaluator = replace(bench.evaluator.with_data(one), task=task)
    assert dev_scores(evaluator, [of(bench, DEV)] * 2) == [1.0, 1.0]


# What is built


class Noting:
    """A trainer that makes nothing and notes what it was given to learn."""

    def __init__(self) -> None:
        self.given: list[Rows] = []

    def memory(self) -> Memory | None:
        return None

    def base(self) -> Path:
        return Path("base")

    def embedding(self) -> Path | None:
        return None

    def train(self, recipe: Recipe, start: Path | None, rows: Rows, overrides: Any = None) -> Build:
        self.given.append(rows)
        return Build(folder=f"trained {len(self.given)}")


def with_noting(bench: Bench) -> tuple[Bench, Noting]:
    trainer = Noting()
    return replace(bench, trainer=trainer), trainer  # type: ignore[arg-type]


@pytest.mark.parametrize("scores", [(0.5, 1.0), (1.0, 0.5)])
def test_a_student_learns_the_answers_of_the_best_on_dev(tmp_path, scores):
    attempts = {"prompt": (EVAL, scores[0]), "rag": (DEV, scores[1])}
    bench, trainer = with_noting(bench_of(tmp_path, attempts))
    students = r4_distill.first_stage(bench, None)
    assert [student.model.split(":")[0] for student in students] == ["head"]
    learnt = {row["text"]: row["label"] for row in trainer.given[0]}
    assert learnt == {row.input: speak(f"right on dev {row.input}") for row in DATA.train}


READING = asking("Answer.", "rag", retrieval=Retrieval(source="documents", k=1))
SHOWN = asking("Answer.", "rag", retrieval=Retrieval(source="examples", k=2))
PLAIN = asking("Answer.")
FACTS = tuple(Document(f"p{at}", "", f"item{at} is answer{at}.") for at in range(20))


def asked_about(name: str, known: bool) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            f"{name}{at}", f"{name} asks what item{at % 20} is", f"answer{at % 20}",
            doc_ids=(f"p{at % 20}",) if known else (),
        )
        for at in range(40)
    )  # fmt: skip


def facts(prompt: str) -> str:
    """Read the answer in the prompt's documents, where it stands."""
    item = prompt.rpartition(" what item")[2].split()[0]
    told = f"item{item} is answer{item}." in prompt
    return f"answer{item}" if told else "unknown"


def lora_bench(folder: Path, rag: Candidate, dev: tuple[Sample, ...], scores: tuple[float, float],
               speak: Callable[[str], str] = facts) -> Bench:  # fmt: skip
    """Return a bench whose eval scores say the one thing, and whose dev set says its own."""

    def asked(evaluator: Evaluator) -> list[Candidate]:
        gold = oracle(evaluator, of(evaluator, rag))
        return [PLAIN, rag, *([gold] if gold else [])]

    data = Data(asked_about("t", True), dev, asked_about("g", True), (), documents=FACTS)
    bench = replayed(folder, data, asked, speak)
    right = Estimate(mean=scores[1], low=0, high=scores[1], n=40)
    diagnosis = Diagnosis(causes=(), ablations={"oracle": right})
    read = measured(of(bench, rag), scores[1]).but(diagnosis=diagnosis)
    return replace(bench, history=History(attempts=[measured(of(bench, PLAIN), scores[0]), read]))


def trained(bench: Bench) -> list[str]:
    """Return what each adapter of the lora rung was trained to read; empty: nothing."""
    found = {
        str(each.build.folder): each.retrieval.source if each.retrieval else ""
        for each in r3_lora.first_stage(with_noting(bench)[0], None)
        if each.build.folder and "trained" in each.build.folder
    }
    return list(found.values())


@pytest.mark.parametrize("scores", [(0.9, 0.1), (0.1, 0.9)])
@pytest.mark.parametrize(("speak", "second"), [(facts, True), (lambda _: "unknown", False)])
def test_an_adapter_reads_documents_where_they_help_on_dev(tmp_path, scores, speak, second):
    bench = lora_bench(tmp_path, READING, asked_about("d", True), scores, speak)
    candidates = r3_lora.first_stage(with_noting(bench)[0], None)
    folders = {str(candidate.build.folder) for candidate in candidates}
    assert len(candidates) == 2
    assert len(folders) == (2 if second else 1), "a second training, or the first one reading"


@pytest.mark.parametrize("scores", [(0.9, 0.1), (0.1, 0.9)])
@pytest.mark.parametrize(("speak", "more"), [(facts, True), (lambda _: "unknown", False)])
def test_beside_examples_documents_are_learnt_where_they_hold_more_on_dev(
    tmp_path, scores, speak, more
):
    bench = lora_bench(tmp_path, SHOWN, asked_about("d", True), scores, speak)
    assert ("documents" in trained(bench)) is more
