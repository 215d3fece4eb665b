"""`ladder check`: everything that can be known about a task before anything is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal

from ladder.climb.lengths import length_warnings
from ladder.climb.own_code import named_code
from ladder.climb.preflight import (
    preflight,
)
from ladder.commands.trust import how_named
from ladder.engines import Greeted, is_served, kind_of
from ladder.errors import TaskError
from ladder.language.stems import in_words
from ladder.language.words import comparable, count_words, has_no_spaces
from ladder.progress import Quiet
from ladder.report.data import documents, train_rows
from ladder.retrieval.retriever import searched_languages, searched_texts
from ladder.retrieval.stores.qdrant import KEY_VARIABLE, qdrant_place
from ladder.rungs import LADDER
from ladder.samples.answer_schema import fault_in, schema_of
from ladder.samples.columns import column_lines
from ladder.samples.data import Data
from ladder.samples.describe import describe_data, headline, odd_targets, refuse_untestable
from ladder.samples.loading import load_data
from ladder.samples.rows import Sample
from ladder.scorers import MODEL_SCORERS, ModelScorer, Scorer, fitted, make_scorer, runs_code
from ladder.scorers.number import Number
from ladder.scorers.proving import fooled, read_in_two_ways
from ladder.task import ModelRef, Task, is_url, load_task, store_parts
from ladder.trust.keys import about_key, key_for, place_at
from ladder.wording import harmless

TERSE_WORDS = 6
GREETING_SECONDS = 10.0
"""That an endpoint has to answer a greeting."""
Greet = Literal["none", "known", "all"]
"""Known are this machine and the places that the user's own configuration sends a key to: a task
from somebody else makes nobody else be asked."""
SAMPLES_SHOWN = 3
INPUT_SHOWN, ANSWER_SHOWN = 100, 60
"""Characters of an example."""
SEEN_TEXTS = 50
"""Texts that tell whether spaces part words."""


def check_task(path: Path, data_root: Path | None, greet: Greet = "none") -> list[str]:
    """Return what is known about a task, line by line.

    Args:
        path: of task.yaml.
        data_root: folder that data files are looked up in, where it is not the task's.
        greet: which endpoints are sent a greeting, to see what answers there.

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
    greeted = list(_greeted(task, greet))
    told = {greeting.context for role, greeting, _ in greeted if role == "base"} - {None}
    return [
        f"{task.source}: no mistake found",
        f"{train_rows(report)} · {report.dev} dev · {report.gate} eval · {report.sealed} test · "
        f"{report.reserve} in reserve · {documents(report)}",
        headline(task, report),
        *_keys(task),
        *(words for _, _, words in greeted),
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
        *_searched_by(task, data),
        *_blind_spots(task, data, scorers[0]),
        *_fooled(task, data, scorers),
        *_shape(task, data),
        *length_warnings(task, data, next(iter(told), None)),
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


def _endpoints(task: Task) -> Iterator[tuple[str, ModelRef, str]]:
    """Yield the models that are answered by a server: role, reference, URL."""
    asking = [choice for choice in task.score if choice.name in MODEL_SCORERS]
    judges = {f"score.{each.name}.model": each.parameters.get("model") for each in asking}
    for role, reference in {**task.models.model_dump(), **judges}.items():
        ref = ModelRef(reference) if reference else None
        if ref and ref.place and is_served(ref):
            yield role, ref, ref.place


def _greeted(task: Task, greet: Greet) -> Iterator[tuple[str, Greeted, str]]:
    """Yield each endpoint's role and answer, and how it is said; it may well not be up yet."""
    greeted: set[ModelRef] = set()
    for role, ref, url in _endpoints(task) if greet != "none" else ():
        kind, place = kind_of(ref), place_at(url)
        if ref in greeted or kind is None or kind.greet is None:
            continue
        greeted.add(ref)
        where = f"{role}: {harmless(ref.name, 80)} at {place}"
        if greet == "all" or place.here or key_for(place):
            seconds = min(GREETING_SECONDS, task.rules.request_timeout_s)
            found = kind.greet(ref.name, url, seconds)
            yield role, found, f"{'' if found.there else 'warning: '}{where}: {found.words}"
        else:
            said = f"note: {where} is not known to your configuration; --connect greets it"
            yield role, Greeted(False, ""), said


def _keys(task: Task) -> Iterator[str]:
    """Say of each endpoint which key would be sent, by the name of its variable."""
    for role, ref, url in _endpoints(task):
        place = place_at(url)
        yield f"{role}: {harmless(ref.name, 80)} at {place}: {about_key(place)}"
    store = store_parts(task.data.store)[1] if task.data.store else ""
    if is_url(store):
        place = qdrant_place(store)
        yield f"data.store: {place}: {about_key(place, KEY_VARIABLE)}"


def _blind_spots(task: Task, data: Data, scorer: Scorer | ModelScorer | None) -> Iterator[str]:
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
    yield from _nothing_to_try(task, data)


def _searched_by(task: Task, data: Data) -> Iterator[str]:
    """Say by which stems documents and training examples are searched."""
    texts = searched_texts(data)
    how: dict[str, list[str]] = {}
    for source, language in searched_languages(task, texts).items():
        if texts[source] and "rag" in task.rungs:
            unspaced = has_no_spaces(" ".join(texts[source][:SEEN_TEXTS]))
            by = "characters and pairs of them" if unspaced else in_words(language)
            how.setdefault(by, []).append(source)
    other = "set data.language if they are in another language"
    told = "as data.language says" if task.data.language else other
    for by, searched in how.items():
        yield f"search by words: {' and '.join(searched)} by {by}; {told}"


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


def _fooled(
    task: Task, data: Data, scorers: Sequence[Scorer | ModelScorer | None]
) -> Iterator[str]:
    """Say on which of the task's own targets a scorer is fooled; its own code is not run."""
    for choice, scorer in zip(task.score, scorers, strict=True):
        ready = fitted(scorer, data.targets) if scorer else None
        if ready and not isinstance(ready, ModelScorer):
            samples = (*data.observed, *data.dev, *data.gate, *data.sealed)
            yield from _fooled_lines(choice.name, ready, samples)


def _fooled_lines(name: str, scorer: Scorer, samples: Sequence[Sample]) -> Iterator[str]:
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
