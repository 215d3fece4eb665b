"""`ladder train`: run one recipe on a task's training rows, outside a climb."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ladder.artefacts.card import read_training
from ladder.artefacts.issue import kind_of, name_of
from ladder.climb.opening import open_climb
from ladder.engines import model_folder
from ladder.errors import TrainingError
from ladder.evidence import Build
from ladder.inference.answer import answer
from ladder.inference.evaluator import Climb
from ladder.inference.failures import require_conclusive
from ladder.progress import Watch
from ladder.rungs import r3_lora
from ladder.samples.rows import Sample
from ladder.task import Task
from ladder.training.launch import PICTURE, TEACHER
from ladder.training.preferences import preference_rows
from ladder.training.recipes import Recipe, RowKind, find_recipe
from ladder.training.rows import label_rows, plain_candidate, training_rows, unseen_labels
from ladder.training.teacher import teacher_of
from ladder.wording import duration

Answered = Sequence[tuple[Sample, str]]
Rows = Sequence[Mapping[str, Any]]


def train_task(
    recipe: str, task: Task, runs: Path, watch: Watch, overrides: Mapping[str, str]
) -> list[str]:
    """Train on a task's training rows; return what to tell the user, line by line.

    A student learns from the task's `models.teacher`; without one, from the rows' own targets, or
    from the base's weights where the recipe reads weights.

    Raises:
        TrainingError: the recipe cannot learn from this task's rows, or its program failed.
    """
    climb, read = open_climb(task, runs, watch)
    found = find_recipe(recipe, task.folder, own=True)
    if not climb.splits.train:
        raise TrainingError(f"{task.source}: no training rows; name some under `data: train`")
    answered: Answered = ()
    rows: Rows
    told = ""
    if found.rows in ("pairs", "graded"):
        candidate = plain_candidate(climb, r3_lora.NAME)
        rows, told = preference_rows(climb, candidate, read.preferences, found.rows)
    else:
        answered = _answered(climb, found)
        rows = ROWS[found.rows](climb, answered)
    fields = {**_teacher(climb, found), **overrides}
    build = climb.train(found, _start(climb, found, rows), rows, fields)
    climb.store.close()
    record = read_training(Path(str(build.folder)))
    curve = record.get("loss_curve") or []
    never = unseen_labels(climb, [text for _, text in answered]) if found.rows == "labels" else ""
    return [
        _trained(found.name, record, build),
        *([told] if told else _learnt_from(climb, found)),
        *_as_foreseen(build),
        *_losses(curve),
        *_measured(record),
        *([f"no row has these labels, so it never answers them: {never}"] if never else []),
        *([f"picture {build.folder}/{PICTURE}"] if curve else []),
        *_next(Path(str(build.folder))),
        f"artefact {build.folder}",
    ]


def _trained(name: str, record: Mapping[str, Any], build: Build) -> str:
    tokens = f", {record['tokens']:,} tokens" if record["tokens"] else ""
    took = f"{duration(record['seconds'])}, {build.peak_memory_mb:,.0f} MB at the peak"
    computed = f", in {record['precision']}" if record.get("precision") else ""
    counts = f"{record.get('rows', 0)} rows, {record.get('steps', 0)} steps"
    return f"{name}: {counts}{tokens} in {took}{computed}"


def _learnt_from(climb: Climb, recipe: Recipe) -> Iterator[str]:
    """Say which rows were learnt, and whose answers."""
    splits = climb.splits
    kept = len(splits.dev) + len(splits.gate) + len(splits.sealed) + len(splits.reserve)
    yield (
        f"learnt: {len(splits.train)} rows; {kept} are kept to choose and to measure by, "
        f"{len(splits.duplicates)} repeat others"
    )
    if recipe.rows == "labels":
        embedding = climb.embedding_folder()
        yield f"reads: {f'the embedding {name_of(embedding)}' if embedding else 'n-grams'}"
    if _teaches(recipe) and not recipe.about.reads_teacher:
        teacher = climb.task.models.teacher
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
    """Compare what a training took with what was foreseen."""
    if build.foreseen is None:
        return []
    expected = build.foreseen
    return [
        f"foreseen: {duration(expected.seconds)}, took {duration(build.seconds)}; "
        f"{expected.memory_mb:,.0f} MB, took {build.peak_memory_mb:,.0f} MB"
    ]


def _answered(climb: Climb, recipe: Recipe) -> Answered:
    """Return the training rows with the answers to learn: the teacher's, or their own."""
    samples = climb.splits.train
    reads = recipe.about.reads_teacher
    if climb.task.models.teacher is None or reads or not _teaches(recipe):
        return [(sample, sample.target) for sample in samples]
    outcomes = answer(climb, teacher_of(climb), samples, "teacher answers", scored=False)
    require_conclusive(outcomes, climb.task.gate, "the teacher's answers")
    return [(o.sample, o.text) for o in outcomes if not o.error and o.text]


def _teaches(recipe: Recipe) -> bool:
    """Tell whether a recipe makes a student."""
    return recipe.starts_from == "student" or recipe.rows == "labels"


def _start(climb: Climb, recipe: Recipe, rows: Rows) -> Path | None:
    """Return the model that a recipe starts from: base, student, or embedding.

    Logits are compared token by token, so a student that reads a teacher's keeps its vocabulary.
    """
    if recipe.rows == "labels":
        return climb.embedding_folder()
    if recipe.starts_from == "base":
        return climb.base_folder()
    student = climb.student_folder()
    return student if recipe.about.reads_teacher else climb.narrowed(student, rows)


def _teacher(climb: Climb, recipe: Recipe) -> dict[str, str]:
    """Return the field that names the teacher, where a recipe reads a teacher's weights."""
    if not recipe.about.reads_teacher:
        return {}
    models = climb.task.models
    return {TEACHER: str(model_folder(models.teacher or models.base, climb.task.folder))}


def _answers(climb: Climb, answered: Answered) -> list[dict[str, Any]]:
    return training_rows(climb, plain_candidate(climb, r3_lora.NAME), answered)


def _prompts(climb: Climb, answered: Answered) -> list[dict[str, Any]]:
    return [{"prompt": row["prompt"]} for row in _answers(climb, answered)]


def _labels(climb: Climb, answered: Answered) -> list[dict[str, Any]]:
    if not climb.splits.labels:
        raise TrainingError(f"{climb.task.source}: a label student needs `answer: {{type: label}}`")
    return [dict(row) for row in label_rows(answered)]


ROWS: Mapping[RowKind, Callable[[Climb, Answered], list[dict[str, Any]]]] = {
    "answers": _answers,
    "prompts": _prompts,
    "labels": _labels,
}
"""What each kind of program is given."""
