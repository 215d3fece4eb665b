"""What does a student keep of its teacher's score, and what does it save?

    python benchmarks/students.py FOLDER [--sets banking77 …] [--generating]

FOLDER holds the public sets. Each is cut to the rows (and Banking77 to the intents) named below, so
that a set takes some six minutes. The teacher is the bundled model: it reads the four nearest
examples, or the bare prompt, in the form that wins on a few dev examples. It answers training
examples, and its answers, not the rows' own labels, teach the students of the distill rung: a
linear classifier on character n-grams, one on an embedding where a model for it is installed, and
with --generating a pruned language model with a vocabulary of its rows' own. Teacher and students
are then measured on the same eval examples in one run, nothing kept from before. `kept` is the
student's score over the teacher's with the interval of their paired difference; ms is the p50 of
single requests, $ that of
a request on a machine at 0.20 USD an hour kept busy. The control, on the rows' own labels, shows
what no teacher at all gives: how many times cheaper a student is, is only printed of a teacher that
is proven better than that, on the same eval examples.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import yaml

from ladder.climb.opening import open_bench
from ladder.evaluation.against_teacher import beside, over_control
from ladder.evaluation.control import measure_control
from ladder.evaluation.measure import measure
from ladder.evidence import Attempt, Candidate, Comparison, Measurement
from ladder.inference.answer import answer
from ladder.inference.outcome import scores_of
from ladder.progress import Quiet
from ladder.rungs import r1_prompt, r2_rag, r4_distill
from ladder.rungs.protocol import Bench
from ladder.selection.race import race
from ladder.task import load_task
from ladder.training.teacher import teacher_of

SETS = {
    "banking77": "Name the intent of the bank customer's message.",
    "contract_clauses": "Name the category of the contract clause.",
    "support_curekart": "Name the intent of the customer's message to a health shop.",
    "review_sentiment": "Tell whether the sentence from a product review is positive or negative.",
}
PROMPTED = ("review_sentiment",)
"""Sets whose teacher reads no examples."""
LABELS = {"banking77": 10}
"""How many of a set's labels are kept, first come."""
TRAIN_ROWS, TEST_ROWS, TAUGHT_ROWS = 1000, 500, 600
"""Rows kept of a set; training examples that the teacher answers."""
DEV_ROWS, GATE_ROWS = 32, 200
EXAMPLES = 4
LOWEST_GATE = 0.05
"""Everything passes: nothing is to be explained or fixed here, only measured."""


