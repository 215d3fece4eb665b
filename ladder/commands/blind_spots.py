"""What a task's score cannot see, and on which of its own targets its scorers are fooled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from ladder.language.words import comparable, count_words
from ladder.samples.data import Data
from ladder.samples.proposing import TERSE_WORDS
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer, Scorer, fitted
from ladder.scorers.number import Number
from ladder.scorers.proving import fooled, read_in_two_ways
from ladder.task import Task
from ladder.wording import harmless


def blind_spots(task: Task, data: Data, scorer: Scorer | ModelScorer | None) -> Iterator[str]:
    """Say when the score cannot see what the task asks; code of the task's own is not run."""
    if isinstance(scorer, ModelScorer):
        if not task.data.graded:
            yield "warning: a judge scores; without data.graded nobody knows if people agree"
    else:
        if task.data.graded:
            yield "note: data.graded is used only where `judge` is the first scorer"
    if task.score[0].name == "exact_match":
        yield from _strict(task, data)
    there = {document.source for document in data.documents}
    named = [sample for sample in data.gate if sample.doc_ids]
    lost = [sample for sample in named if not there & set(sample.doc_ids)]
    if lost:
        yield (
            f"warning: {len(lost)} of the {len(named)} eval examples with doc_ids name no document "
            f"that is there, e.g. row {lost[0].id}: {lost[0].doc_ids[0]}; of these nothing can "
            "tell whether search or skill is to blame"
        )


def _strict(task: Task, data: Data) -> Iterator[str]:
    """Say what exact_match counts as wrong that a reader would not."""
    targets = [sample.target for sample in (*data.dev, *data.gate)]
    if task.answer.type == "json":
        yield (
            "warning: exact_match wants the keys and spaces of a JSON answer as the target has "
            "them; json_fields compares the values"
        )
    if task.answer.type == "label":
        yield from _same_but_for_case(data)
    if task.answer.type != "text":
        return
    words = fmean(count_words(target) for target in targets)
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


def _same_but_for_case(data: Data) -> Iterator[str]:
    """Name labels that a reader takes for one: they differ in case, width or quotes alone."""
    rows: dict[str, dict[str, str]] = {}
    for row in (*data.observed, *data.dev, *data.gate, *data.sealed):
        for target in row.targets:
            rows.setdefault(comparable(target), {}).setdefault(target, row.id)
    for same in (labels for labels in rows.values() if len(labels) > 1):
        named = ", ".join(f"`{harmless(label, 40)}` (row {row})" for label, row in same.items())
        yield (
            f"warning: {len(same)} labels differ in case or form alone and count as different: "
            f"{named}; write them alike, or set {{exact_match: {{lowercase: true}}}}"
        )


def fooled_lines(
    task: Task, data: Data, scorers: Sequence[Scorer | ModelScorer | None]
) -> Iterator[str]:
    """Say on which of the task's own targets a scorer is fooled; its own code is not run."""
    for choice, scorer in zip(task.score, scorers, strict=True):
        ready = fitted(scorer, data.targets) if scorer else None
        if ready and not isinstance(ready, ModelScorer):
            samples = (*data.observed, *data.dev, *data.gate, *data.sealed)
            yield from _of_scorer(choice.name, ready, samples)


def _of_scorer(name: str, scorer: Scorer, samples: Sequence[Sample]) -> Iterator[str]:
    found = fooled(scorer, samples)
    if found.unmatched:
        first, many = found.unmatched[0], len(found.unmatched)
        yield (
            f"warning: {name} gives {many} targets no full marks against themselves, e.g. "
            f"`{harmless(first.target, 60)}` (row {first.row}): no answer to them can be right"
        )
    if found.empty:
        first, many = found.empty[0], len(found.empty)
        yield (
            f"warning: {name} gives an empty answer full marks against {many} targets, e.g. "
            f"`{harmless(first.target, 60)}` (row {first.row})"
        )
    if found.alike:
        first, many = found.alike[0], len(found.alike)
        yield (
            f"warning: {name} gives full marks to wrong answers: {many} pairs of unlike targets, "
            f"e.g. the answer `{harmless(first.answer, 60)}` (row {first.other_row}) where "
            f"`{harmless(first.target, 60)}` is right (row {first.row})"
        )
    if isinstance(scorer, Number) and not scorer.given:
        for row, values in read_in_two_ways(samples)[:1]:
            point, comma = (f"{value:.10g}" for value in values)
            yield (
                f"warning: `{harmless(row.target, 60)}` (row {row.id}) is {point} with a decimal "
                f"point and {comma} with a decimal comma, and the targets do not tell which; it is "
                f'read as {point}; name the mark: score: {{number: {{decimal: "."}}}} or ","'
            )
