"""`ladder check`: everything that can be known about a task before anything is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from ladder.climb.own_code import named_code
from ladder.climb.preflight import (
    preflight,
)
from ladder.commands.trust import how_named
from ladder.engines import is_served
from ladder.errors import TaskError
from ladder.progress import Quiet
from ladder.report.data import documents, train_rows
from ladder.retrieval.stores.qdrant import KEY_VARIABLE, qdrant_place
from ladder.rungs import LADDER
from ladder.samples.answer_schema import fault_in, schema_of
from ladder.samples.columns import column_lines
from ladder.samples.data import Data
from ladder.samples.describe import describe_data, headline, odd_targets, refuse_untestable
from ladder.samples.loading import load_data
from ladder.scorers import MODEL_SCORERS, ModelScorer, Scorer, make_scorer, runs_code
from ladder.task import ModelRef, Task, is_url, load_task, store_parts
from ladder.trust.keys import about_key, place_at
from ladder.wording import harmless

SAMPLES_SHOWN = 3
INPUT_SHOWN, ANSWER_SHOWN = 100, 60
"""Characters of an example."""

TERSE_WORDS = 6


def check_task(path: Path, data_root: Path | None) -> list[str]:
    """Return what is known about a task, line by line.

    Raises:
        TaskError, DataError: with every mistake found.
    """
    task = load_task(path, data_root)
    problems = preflight(task)
    if problems:
        raise TaskError(problems)
    where = f"{task.source}: score"
    scorers = [None if runs_code(each) else make_scorer(each, where) for each in task.score]
    code = named_code(task)
    data = load_data(task, None, Quiet())
    report = describe_data(task, data)
    refuse_untestable(task, report)
    return [
        f"{task.source}: no mistake found",
        f"{train_rows(report)} · {report.dev} dev · {report.gate} eval · {report.sealed} test · "
        f"{report.reserve} in reserve · {documents(report)}",
        headline(task, report),
        *_keys(task),
        *(how_named(named, task.consent) for named in code),
        *(f"set aside, like an earlier row: {pair}" for pair in report.set_aside[:5]),
        *(f"repeats a training example: {pair}" for pair in report.contaminated[:5]),
        *([f"… and {more} more"] if (more := len(report.contaminated) - 5) > 0 else []),
        *(f"contradicts an earlier row: {pair}" for pair in report.contradictions[:5]),
        *([f"… and {more} more"] if (more := report.contradicting - 5) > 0 else []),
        *(
            f"rewords a training example, with another answer: {pair}"
            for pair in report.reworded[:3]
        ),
        *column_lines(data.files),
        *_shown_samples(data),
        *odd_targets(task, data),
        *_optional_columns(task, data),
        *_blind_spots(task, data, scorers[0]),
        *_shape(task, data),
    ]


def _shown_samples(data: Data) -> Iterator[str]:
    """Show the first examples as a model sees them, each on one line."""
    for sample in (*data.train, *data.dev, *data.gate)[:SAMPLES_SHOWN]:
        answers = " | ".join(harmless(target, ANSWER_SHOWN) for target in sample.targets)
        yield f"e.g. {sample.id}: {harmless(sample.input, INPUT_SHOWN)} -> {answers}"


def _optional_columns(task: Task, data: Data) -> Iterator[str]:
    """Say what kinds of rows there are, and which mapped column no held-out example has."""
    held = [*data.dev, *data.gate, *data.sealed]
    kinds = Counter(sample.stratum for sample in held if sample.stratum)
    if kinds:
        counted = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(8))
        yield f"kinds of examples (dev, eval and test): {counted}"
    there = {
        "stratum": bool(kinds),
        "group": any(sample.group for sample in held),
        "time": any(sample.time for sample in held),
        "doc_ids": any(sample.doc_ids for sample in held),
    }
    for name, column in task.data.columns.items():
        if not there.get(name, True):
            yield f"warning: data.columns.{name}: no held-out example has `{column}`"


def _keys(task: Task) -> Iterator[str]:
    """Say of each endpoint which key would be sent, by the name of its variable."""
    asking = [choice for choice in task.score if choice.name in MODEL_SCORERS]
    judges = {f"score.{each.name}.model": each.parameters.get("model") for each in asking}
    for role, reference in {**task.models.model_dump(), **judges}.items():
        ref = ModelRef(reference) if reference else None
        if ref and ref.place and is_served(ref):
            place = place_at(ref.place)
            yield f"{role}: {harmless(ref.name, 80)} at {place}: {about_key(place)}"
    store = store_parts(task.data.store)[1] if task.data.store else ""
    if is_url(store):
        place = qdrant_place(store)
        yield f"data.store: {place}: {about_key(place, KEY_VARIABLE)}"


def _blind_spots(task: Task, data: Data, scorer: Scorer | ModelScorer | None) -> Iterator[str]:
    """Say when the score cannot see what the task asks; code of the task's own is not run."""
    targets = [sample.target for sample in (*data.dev, *data.gate)]
    if isinstance(scorer, ModelScorer):
        if not task.data.graded:
            yield "warning: a judge scores; without data.graded nobody knows if people agree"
    else:
        if task.data.graded:
            yield "note: data.graded is used only where `judge` is the first scorer"
        if scorer and not all(scorer(target, target).value == 1 for target in targets):
            yield "warning: the scorer does not give a target full marks against itself"
    if task.answer.type == "text" and task.score[0].name == "exact_match":
        words = fmean(len(target.split()) for target in targets)
        if words > TERSE_WORDS:
            yield (
                f"warning: targets have {words:.0f} words on average and exact_match wants every "
                "one of them; token_f1 sees partly right answers"
            )
        else:
            yield (
                "note: exact_match counts a right answer inside a sentence as wrong; "
                "contains or token_f1 sees it"
            )
    there = {document.source for document in data.documents}
    named = [sample for sample in data.gate if sample.doc_ids]
    lost = [sample for sample in named if not there & set(sample.doc_ids)]
    if lost:
        yield (
            f"warning: {len(lost)} of the {len(named)} eval examples with doc_ids name no document "
            f"that is there, e.g. row {lost[0].id}: {lost[0].doc_ids[0]}; of these nothing can "
            "tell whether search or skill is to blame"
        )
    yield from _nothing_to_try(task, data)


def _nothing_to_try(task: Task, data: Data) -> Iterator[str]:
    """Say that no rung of the task can be tried with this data."""
    named = [rung for rung in LADDER if rung.NAME in task.rungs]
    if all(rung.needs(task, data) for rung in named):
        reads = "" if data.documents else "no "
        yield (
            f"warning: no rung of this task can be tried ({', '.join(task.rungs)}): there are "
            f"{len(data.train)} training examples and {reads}documents"
        )


def _shape(task: Task, data: Data) -> Iterator[str]:
    """Say how many right answers a schema-constrained model could not give."""
    if task.answer.type != "json":
        return
    held = [*data.dev, *data.gate, *data.sealed]
    schema, source = task.answer.json_schema, "answer.schema"
    if schema is None:
        schema, source = (
            schema_of(t for row in data.train for t in row.targets),
            "the training examples' shape",
        )
    if schema is None:
        yield "note: no training target is JSON: answers are not held to a schema"
        return
    faults = [
        (row.id, fault)
        for row in held
        if (fault := next(filter(None, (fault_in(one, schema) for one in row.targets)), ""))
    ]
    if faults:
        row, fault = faults[0]
        many = f"{len(faults)} of {len(held)} held-out targets"
        yield f"warning: {many} are not in {source}, e.g. {row}: {fault}"