def cut(folder: Path, name: str, target: Path) -> Path:
    """Write a small copy of a set with its task file; return the file."""
    kept: list[str] = []
    for part, most in (("train", TRAIN_ROWS), ("test", TEST_ROWS)):
        lines = (folder / name / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        if part == "train":
            labels = list(dict.fromkeys(row["target"] for row in rows))
            kept = labels[: LABELS.get(name, len(labels))]
        rows = [row for row in rows if row["target"] in kept]
        rows = rows[:: max(1, len(rows) // most)][:most]  # sets may be sorted by label
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (target / f"{part}.jsonl").write_text(text, encoding="utf-8")
    task = {
        "name": name,
        "goal": SETS[name],
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "answer": {"type": "label", "labels": sorted(kept)},
        "score": "exact_match",
        "gate": {"min_score": LOWEST_GATE},
        "training": {"max_rows": TAUGHT_ROWS},
        "search": {"prompt_calls": 0},
    }
    (target / "task.yaml").write_text(yaml.safe_dump(task))
    return target / "task.yaml"


def teacher_for(bench: Bench, name: str) -> Attempt:
    """Race the forms of the set's teacher on the dev set, and measure the winner."""
    if name in PROMPTED:
        forms = r1_prompt.STAGES[0](bench, None)
    else:
        read = [(form, form.retrieval) for form in r2_rag.first_stage(bench, None)]
        forms = [form for form, how in read if how and how.narrow and how.k == EXAMPLES]
    winner, _ = race(bench.evaluator, forms)
    measured, _, outcomes = measure(bench.evaluator, winner, bench.data.gate, all_rows=True)
    attempt = Attempt(
        rung=winner.rung, status="passed", reason="", candidate=winner, measurement=measured
    )
    bench.history.add(attempt, scores_of(outcomes))
    return attempt


def students(bench: Bench, best: Attempt, generating: bool) -> list[Candidate]:
    """Let the teacher answer the training examples, and train the students."""
    if generating:
        return r4_distill.first_stage(bench, None)
    rows = bench.data.train[:TAUGHT_ROWS]
    outcomes = answer(
        bench.evaluator,
        teacher_of(bench.evaluator, best, r4_distill.NAME),
        rows,
        "teacher answers",
        scored=False,
    )
    taught = [outcome for outcome in outcomes if not outcome.error and outcome.text]
    return r4_distill.label_students(bench, taught)


def line(name: str, m: Measurement) -> str:
    """Return a system's own figures."""
    score, latency = m.score, m.latency_ms
    ms = f"{latency.p50:9.2f}" if latency else f"{'?':>9}"
    return (
        f"  {name:44} {score.mean:.3f} ({score.low:.3f}–{score.high:.3f}) {ms} ms "
        f"{(m.cost_usd_per_1k or 0) / 1000:.2e} $"
    )


def against(found: Comparison | None) -> str:
    """Say whether the teacher is worth having at all."""
    if found is None:
        return "no control to compare it with"
    proven = "proven better than" if found.claim == "better" else "NOT proven better than"
    return (
        f"{proven} the control: {found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f}), "
        f"p {found.p_value:.2g}, n {found.n}"
    )


def run(folder: Path, name: str, generating: bool) -> None:
    """Print one set's table."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        path = cut(folder, name, Path(scratch))
        bench = open_bench(load_task(path), Path(scratch) / "runs", Quiet())
        data = bench.data
        few = replace(data, dev=data.dev[:DEV_ROWS], gate=data.gate[:GATE_ROWS])
        bench = replace(bench, evaluator=bench.evaluator.with_data(few))
        control, unaided = measure_control(bench.evaluator)
        best = teacher_for(bench, name)
        assert best.measurement is not None
        made = students(bench, best, generating)
        rows = bench.data.gate
        print(
            f"{name}: {len(bench.data.labels)} labels, {len(bench.data.train)} training examples, "
            f"{min(len(bench.data.train), TAUGHT_ROWS)} of them answered by the teacher, "
            f"{len(rows)} eval examples"
        )
        for reference in control.lines if control else ():
            score = reference.score
            print(f"  control: {reference.name:35} {score.mean:.3f} "
                  f"({score.low:.3f}–{score.high:.3f})")  # fmt: skip
        description = best.candidate.description if best.candidate else ""
        print(line(f"teacher: {best.rung}, {description}"[:44], best.measurement))
        teacher = best.measurement, bench.history.scores[best.rung]
        over = over_control(bench.evaluator, best.rung, teacher[1], unaided)
        print(f"    {against(over)}")
        for student in made:
            measured, _, outcomes = measure(bench.evaluator, student, rows, all_rows=True)
            found = beside(
                bench.evaluator, best.rung, (measured, scores_of(outcomes)), teacher, over
            )
            print(line(student.description[:44], measured))
            if found:
                saved = f", {found.cheaper or 0:.0f} x cheaper, {found.faster or 0:.0f} x faster"
                print(
                    f"    kept {found.kept:.1%} ({found.low:.1%} to {found.high:.1%})"
                    + (saved if found.worth_having else "")
                )
        bench.evaluator.models.cache.close()
    print(f"  {time.perf_counter() - started:.0f} s in all", flush=True)


def main() -> None:
    """Measure each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS)[:2])
    parser.add_argument("--generating", action="store_true")
    given = parser.parse_args()
    for name in given.sets:
        run(given.folder, name, given.generating)


if __name__ == "__main__":
    main()
