"""`ladder train`: run one recipe on a task's training examples, outside a climb."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ladder.artefacts.card import read_training
from ladder.artefacts.issue import kind_of, name_of
from ladder.climb.opening import open_bench
from ladder.engines import model_folder
from ladder.errors import TrainingError
from ladder.evidence import Build
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.progress import Watch
from ladder.rungs import r3_lora, r4_distill
from ladder.rungs.protocol import Bench
from ladder.samples.rows import Sample
from ladder.task import Task
from ladder.training.launch import PICTURE, TEACHER
from ladder.training.preferences import preference_rows
from ladder.training.recipes import Recipe, RowKind, find_recipe
from ladder.training.rows import (
    answer_kind,
    label_rows,
    plain_candidate,
    training_rows,
    unseen_labels,
)
from ladder.training.teacher import teacher_of
from ladder.wording import duration

Answered = Sequence[tuple[Sample, str]]
Rows = Sequence[Mapping[str, Any]]


def train_task(
    recipe: str, task: Task, runs: Path, watch: Watch, overrides: Mapping[str, str]
) -> list[str]:
    """Train on a task's training examples; return what to tell the user (`train_recipe`)."""
    return train_recipe(recipe, task, runs, watch, overrides)[0]


def train_recipe(
    recipe: str, task: Task, runs: Path, watch: Watch, overrides: Mapping[str, str]
) -> tuple[list[str], Path]:
    """Train on a task's training examples.

    A student learns from the task's `models.teacher`; without one, from the rows' own targets, or
    from the base's weights where the recipe reads weights.

    Returns:
        what to tell the user, line by line, and the folder of what was trained.

    Raises:
        TrainingError: the recipe cannot learn from this task's rows, or its program failed.
    """
    bench = open_bench(task, runs, watch)
    bench.evaluator.models.learn_abilities()
    made = prepare(bench, recipe, overrides)
    build = bench.trainer.train(made.recipe, made.start, made.rows, made.fields)
    bench.evaluator.models.cache.close()
    return said_of(bench, made, build), Path(str(build.folder))


@dataclass(frozen=True)
class Prepared:
    """A recipe, and what it is given of a task."""

    recipe: Recipe
    start: Path | None
    """The folder of the weights to start from; None: it starts from nothing."""
    rows: Rows
    fields: Mapping[str, str]
    """Of the recipe, changed."""
    told: str = ""
    """Of its rows, where they are preferences."""
    never: str = ""
    """Labels that no row has."""


def prepare(bench: Bench, recipe: str, overrides: Mapping[str, str]) -> Prepared:
    """Return what a recipe learns of a task: a teacher is asked here.

    Raises:
        TrainingError: the recipe cannot learn from this task's rows.
    """
    task = bench.task
    found = find_recipe(recipe, task.folder, own=True)
    if not bench.data.train:
        raise TrainingError(f"{task.source}: no training examples; name some under `data: train`")
    answered: Answered = ()
    rows: Rows
    told = ""
    if found.rows in ("pairs", "graded"):
        candidate = plain_candidate(bench.evaluator, r3_lora.NAME)
        rows, told = preference_rows(bench.evaluator, candidate, bench.data.preferences, found.rows)
    else:
        answered = _answered(bench, found)
        fills = found.about.fills_fields
        rows = _fields(bench, answered) if fills else ROWS[found.rows](bench.evaluator, answered)
    told_form = {"answer": answer_kind(task)} if found.about.fills_fields else {}
    fields = {**_teacher(bench, found), **told_form, **overrides}
    never = (
        unseen_labels(bench.evaluator, [text for _, text in answered])
        if found.rows == "labels" and bench.data.labels
        else ""
    )
    return Prepared(found, _start(bench, found, rows), rows, fields, told, never)


def said_of(bench: Bench, made: Prepared, build: Build) -> list[str]:
    """Return what to tell the user of a training, line by line."""
    folder = Path(str(build.folder))
    record = read_training(folder)
    curve = record.get("loss_curve") or []
    return [
        _trained(made.recipe.name, record, build),
        *([made.told] if made.told else _learnt_from(bench, made.recipe)),
        *_as_foreseen(build),
        *_losses(curve),
        *_measured(record),
        *(
            [f"no row has these labels, so it never answers them: {made.never}"]
            if made.never
            else []
        ),
        *([f"picture {build.folder}/{PICTURE}"] if curve else []),
        *_next(folder),
        f"artefact {build.folder}",
    ]


def _trained(name: str, record: Mapping[str, Any], build: Build) -> str:
    tokens = f", {record['tokens']:,} tokens" if record["tokens"] else ""
    took = f"{duration(record['seconds'])}, {build.peak_memory_mb:,.0f} MB at the peak"
    computed = f", in {record['precision']}" if record.get("precision") else ""
    counts = f"{record.get('rows', 0)} rows, {record.get('steps', 0)} steps"
    return f"{name}: {counts}{tokens} in {took}{computed}"


