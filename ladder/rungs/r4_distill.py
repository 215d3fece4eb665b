"""Rung 4: a small student that learns the answers of the system that is best on the dev set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ladder.economy.cost import machine_usd
from ladder.economy.machines import rent_above_gate
from ladder.evidence import Attempt, Build, Candidate, Control, Gap
from ladder.gate.verdict import score_holds
from ladder.inference.answer import answer
from ladder.inference.failures import require_conclusive
from ladder.inference.forms import named
from ladder.inference.outcome import Outcome
from ladder.models.models import base_is_local
from ladder.rungs.protocol import Bench, Stage, Trains
from ladder.samples.data import Data
from ladder.task import RungName, Task
from ladder.training.launch import training_missing
from ladder.training.recipes import find_recipe
from ladder.training.rows import (
    answer_kind,
    label_rows,
    plain_candidate,
    training_rows,
    unseen_labels,
)
from ladder.training.teacher import teacher_of
from ladder.wording import apart

NAME: RungName = "distill"
TRAINS: Trains = "student"
FIXES: frozenset[Gap] = frozenset({"skill", "cost"})
LEAST_INPUTS = 40
TOKENIZER = "tokenizer.json"
"""What tells where a token stands in a text."""


def needs(task: Task, data: Data) -> str | None:
    """A student needs inputs to learn on."""
    inputs = len(data.train) + len(data.unlabeled)
    if inputs < LEAST_INPUTS:
        return f"{inputs} inputs are too few for a student to learn from ({LEAST_INPUTS})"
    return None


def unavailable(bench: Bench) -> str | None:
    """A student needs a teacher, weights to start from, and the training libraries."""
    if bench.history.best() is None and bench.task.models.teacher is None:
        return "there is no teacher: no system has been measured, and models.teacher is not given"
    if not _has_student(bench) and not bench.data.labels:
        return "the base's weights are not on this machine; name a model to teach in models.student"
    missing = training_missing()
    return f"the training libraries are not installed; {missing}" if missing else None


def pointless(bench: Bench) -> str | None:
    """A student is worth no more than its teacher, and its teacher no more than the control.

    This reads the eval set: it decides whether a student is tried, and not who teaches it. One is
    tried all the same where the task names a teacher, or begins with this rung.
    """
    attempts, task = bench.history.attempts, bench.task
    if rent := rent_above_gate(task):  # a smaller model needs a machine too
        return rent
    teachable = [a for a in attempts if a.verdict and score_holds(a.verdict)]
    asked = task.models.teacher is not None or task.rungs[0] == NAME
    if asked:
        return None
    if not teachable:
        return "no system holds the score yet, so there is nothing worth teaching to a student"
    doubt = teacher_doubt(bench, bench.history.best())
    if doubt and _control_holds(bench.history.control):
        return f"{doubt}; the control holds every limit by its estimates: no student is needed"
    return None


def teacher_doubt(bench: Bench, best: Attempt | None) -> str:
    """Say that a measured system that may teach is not proven better than the control.

    Returns:
        nothing where it is, where the task names a teacher (it is measured beside its student),
        or where the two were not compared.
    """
    over = best.over_control if best else None
    if best is None or over is None or over.claim == "better" or bench.task.models.teacher:
        return ""
    return (
        f"{best.rung}, which may teach it, is not proven better than the control "
        f"({apart(over.difference)}, {over.low:+.2f} to {over.high:+.2f}, on {over.n} rows)"
    )


def _control_holds(control: Control | None) -> bool:
    """Tell whether the control has all that a student could bring: every limit, proven or not.

    Where the task measures the rungs whatever the control does, it is not judged.
    """
    verdict = control.verdict if control else None
    return verdict is not None and (verdict.status == "pass" or verdict.leans_to_pass)


def first_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Let the teacher answer the inputs, then teach a small model and linear classifiers.

    A doubtful teacher teaches all the same, where the control cannot take the student's place: the
    student may be what holds the limits. The doubt is said before anything is spent.
    """
    best = bench.best_on_dev()
    doubt = teacher_doubt(bench, best)
    if doubt:
        bench.evaluator.watch.say(f"  {doubt}")
    teacher = teacher_of(bench.evaluator, best, NAME)
    inputs = (*bench.data.train, *bench.data.unlabeled)[: bench.task.training.max_rows]
    with bench.evaluator.models.asking("teacher"):
        outcomes = answer(bench.evaluator, teacher, inputs, "teacher answers", scored=False)
    require_conclusive(outcomes, bench.task.gate, "the teacher's answers")
    taught = [outcome for outcome in outcomes if not outcome.error and outcome.text]
    students = [_generating_student(bench, teacher, taught)] if _has_student(bench) else []
    if bench.data.labels and len(Counter(o.text for o in taught)) > 1:
        students += label_students(bench, taught)
    if not _reads_documents(teacher):
        students += encoder_students(bench, taught)
    return students


