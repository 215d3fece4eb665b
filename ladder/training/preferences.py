"""What preference programs learn from: the task's own pairs, or pairs made of scored answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ladder.errors import DataError, Problem
from ladder.evidence import Candidate
from ladder.files import digest_of
from ladder.gate.judged import RIGHT_FROM
from ladder.inference.answer import read
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_answers
from ladder.inference.judge import gated_scores
from ladder.inference.prompts import request_for
from ladder.samples.preferences import Preference
from ladder.samples.rows import Sample
from ladder.training.recipes import RowKind
from ladder.training.rows import prompt_of, reply_to

DRAWS = 3
"""Answers that a row's wrong one is looked for in: the likeliest, then drawn ones."""
TEMPERATURE = 1.0
"""Of the drawn ones: from the model as it is."""


def preference_rows(
    evaluator: Evaluator, candidate: Candidate, given: Sequence[Preference], kind: RowKind
) -> tuple[list[dict[str, Any]], str]:
    """Return rows for a preference program, and a line that says where they come from.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: how the model will be asked.
        given: what the task's `data.preferences` holds; without any, pairs are made.
        kind: `pairs` or `graded`.

    Raises:
        DataError: pairs are wanted and the file has single answers, or only one kind of answer is
            there, or the base model gave no wrong answer.
    """
    if given:
        preferences, told = _unseen(evaluator, given)
        _enough(evaluator, preferences, kind)
    else:
        preferences, told = made_pairs(evaluator, candidate)
    return [row for each in preferences for row in _as_rows(evaluator, candidate, each, kind)], told


def made_pairs(evaluator: Evaluator, candidate: Candidate) -> tuple[list[Preference], str]:
    """Pair each training example's target with a wrong answer that the base model gives to it.

    Raises:
        DataError: the base model answers every row rightly.
    """
    samples = evaluator.data.train[: evaluator.task.training.max_rows]
    wrong: dict[str, str] = {}
    for draw in range(DRAWS if candidate.decoding == "free" else 1):  # labels are not drawn
        left = [sample for sample in samples if sample.id not in wrong]
        for sample, text in _wrong_answers(evaluator, candidate, left, draw):
            wrong[sample.id] = text
    pairs = [Preference(s.input, s.target, wrong[s.id]) for s in samples if s.id in wrong]
    if not pairs:
        got = f"no wrong answer of {evaluator.task.models.base} to {len(samples)} training examples"
        fix = "Give pairs of your own: data: {preferences: FILE}, with input, chosen, rejected."
        raise DataError(
            [Problem(f"{evaluator.task.source}: data", got, "pairs to learn from", fix)]
        )
    told = f"pairs: {len(pairs)} of {len(samples)} training examples; rejected is a wrong answer of"
    return pairs, f"{told} {evaluator.task.models.base}"


def _wrong_answers(
    evaluator: Evaluator, candidate: Candidate, samples: Sequence[Sample], draw: int
) -> Iterator[tuple[Sample, str]]:
    """Yield the answers that the scorer calls wrong; an empty one is no answer to learn from."""
    engine = evaluator.engine(candidate)
    evaluator.retriever.prepare(candidate.retrieval, samples)
    temperature = TEMPERATURE if draw else 0.0
    requests = [
        replace(
            request_for(evaluator, candidate, sample, engine), temperature=temperature, sample=draw
        )
        for sample in samples
    ]
    given: list[tuple[Sample, str]] = []
    completions = []
    with evaluator.watch.step(f"wrong answers, draw {draw + 1}", len(samples)) as advance:
        for done, (at, completion) in enumerate(engine.complete(requests), start=1):
            completions.append(completion)
            text = read(candidate, requests[at].choices, completion).strip()
            if completion.error is None and text:
                given.append((samples[at], text))
            advance(done)
    require_answers(completions, evaluator.task.gate, "wrong answers to learn from")
    for (sample, text), score in zip(given, gated_scores(evaluator, given), strict=True):
        differs = all(text.split() != target.split() for target in sample.targets)
        if score is not None and score < RIGHT_FROM and differs:
            yield sample, text


def _unseen(evaluator: Evaluator, given: Sequence[Preference]) -> tuple[list[Preference], str]:
    """Leave out what asks a held-out question: it would be learnt and then measured."""
    splits = evaluator.data
    to_choose_by = {sample.input for sample in splits.dev}
    held = (*splits.gate, *splits.sealed, *splits.reserve, *splits.leaked)
    to_measure_by = {sample.input for sample in held}
    dev = sum(each.input in to_choose_by for each in given)
    kept = [each for each in given if each.input not in to_choose_by | to_measure_by]
    out = len(given) - len(kept)
    told = f"preferences: {len(kept)} of {evaluator.task.data.preferences}"
    if out:
        told += (
            f", {out} left out: {dev} ask what dev examples ask, {out - dev} what eval examples ask"
        )
    return kept, told


def _enough(evaluator: Evaluator, rows: Sequence[Preference], kind: RowKind) -> None:
    where = f"{evaluator.task.source}: data.preferences"
    if kind == "pairs":
        single = sum(not row.is_pair for row in rows)
        if single or not rows:
            got = f"{single} of {len(rows)} rows without a `rejected` answer to the same input"
            fix = "Add the column, or take the kto recipe: it learns from single answers."
            raise DataError([Problem(where, got, "`input`, `chosen` and `rejected`", fix)])
        return
    wanted, unwanted = sum(bool(r.chosen) for r in rows), sum(bool(r.rejected) for r in rows)
    if not (wanted and unwanted):
        got = f"{wanted} wanted answers and {unwanted} unwanted ones"
        fix = "Add the other kind; wanted answers alone are targets: put them in data.train."
        raise DataError([Problem(where, got, "answers of both kinds", fix)])


def _as_rows(
    evaluator: Evaluator, candidate: Candidate, row: Preference, kind: RowKind
) -> Iterator[dict[str, Any]]:
    """Yield what a program reads: one pair, or each of its answers with its mark."""
    engine = evaluator.engine(candidate)
    # What a search finds is kept by a row's id: each input has one of its own.
    asked = Sample(id=f"preference {digest_of(row.input)}", input=row.input, target="")
    request = request_for(evaluator, candidate, asked, engine)
    prompt = prompt_of(request)
    chosen, rejected = reply_to(request, row.chosen), reply_to(request, row.rejected)
    if kind == "pairs":
        yield {"prompt": prompt, "chosen": chosen, "rejected": rejected}
        return
    if row.chosen:
        yield {"prompt": prompt, "completion": chosen, "label": True}
    if row.rejected:
        yield {"prompt": prompt, "completion": rejected, "label": False}