def _learnt_from(bench: Bench, recipe: Recipe) -> Iterator[str]:
    """Say which rows were learnt, and whose answers."""
    splits = bench.data
    kept = len(splits.dev) + len(splits.gate) + len(splits.sealed) + len(splits.reserve)
    yield (
        f"learnt: {len(splits.train)} rows; {kept} are kept to choose and to measure by, "
        f"{len(splits.duplicates)} repeat others"
    )
    if recipe.rows == "labels":
        embedding = bench.trainer.embedding()
        yield f"reads: {f'the embedding {name_of(embedding)}' if embedding else 'n-grams'}"
    if _teaches(recipe) and not recipe.about.reads_teacher:
        teacher = bench.task.models.teacher
        own = "the rows' own targets; a teacher is named with models: {teacher: …}"
        yield f"answers: {f'those of {teacher}' if teacher else own}"


def _losses(curve: Sequence[Sequence[float]]) -> Iterator[str]:
    if len(curve) > 1:
        yield f"loss {curve[0][1]:.3f} -> {curve[-1][1]:.3f}"
    elif curve:
        yield f"loss {curve[0][1]:.3f}, logged once: too short a run to say whether it falls"


def _next(folder: Path) -> Iterator[str]:
    """Say how to find out whether it is any good."""
    kind = kind_of(folder)
    if kind == "adapter":
        merged = f"{folder}-merged"
        yield f"next: ladder export {folder} --to merged; then models: {{base: hf:{merged}}}"
    elif kind == "model":
        yield f"next: ladder assess with models: {{base: hf:{folder}}}"


def _measured(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the program measured on the rows that it held out, if it did."""
    if "metric" in record:
        yield (
            f"{record['metric']} {record['before']} -> {record['after']} on {record['held_out']} "
            "pairs held out"
        )


def _as_foreseen(build: Build) -> list[str]:
    """Compare what a training took with what was estimated."""
    if build.estimated is None:
        return []
    expected = build.estimated
    return [
        f"estimated: {duration(expected.seconds)}, took {duration(build.seconds)}; "
        f"{expected.memory_mb:,.0f} MB, took {build.peak_memory_mb:,.0f} MB"
    ]


def _answered(bench: Bench, recipe: Recipe) -> Answered:
    """Return the training examples with the answers to learn: the teacher's, or their own."""
    samples = bench.data.train
    reads = recipe.about.reads_teacher
    if bench.task.models.teacher is None or reads or not _teaches(recipe):
        return [(sample, sample.target) for sample in samples]
    teacher = teacher_of(bench.evaluator, bench.history.best(), r4_distill.NAME)
    outcomes = answer(bench.evaluator, teacher, samples, "teacher answers", scored=False)
    require_conclusive(outcomes, bench.task.gate, "the teacher's answers")
    return [(o.sample, o.text) for o in outcomes if not o.error and o.text]


def _teaches(recipe: Recipe) -> bool:
    """Tell whether a recipe makes a student."""
    return recipe.starts_from == "student" or recipe.rows == "labels"


def _start(bench: Bench, recipe: Recipe, rows: Rows) -> Path | None:
    """Return the model that a recipe starts from: base, student, or embedding.

    Logits are compared token by token, so a student that reads a teacher's keeps its vocabulary.
    """
    if recipe.rows == "labels":
        return bench.trainer.embedding()
    if recipe.starts_from == "base":
        return bench.trainer.base()
    student = bench.trainer.student()
    return student if recipe.about.reads_teacher else bench.trainer.narrowed(student, rows)


def _teacher(bench: Bench, recipe: Recipe) -> dict[str, str]:
    """Return the field that names the teacher, where a recipe reads a teacher's weights."""
    if not recipe.about.reads_teacher:
        return {}
    models = bench.task.models
    return {TEACHER: str(model_folder(models.teacher or models.base, bench.task.folder))}


def _answers(evaluator: Evaluator, answered: Answered) -> list[dict[str, Any]]:
    return training_rows(evaluator, plain_candidate(evaluator, r3_lora.NAME), answered)


def _prompts(evaluator: Evaluator, answered: Answered) -> list[dict[str, Any]]:
    return [{"prompt": row["prompt"]} for row in _answers(evaluator, answered)]


def _labels(evaluator: Evaluator, answered: Answered) -> list[dict[str, Any]]:
    if not evaluator.data.labels:
        raise TrainingError(
            f"{evaluator.task.source}: a classifier needs `answer: {{type: label}}`"
        )
    return [dict(row) for row in label_rows(answered)]


def _fields(bench: Bench, answered: Answered) -> list[dict[str, Any]]:
    """Return rows for an encoder that fills in the fields of their answers."""
    if bench.trainer.embedding() is None:
        fix = "Name one with models: {embedding: hf:FOLDER}"
        raise TrainingError(f"{bench.task.source}: no encoder to start from. {fix}")
    inputs, answers = [sample.input for sample, _ in answered], [text for _, text in answered]
    try:
        bench.trainer.fields(inputs, answers, answer_kind(bench.task))
    except ValueError as error:
        raise TrainingError(f"{bench.task.source}: no encoder can learn this: {error}") from None
    return [dict(row) for row in label_rows(answered)]


ROWS: Mapping[RowKind, Callable[[Evaluator, Answered], list[dict[str, Any]]]] = {
    "answers": _answers,
    "prompts": _prompts,
    "labels": _labels,
}
"""What each kind of program is given."""
