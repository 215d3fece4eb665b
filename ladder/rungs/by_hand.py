"""`ladder train`: run one recipe on a task's training rows, outside a climb."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ladder.engines import model_folder
from ladder.evidence import Build
from ladder.report.training import duration
from ladder.report.watch import Watch
from ladder.rungs.opening import open_climb
from ladder.rungs.r3_lora import plain_candidate, training_rows
from ladder.task import Task
from ladder.training.launch import PICTURE, RECORD
from ladder.training.recipes import find_recipe


def train_task(
    recipe: str, task: Task, runs: Path, watch: Watch, overrides: Mapping[str, str]
) -> list[str]:
    """Train on a task's training rows; return what to tell the user, line by line.

    The student of a distillation learns from the rows' own targets here: in a climb its teacher
    answers them.
    """
    climb, _ = open_climb(task, runs, watch)
    found = find_recipe(recipe, task.folder, own=True)
    candidate = plain_candidate(climb)
    rows = training_rows(climb, candidate, [(s, s.target) for s in climb.splits.train])
    base = model_folder(task.models.base, task.folder)
    build = climb.train(found, base, rows, overrides)
    climb.store.close()
    record = json.loads((Path(str(build.folder)) / RECORD).read_text())
    curve = record["loss_curve"]
    return [
        f"{found.name}: {record['rows']} rows, {record['steps']} steps, {record['tokens']:,} "
        f"tokens in {duration(record['seconds'])}, {build.peak_memory_mb:,.0f} MB at the peak",
        *_as_foreseen(build),
        f"loss {curve[0][1]:.3f} -> {curve[-1][1]:.3f}" if curve else "no loss was logged",
        *([f"picture {build.folder}/{PICTURE}"] if curve else []),
        f"artefact {build.folder}",
    ]


def _as_foreseen(build: Build) -> list[str]:
    """Compare what a training took with what was foreseen."""
    if build.foreseen is None:
        return []
    expected = build.foreseen
    return [
        f"foreseen: {duration(expected.seconds)} (took {build.seconds / expected.seconds:.2f} of "
        f"it), {expected.memory_mb:,.0f} MB ({build.peak_memory_mb / expected.memory_mb:.2f})"
    ]
