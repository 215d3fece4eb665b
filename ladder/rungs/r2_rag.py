"""Rung 2: the same model, reading the documents or the examples nearest to the question."""

from __future__ import annotations

from itertools import product
from typing import Literal

from ladder.evidence import Candidate, Gap, Retrieval
from ladder.inference.forms import (
    CALIBRATIONS,
    DOCUMENT_COUNTS,
    held_to_schema,
    named,
    wordings,
)
from ladder.inference.prompts import MANY_LABELS
from ladder.rungs.protocol import Bench, Stage, Trains
from ladder.rungs.r1_prompt import letters_stage
from ladder.samples.data import Data
from ladder.selection.demonstrations import spread_shots
from ladder.task import RungName, Task

NAME: RungName = "rag"
TRAINS: Trains = "nothing"
FIXES: frozenset[Gap] = frozenset({"context", "skill"})

EXAMPLE_COUNTS = (4, 8)
MORE_EXAMPLES = 14
LEAST_EXAMPLES = 8
SHOTS = (2, 4)


def needs(task: Task, data: Data) -> str | None:
    """Reading needs something to read."""
    if data.documents or len(data.train) >= LEAST_EXAMPLES:
        return None
    return (
        "there is nothing to read: no documents, and too few training examples to show as examples"
    )


def unavailable(bench: Bench) -> str | None:
    """It needs nothing of the machine."""
    return None


def pointless(bench: Bench) -> str | None:
    """It is worth trying whatever was measured before."""
    return None


def first_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Return what is read and how much of it, in the form that won the prompt rung."""
    forms = _forms(bench)
    found = []
    for form, retrieval in product(forms, _retrievals(bench)):
        narrow = retrieval.source == "examples" and form.decoding == "scored"
        if not (narrow and len(bench.data.labels) > MANY_LABELS):
            found.append(form.but(retrieval=retrieval))
        if narrow:
            update = {"retrieval": retrieval.but(narrow=True)}
            found.append(form.but(**update))
    return named(found)


def second_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Return the winner with more examples, shots, both sources, calibration, schema, no goal."""
    if incumbent is None or incumbent.retrieval is None:
        return []
    found = held_to_schema(bench.evaluator, incumbent)
    retrieval = incumbent.retrieval
    if retrieval.source == "examples":
        more = retrieval.but(k=MORE_EXAMPLES)
        found.append(incumbent.but(retrieval=more))
        if bench.data.documents:
            both = retrieval.but(source="both", narrow=False, k=3)
            found.append(incumbent.but(retrieval=both))
    elif bench.data.train:
        found += [incumbent.but(shots=spread_shots(bench.evaluator, k)) for k in SHOTS]
    if incumbent.form == "plain":
        found.append(incumbent.but(with_goal=not incumbent.with_goal))
    if incumbent.decoding == "scored" and not retrieval.narrow:
        found += [
            incumbent.but(calibration=calibration)
            for calibration in CALIBRATIONS
            if calibration != incumbent.calibration
        ]
        found.append(incumbent.but(scoring="mean", calibration="none"))
    return named(found)


STAGES = (first_stage, second_stage)
CHALLENGERS: tuple[Stage, ...] = (letters_stage,)


def _forms(bench: Bench) -> list[Candidate]:
    """Return the forms to read in: the prompt rung's winner, and the other of chat and plain."""
    base = Candidate(rung=NAME, description="", model=bench.task.models.base)
    can = bench.evaluator.engine(base).abilities
    prompt = bench.history.at("prompt")
    won = prompt.candidate if prompt else None
    if won and won.by_letter:
        won = None  # its goal goes with its list of options: it says nothing of the other forms
    scoring = bool(bench.data.labels) and can.scores_choices
    answer: Literal["scored", "free"] = "scored" if scoring else "free"
    update: dict[str, object] = {"answer": answer, "with_goal": bool(won and won.with_goal)}
    if won and won.instruction:
        update["instruction"] = won.instruction
    forms = [base.but(**update, form="chat")] if can.chat else []
    if can.plain:
        wording = won.wording if won and won.form == "plain" else wordings(bench.evaluator)[0]
        forms.append(base.but(**update, form="plain", wording=wording))
        usual = wordings(bench.evaluator)[0]
        if wording != usual:
            forms.append(base.but(**update, form="plain", wording=usual))
    return forms


def _retrievals(bench: Bench) -> list[Retrieval]:
    methods: tuple[Literal["bm25", "dense", "hybrid"], ...] = ("bm25",)
    if bench.task.models.embedding:
        methods = ("bm25", "dense", "hybrid")
    found = []
    for method in methods:
        if bench.data.documents:
            found += [Retrieval(source="documents", method=method, k=k) for k in DOCUMENT_COUNTS]
        if len(bench.data.train) >= LEAST_EXAMPLES:
            found += [Retrieval(source="examples", method=method, k=k) for k in EXAMPLE_COUNTS]
    return found