def _has_student(bench: Bench) -> bool:
    """Tell whether there are weights to teach: the task's student, or what is cut from the base."""
    return bench.task.models.student is not None or base_is_local(bench.task)


STAGES = (first_stage,)
CHALLENGERS: tuple[Stage, ...] = ()


def _generating_student(bench: Bench, teacher: Candidate, taught: Sequence[Outcome]) -> Candidate:
    """Train the task's student, or a layer-pruned copy of the base, on the teacher's answers.

    Facts that the teacher reads in documents are not in the student's weights: it reads them too.
    Examples only show how to answer, which is what the student learns.
    """
    folder = bench.trainer.student()
    reads = teacher.retrieval
    if reads is not None:
        reads = reads.but(source="documents") if _reads_documents(teacher) else None
    candidate = plain_candidate(bench.evaluator, NAME).but(model=f"hf:{folder}", retrieval=reads)
    rows = training_rows(bench.evaluator, candidate, [(o.sample, o.text) for o in taught])
    recipe = find_recipe("distill_sequence", bench.task.folder)
    build = bench.trainer.train(recipe, bench.trainer.narrowed(folder, rows), rows)
    words = "student of the base" if bench.task.models.student is None else "given student"
    described = named([candidate])[0].description
    return candidate.but(
        model=f"hf:{build.folder}",
        description=f"{words}, {described}",
        build=_with_costs(bench, build, taught),
    )


def _reads_documents(teacher: Candidate) -> bool:
    return teacher.retrieval is not None and teacher.retrieval.source in ("documents", "both")


def encoder_students(bench: Bench, taught: Sequence[Outcome]) -> list[Candidate]:
    """Fine-tune the embedding model to fill in the fields of the teacher's answers.

    Returns:
        nothing where there is no embedding model with a config and a fast tokenizer, or where the
        answers are no fields: texts that have to be written.
    """
    start = bench.trainer.embedding()
    kind = answer_kind(bench.task)
    if start is None or not all((start / name).is_file() for name in ("config.json", TOKENIZER)):
        return []
    try:
        inputs, answers = [o.sample.input for o in taught], [o.text for o in taught]
        form = bench.trainer.fields(inputs, answers, kind)
    except ValueError as error:
        bench.evaluator.watch.say(f"  no encoder can learn this: {error}")
        return []
    rows = label_rows([(o.sample, o.text) for o in taught])
    recipe = find_recipe("student_encoder", bench.task.folder)
    build = bench.trainer.train(recipe, start, rows, {"answer": kind})
    copied = sum(field.copied for field in form.fields)
    fields = f"{len(form.fields)} field{'s' * (len(form.fields) != 1)}"
    return [
        Candidate(
            rung=NAME,
            description=f"encoder, {fields}" + (f", {copied} copied" if copied else ""),
            model=f"encoder:{build.folder}",
            decoding="free",
            build=_with_costs(bench, build, taught),
        )
    ]


def label_students(bench: Bench, taught: Sequence[Outcome]) -> list[Candidate]:
    """Fit linear classifiers on the teacher's labels: no language model is left in them.

    One reads character n-grams; where an embedding model is at hand, another reads its vectors.
    """
    never = unseen_labels(bench.evaluator, [o.text for o in taught])
    if never:
        bench.evaluator.watch.say(f"  the classifiers cannot answer: {never}")
    students = [_linear_student(bench, taught, None, "character n-grams")]
    embedding = bench.trainer.embedding()
    if embedding is not None:
        students.append(_linear_student(bench, taught, embedding, "an embedding"))
    return students


def _linear_student(
    bench: Bench, taught: Sequence[Outcome], embedding: Path | None, reads: str
) -> Candidate:
    rows = label_rows([(o.sample, o.text) for o in taught])
    recipe = find_recipe("student_label", bench.task.folder)
    build = bench.trainer.train(recipe, embedding, rows)
    return Candidate(
        rung=NAME,
        description=f"linear classifier on {reads}",
        model=f"head:{build.folder}",
        decoding="free",
        build=_with_costs(bench, build, taught),
    )


def _with_costs(bench: Bench, build: Build, taught: Sequence[Outcome]) -> Build:
    """Add what the teacher's answers took."""
    tokens = sum(o.completion.tokens_in + o.completion.tokens_out for o in taught)
    seconds = build.seconds + sum(o.completion.seconds for o in taught)
    usd = machine_usd(seconds, bench.task.hardware.usd_per_hour)
    return build.but(teacher_tokens=tokens, seconds=seconds, usd=usd)
