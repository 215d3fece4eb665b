"""What does a student keep of its teacher's score, and what does it save?

    python benchmarks/students.py FOLDER [--sets banking77 …] [--generating]
    python benchmarks/students.py FOLDER --lora TASK … [--runs RUNS] [--adapter FOLDER]

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
what no teacher at all gives: what a student saves is only printed of a teacher that
is proven better than that, on the same eval examples.

With --lora the teacher is a LoRA adapter of the bundled model, trained by its recipe on all
training examples of a task, or one that has learnt just these (--adapter, known by its passport).
Its student learns the same examples: an encoder that fills in the fields of the answer. Both are
measured on the same eval examples in one run and one process: the score, and the processor time of
a request on one thread, alone and in batches (a machine that is busy with other work slows the
clock, not so much this). A training that RUNS holds already, of the same recipe, base and rows, is
taken from there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import yaml

from ladder.climb.opening import open_bench
from ladder.economy.cost import machine_usd_per_1k
from ladder.engines.base import Completion
from ladder.engines.passport import read_passport
from ladder.evaluation.against_teacher import beside, over_control
from ladder.evaluation.control import measure_control
from ladder.evaluation.cost import token_use
from ladder.evaluation.measure import measure, units_of
from ladder.evidence import Attempt, Candidate, Comparison, Measurement
from ladder.files import digest_of
from ladder.inference.answer import answer
from ladder.inference.outcome import Outcome, scores_of
from ladder.inference.prompts import request_for
from ladder.progress import Quiet
from ladder.rungs import r1_prompt, r2_rag, r3_lora, r4_distill
from ladder.rungs.protocol import Bench
from ladder.selection.race import race
from ladder.task import load_task
from ladder.training.launch import read_build
from ladder.training.rows import plain_candidate, training_rows
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
WARM_UP, DRAWS = 3, 10_000
"""Requests before those that are timed one at a time; draws of a bootstrap."""
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
                saved = f", {found.cheaper_busy or 0:.0f} x cheaper busy"
                saved += f", {found.faster or 0:.0f} x faster"
                print(
                    f"    kept {found.kept:.1%} ({found.low:.1%} to {found.high:.1%})"
                    + (saved if found.worth_having else "")
                )
        bench.evaluator.models.cache.close()
    print(f"  {time.perf_counter() - started:.0f} s in all", flush=True)


@dataclass(frozen=True)
class System:
    """A system that has answered the eval examples."""

    measured: Measurement
    outcomes: list[Outcome]
    alone: list[float]
    """Processor seconds of requests that were answered one at a time."""
    batched: float
    """Processor seconds of a request among all of them."""


def timed(bench: Bench, candidate: Candidate, alone: int) -> System:
    """Answer every eval example, then so many of them one at a time; count processor time."""
    evaluator, rows = bench.evaluator, bench.data.gate
    engine = evaluator.engine(candidate)
    alone_rows = [request_for(evaluator, candidate, row, engine) for row in rows[:alone]]
    list(engine.engine.complete(alone_rows[:WARM_UP]))
    before = time.process_time()
    outcomes = answer(evaluator, candidate, rows)
    batched = (time.process_time() - before) / len(rows)
    taken = []
    for request in [*alone_rows[:WARM_UP], *alone_rows]:
        before = time.process_time()
        list(engine.engine.complete([request]))
        taken.append(time.process_time() - before)
    taken = taken[WARM_UP:]
    measured = Measurement(
        score=units_of(evaluator, outcomes).estimate(evaluator.task.gate.confidence),
        cost_usd_per_1k=machine_usd_per_1k(fmean(taken), evaluator.task.hardware.usd_per_hour),
        tokens=token_use([o for o in outcomes if o.score is not None]),
        build=candidate.build,
    )
    return System(measured, outcomes, taken, batched)


def times_cheaper(teacher: System, student: System) -> tuple[float, float, float]:
    """Return how many times less a request takes alone, with its 95 % bootstrap interval.

    Both answered the same rows, so that these are drawn together.
    """
    pairs = np.array([teacher.alone, student.alone])
    draws = np.random.default_rng(0).integers(0, pairs.shape[1], (DRAWS, pairs.shape[1]))
    sums = pairs[:, draws].sum(-1)
    low, high = np.quantile(sums[0] / sums[1], [0.025, 0.975])
    return float(pairs[0].sum() / pairs[1].sum()), float(low), float(high)


def encoder_of(bench: Bench) -> list[Candidate]:
    """Fine-tune the rung's encoder on the rows' own targets, which the teacher has learnt too."""
    taught = [Outcome(row, row.target, Completion(row.target)) for row in bench.data.train]
    return r4_distill.encoder_students(bench, taught)


def adapter_of(bench: Bench, given: Path | None) -> Candidate:
    """Train the teacher on all training examples, or take an adapter that learnt these very rows.

    Raises:
        SystemExit: the adapter's passport says that it learnt others.
    """
    plain = plain_candidate(bench.evaluator, "lora")
    if given is None:
        return r3_lora.with_adapter(bench, plain, bench.data.train)
    rows = training_rows(bench.evaluator, plain, [(s, s.target) for s in bench.data.train])
    passport = read_passport(given)
    if passport is None or passport.data != digest_of(rows):
        raise SystemExit(f"{given} has no passport that says it learnt this task's rows")
    print(f"teacher: {passport.recipe} of {passport.created}, as given; the rows are the same")
    return plain.but(adapter=str(given), build=read_build(given))


def run_lora(path: Path, given: argparse.Namespace) -> None:
    """Print the table of one task whose teacher is an adapter."""
    with tempfile.TemporaryDirectory() as scratch:
        task = load_task(path, data_root=given.folder)
        bench = open_bench(task, given.runs, Told(), cache=Path(scratch) / "completions.sqlite")
        few = replace(bench.data, gate=bench.data.gate[: given.eval_rows])
        bench = replace(bench, evaluator=bench.evaluator.with_data(few))
        adapter = adapter_of(bench, given.adapter)
        train = bench.data.train
        print(
            f"{task.name}: {len(train)} training examples, {len(bench.data.gate)} eval examples, "
            f"{torch.get_num_threads()} thread"
        )
        control, unaided = measure_control(bench.evaluator)
        for reference in control.lines if control else ():
            print(f"  control: {reference.name:35} {reference.score.mean:.3f}")
        teacher = timed(bench, adapter, given.alone)
        print(system_line("teacher: LoRA adapter", teacher), flush=True)
        scores = scores_of(teacher.outcomes)
        over = over_control(bench.evaluator, "distill", scores, unaided)
        print(f"    {against(over)}")
        for student in encoder_of(bench):
            found = timed(bench, student, given.alone)
            print(system_line(student.description, found))
            pair = (found.measured, scores_of(found.outcomes)), (teacher.measured, scores)
            kept = beside(bench.evaluator, "lora", *pair, over)
            if kept:
                print(f"    kept {kept.kept:.1%} ({kept.low:.1%} to {kept.high:.1%}) of the score")
            if kept and kept.worth_having:
                times, low, high = times_cheaper(teacher, found)
                print(
                    f"    {times:.1f} x less processor time alone ({low:.1f} to {high:.1f}, "
                    f"n {len(found.alone)}), {teacher.batched / found.batched:.1f} x in batches",
                    flush=True,
                )
        bench.evaluator.models.cache.close()


def system_line(name: str, found: System) -> str:
    """Return a system's own figures: score, other scores, processor time, what training took."""
    score, answered = found.measured.score, [o for o in found.outcomes if o.score is not None]
    others = {key: fmean(o.others[key] or 0.0 for o in answered) for key in answered[0].others}
    more = "".join(f", {key} {value:.3f}" for key, value in others.items())
    build = found.measured.build
    return (
        f"  {name:44} {score.mean:.3f} ({score.low:.3f}–{score.high:.3f}){more}; "
        f"{1000 * fmean(found.alone):.1f} ms alone, {1000 * found.batched:.1f} ms in batches; "
        f"trained in {build.seconds:.0f} s"
    )


class Told(Quiet):
    """Says what is said, and draws no bars."""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)


def main() -> None:
    """Measure each set, or each task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS)[:2])
    parser.add_argument("--generating", action="store_true")
    parser.add_argument("--lora", nargs="*", type=Path, default=[], metavar="TASK")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--eval-rows", type=int, help="the first so many; default: all")
    parser.add_argument("--alone", type=int, default=40, help="requests timed one at a time")
    parser.add_argument("--adapter", type=Path, help="of the one TASK: trained before, on its rows")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for path in given.lora:
        run_lora(path, given)
    for name in () if given.lora else given.sets:
        run(given.folder, name, given.generating)


if __name__ == "__main__":
    main()
