"""Train recipes on a task, one after the other, and print a row for each of them.

    python benchmarks/recipes.py TASK RECIPE [RECIPE …] [--data FOLDER] [--set key=value]
    python benchmarks/recipes.py TASK distill_logits --teacher hf:FOLDER [--student hf:FOLDER]

A preference program measures itself on the pairs that it holds out. What learns from answers is
measured here, by the task's first scorer on the same held-out examples before and after. Rows are
the rows trained on; memory is the process's peak; minutes are those of training, without loading,
and USD are theirs on the task's machine.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ladder.artefacts.issue import kind_of
from ladder.climb.opening import open_bench
from ladder.commands.train import train_task
from ladder.economy.cost import machine_usd
from ladder.engines.passport import read_passport
from ladder.evidence import Build, Candidate
from ladder.inference.answer import answer
from ladder.progress import Quiet
from ladder.rungs import r3_lora, r4_distill
from ladder.rungs.protocol import Bench
from ladder.rungs.r3_lora import answering
from ladder.samples.rows import Sample
from ladder.task import Task, load_task
from ladder.training.rows import plain_candidate

HELD_OUT = 100
"""Rows answered before and after, at most."""


def main() -> None:
    """Train and print."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("task", type=Path)
    given.add_argument("recipes", nargs="+")
    given.add_argument("--data", type=Path)
    given.add_argument("--runs", type=Path, default=Path("runs"))
    given.add_argument("--set", action="append", default=[], help="change a field: key=value")
    given.add_argument("--teacher", help="models.teacher, in place of the task's")
    given.add_argument("--student", help="models.student, in place of the task's")
    words = given.parse_args()
    named = {"teacher": words.teacher, "student": words.student}
    given = {role: model for role, model in named.items() if model is not None}
    task = load_task(words.task, words.data).with_models(**given)
    changed = dict(entry.split("=", 1) for entry in words.set)
    print("| recipe | task, rows | minutes | USD | peak memory | before -> after |")
    for name in words.recipes:
        print(row(name, task, words.runs.resolve(), changed), flush=True)


def row(name: str, task: Task, runs: Path, changed: dict[str, str]) -> str:
    """Train a recipe; return its row."""
    told = train_task(name, task, runs, Quiet(), changed)
    folder = Path(told[-1].removeprefix("artefact "))
    record = json.loads((folder / "training.json").read_text())
    usd = machine_usd(record["seconds"], task.hardware.usd_per_hour)
    peak = max(record["peak_memory_mb"], record["peak_gpu_memory_mb"])
    return (
        f"| {name} | {task.name}, {record['rows']:,} | {record['seconds'] / 60:.1f} | "
        f"{usd:.4f} | {peak / 1024:.1f} GB | {moved(task, runs, folder, record)} |"
    )


def moved(task: Task, runs: Path, folder: Path, record: dict[str, Any]) -> str:
    """Return what the training moved: the program's own metric, or the task's score."""
    if "metric" in record:
        return (
            f"{record['metric']} {record['before']:.2f} -> {record['after']:.2f}, margin "
            f"{record['margin_before']:+.2f} -> {record['margin_after']:+.2f} nats, "
            f"n = {record['held_out']}"
        )
    bench = open_bench(task, runs, Quiet())
    rows = bench.data.gate[:HELD_OUT]
    kind = kind_of(folder)
    if kind in ("head", "encoder"):
        return chosen(bench, f"{kind}:{folder}", rows)
    plain = plain_candidate(bench.evaluator, r3_lora.NAME)
    trained = plain.but(**answering(Build(folder=str(folder))))
    passport = read_passport(folder)
    start = passport.base_folder if passport else ""  # a student starts from a student
    untrained = plain.but(model=f"hf:{start}") if start else plain
    before, after = (score(bench, each, rows) for each in (untrained, trained))
    bench.evaluator.models.cache.close()
    return f"{bench.evaluator.scorers[0][0]} {before:.2f} -> {after:.2f}, n = {len(rows)}"


def chosen(bench: Bench, model: str, rows: Sequence[Sample]) -> str:
    """Return what a student that chooses answers moved, from the most frequent answer."""
    usual = Counter(sample.target for sample in bench.data.train).most_common(1)[0][0]
    majority = fmean(usual in sample.targets for sample in rows)
    student = Candidate(rung=r4_distill.NAME, description="student", model=model)
    after = score(bench, student, rows)
    bench.evaluator.models.cache.close()
    name = bench.evaluator.scorers[0][0]
    return f"{name} {majority:.2f} (majority) -> {after:.2f}, n = {len(rows)}"


def score(bench: Bench, candidate: Candidate, rows: Sequence[Any]) -> float:
    """Return the mean score of a candidate; a row without an answer ends the benchmark."""
    outcomes = answer(bench.evaluator, candidate, rows)
    faults = [outcome.error for outcome in outcomes if outcome.error]
    if faults:
        raise SystemExit(f"{len(faults)} rows without an answer: {faults[0]}")
    return fmean(outcome.score for outcome in outcomes if outcome.score is not None)


if __name__ == "__main__":
    main()
