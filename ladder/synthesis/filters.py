"""Which written rows are kept: new ones, away from the held-out rows, with an agreed answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ladder.engines.base import Completion, Request
from ladder.engines.cache import CachedEngine
from ladder.evidence import Candidate, Retrieval
from ladder.inference.answer import read
from ladder.inference.evaluator import Climb
from ladder.inference.failures import require_answers
from ladder.inference.forms import wordings
from ladder.inference.prompts import request_for
from ladder.inference.rewriting import fault_of
from ladder.inference.voting import TEMPERATURE, ballot
from ladder.rungs import r3_lora
from ladder.samples.duplicates import clusters, like_pairs
from ladder.samples.rows import Sample
from ladder.samples.synthetic import held_out, too_near
from ladder.training.rows import plain_candidate

NEAREST = 8
"""Training rows that are shown to whoever answers a written input."""


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


def away_from_held_out(climb: Climb, rows: Sequence[Sample]) -> list[Sample]:
    """Return the rows that stand near no row of dev, gate, sealed or reserve."""
    near = too_near(rows, held_out(climb.splits))
    return [row for at, row in enumerate(rows) if at not in near]


def answerer(climb: Climb, teacher: str) -> Candidate:
    """Return who answers written inputs: the teacher, shown the nearest training rows."""
    can = climb.engine(teacher).abilities
    scores = climb.splits.labels and can.scores_choices
    held = climb.answer_schema is not None and can.json_schema
    return Candidate(
        rung="rag",
        technique="answers to written inputs",
        model=teacher,
        form=plain_candidate(climb, r3_lora.NAME).form if can.plain else "chat",
        wording=wordings(climb)[0],
        answer="scored" if scores else "json" if held else "free",
        retrieval=Retrieval(source="examples", k=NEAREST),
    )


def describe_check(climb: Climb) -> str:
    """Say how answers are checked."""
    if climb.splits.labels:
        return f"the teacher, shown the {NEAREST} nearest training rows, gives the label asked for"
    return f"the teacher, shown the {NEAREST} nearest training rows, answers twice alike"


def agreed(climb: Climb, teacher: str, rows: Sequence[Sample]) -> Answered:
    """Answer written inputs, and keep those whose answer is of the form and agreed upon.

    Labels: the row was asked for by its label; whoever reads the input alone must come to the
    same one. Other answers: the likeliest is kept where a drawn one is the same (`voting.ballot`).
    """
    candidate = answerer(climb, teacher)
    engine = climb.engine(teacher)
    climb.library.prepare(candidate.retrieval, rows)
    likeliest = [request_for(climb, candidate, row, engine) for row in rows]
    labels = climb.splits.labels
    drawn = [replace(r, temperature=TEMPERATURE, sample=1) for r in likeliest if not labels]
    found = ask(climb, engine, [*likeliest, *drawn], "checking the answers")
    kept, unanswered, form, disagreed = [], 0, 0, 0
    for at, row in enumerate(rows):
        given = [found[at], *found[at + len(rows) :: len(rows)]]
        if any(completion.error for completion in given):
            unanswered += 1
            continue
        first, *others = [read(candidate, likeliest[at], one).strip() for one in given]
        if not first or fault_of(climb.task.answer, labels, climb.answer_schema, first):
            form += 1
            continue
        wanted = others or [row.target]
        if len({ballot(climb.task.answer, labels, text) for text in (first, *wanted)}) > 1:
            disagreed += 1
            continue
        kept.append(row if labels else replace(row, target=first))
    return Answered(tuple(kept), unanswered, form, disagreed)


def ask(
    climb: Climb, engine: CachedEngine, requests: Sequence[Request], title: str
) -> list[Completion]:
    """Return the completions of requests, in their order.

    Raises:
        NoVerdictError: too many failed: what is left is what the outage let through.
    """
    found: dict[int, Completion] = {}
    with climb.watch.step(title, len(requests)) as advance:
        for at, completion in engine.complete(requests):
            found[at] = completion
            advance(len(found))
    completions = [found[at] for at in range(len(requests))]
    require_answers(completions, climb.task.gate, title)
    return completions
