"""Which written rows are kept: new ones, away from the held-out examples, with an agreed answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ladder.engines.base import Completion, Request
from ladder.evidence import Candidate, Retrieval
from ladder.inference.answer import read
from ladder.inference.failures import require_answers
from ladder.inference.forms import as_it_takes, wordings
from ladder.inference.prompts import request_for
from ladder.inference.rewriting import fault_of
from ladder.inference.voting import TEMPERATURE, ballot
from ladder.models.cache import CachedEngine
from ladder.rungs import r2_rag, r3_lora
from ladder.rungs.protocol import Bench
from ladder.samples.duplicates import clusters, like_pairs
from ladder.samples.rows import Sample
from ladder.samples.synthetic import held_out, too_near
from ladder.task import ModelRef
from ladder.training.rows import plain_candidate

NEAREST = 8
"""Training examples that are shown to whoever answers a written input."""


@dataclass(frozen=True)
class Answered:
    """Written rows with their answers, and how many were lost on the way."""

    rows: tuple[Sample, ...]
    unanswered: int
    form: int
    disagreed: int


def unlike(rows: Sequence[Sample], known: Sequence[Sample]) -> list[Sample]:
    """Return the rows without near-duplicates of known rows, or of a row before them."""
    texts = [sample.input for sample in (*known, *rows)]
    first = clusters(len(texts), like_pairs(texts))
    return [row for at, row in enumerate(rows, start=len(known)) if first[at] == at]


def away_from_held_out(bench: Bench, rows: Sequence[Sample]) -> list[Sample]:
    """Return the rows that stand near no row of dev, gate, sealed or reserve."""
    near = too_near(rows, held_out(bench.data))
    return [row for at, row in enumerate(rows) if at not in near]


def answerer(bench: Bench, teacher: ModelRef) -> Candidate:
    """Return who answers written inputs: the teacher, shown the nearest training examples."""
    can = bench.evaluator.models.engine(teacher).abilities
    scores = bench.data.labels and can.scores_choices
    held = bench.evaluator.answer_schema is not None and can.json_schema
    asked = Candidate(
        rung=r2_rag.NAME,
        description="answers to written inputs",
        model=teacher,
        form=plain_candidate(bench.evaluator, r3_lora.NAME).form,
        wording=wordings(bench.evaluator)[0],
        decoding="scored" if scores else "json" if held else "free",
        retrieval=Retrieval(source="examples", k=NEAREST),
    )
    return as_it_takes(bench.evaluator, asked)


def describe_check(bench: Bench) -> str:
    """Say how answers are checked."""
    if bench.data.labels:
        return (
            f"the teacher, shown the {NEAREST} nearest training examples, gives the label asked for"
        )
    return f"the teacher, shown the {NEAREST} nearest training examples, answers twice alike"


def agreed(bench: Bench, teacher: ModelRef, rows: Sequence[Sample]) -> Answered:
    """Answer written inputs, and keep those whose answer is of the form and agreed upon.

    Labels: the row was asked for by its label; whoever reads the input alone must come to the
    same one. Other answers: the likeliest is kept where a drawn one is the same (`voting.ballot`).
    """
    candidate = answerer(bench, teacher)
    engine = bench.evaluator.models.engine(teacher)
    bench.evaluator.retriever.prepare(candidate.retrieval, rows)
    likeliest = [request_for(bench.evaluator, candidate, row, engine) for row in rows]
    labels = bench.data.labels
    drawn = [replace(r, temperature=TEMPERATURE, sample=1) for r in likeliest if not labels]
    found = ask(bench, engine, [*likeliest, *drawn], "checking the answers")
    kept, unanswered, form, disagreed = [], 0, 0, 0
    for at, row in enumerate(rows):
        given = [found[at], *found[at + len(rows) :: len(rows)]]
        if any(completion.error for completion in given):
            unanswered += 1
            continue
        first, *others = [read(candidate, likeliest[at].choices, one).strip() for one in given]
        if not first or fault_of(bench.task.answer, labels, bench.evaluator.answer_schema, first):
            form += 1
            continue
        wanted = others or [row.target]
        if len({ballot(bench.task.answer, labels, text) for text in (first, *wanted)}) > 1:
            disagreed += 1
            continue
        kept.append(row if labels else replace(row, target=first))
    return Answered(tuple(kept), unanswered, form, disagreed)


def ask(
    bench: Bench, engine: CachedEngine, requests: Sequence[Request], title: str
) -> list[Completion]:
    """Return the completions of requests, in their order.

    Raises:
        NoVerdictError: too many failed: what is left is what the outage let through.
    """
    found: dict[int, Completion] = {}
    with bench.evaluator.watch.step(title, len(requests)) as advance:
        for at, completion in engine.complete(requests):
            found[at] = completion
            advance(len(found))
    completions = [found[at] for at in range(len(requests))]
    require_answers(completions, bench.task.gate, title)
    return completions
