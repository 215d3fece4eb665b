"""`ladder check`: everything that can be known about a task before anything is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ladder.climb.lengths import length_warnings
from ladder.climb.own_code import named_code
from ladder.climb.preflight import gate_warnings, preflight
from ladder.commands.blind_spots import blind_spots, fooled_lines
from ladder.commands.endpoints import Greet, greeted, key_lines, supported
from ladder.commands.trust import how_named
from ladder.engines import model_folder
from ladder.engines.embedding import foreign_share
from ladder.errors import EngineError, MissingExtraError, TaskError
from ladder.evaluation.out_of_scope import beside
from ladder.evidence import DataReport
from ladder.language.stems import in_words
from ladder.language.words import has_no_spaces
from ladder.progress import Quiet
from ladder.report.data import documents, train_rows
from ladder.retrieval.retriever import searched_languages, searched_texts
from ladder.rungs import LADDER
from ladder.samples.answer_schema import fault_in, schema_of
from ladder.samples.columns import column_lines
from ladder.samples.data import Data
from ladder.samples.describe import (
    describe_data,
    example_line,
    headline,
    odd_targets,
    refuse_untestable,
)
from ladder.samples.loading import load_data
from ladder.scorers import make_scorer, runs_code
from ladder.task import Task, load_task
from ladder.tracking.reporting import missing_extras

SAMPLES_SHOWN, PAIRS_SHOWN = 3, 5
SEEN_TEXTS = 50
"""Texts that tell whether spaces part words, and whether an embedding model knows them."""
FOREIGN = 0.3
"""Share of tokens that say nothing, from which a model was not made for a language: the bundled
English embedder has 1 % in English, 11 % in German, 67 to 95 % in Chinese, Arabic and Thai."""


def check_task(
    path: Path,
    data_root: Path | None,
    greet: Greet = "none",
    *,
    climbs: bool = False,
    abilities: bool = False,
) -> list[str]:
    """Return what is known about a task, line by line.

    Args:
        path: of task.yaml.
        data_root: folder that data files are looked up in, where it is not the task's.
        greet: which endpoints are sent a greeting, to see what answers there.
        climbs: as `assess --until` and `--climb` do: no control ends the climb.
        abilities: those that are greeted are also asked what they support.

    Raises:
        TaskError, DataError: with every mistake found.
    """
    task = load_task(path, data_root)
    task = task.climbing() if climbs else task
    problems = preflight(task)
    if problems:
        raise TaskError(problems)
    where = f"{task.source}: score"
    scorers = [None if runs_code(each) else make_scorer(each, where) for each in task.score]
    code = named_code(task)
    data = load_data(task, None, Quiet())
    report = describe_data(task, data)
    refuse_untestable(task, report)
    answers = list(greeted(task, greet))
    told = {greeting.context for role, greeting, _ in answers if role == "base"} - {None}
    return [
        f"{task.source}: no mistake found",
        f"{train_rows(report)} · {report.dev} dev · {report.gate} eval · {report.sealed} test · "
        f"{report.reserve} in reserve · {documents(report)}"
        + (f" · {report.out_of_scope} out of scope" if report.out_of_scope else ""),
        headline(task, report),
        *_threshold_rows(data),
        *_fewer_rows_do(task, data),
        *gate_warnings(task, data),
        *(f"warning: report_to: {missing}" for missing in missing_extras(task)),
        *key_lines(task),
        *(words for _, _, words in answers),
        *(supported(task, greet, data.labels) if abilities else ()),
        *(how_named(named, task.consent) for named in code),
        *_pairs_of_rows(report),
        *column_lines(data.files),
        *_shown_samples(data),
        *odd_targets(task, data),
        *_optional_columns(task, data),
        *_searched_by(task, data),
        *_embedder_reads(task, data),
        *blind_spots(task, data, scorers[0]),
        *_nothing_to_try(task, data),
        *fooled_lines(task, data, scorers),
        *_shape(task, data),
        *length_warnings(task, data, next(iter(told), None)),
    ]


def _threshold_rows(data: Data) -> Iterator[str]:
    """Say how many out-of-scope inputs, at most, choose the abstention threshold and judge it."""
    choosing, judging = beside(data, len(data.dev), len(data.gate))
    if choosing or judging:
        yield (
            f"out of scope: up to {len(choosing)} beside the dev examples choose the abstention "
            f"threshold (the probability below which no answer is given), up to {len(judging)} "
            "beside the eval examples judge it"
        )


def _pairs_of_rows(report: DataReport) -> Iterator[str]:
    """Name the first pairs of rows of each kind that is not counted, or may mislead."""
    known = (
        ("set aside, like an earlier row", report.set_aside, report.duplicates),
        ("repeats a training example", report.contaminated, len(report.contaminated)),
        ("like a training example", report.look_alikes, len(report.look_alikes)),
        ("contradicts an earlier row", report.contradictions, report.contradicting),
    )
    for what, pairs, count in known:
        yield from (f"{what}: {pair}" for pair in pairs[:PAIRS_SHOWN])
        if count > PAIRS_SHOWN:
            yield f"… and {count - PAIRS_SHOWN} more"
    for pair in report.reworded[:SAMPLES_SHOWN]:
        yield f"rewords a training example, with another answer: {pair}"


def _fewer_rows_do(task: Task, data: Data) -> Iterator[str]:
    """Say which verbs count otherwise, where the control has a share of the gate's error."""
    if data.systems(task) > len(task.rungs):
        yield (
            "the rows are counted for a control that may end the climb: `assess --until` and "
            "`--climb` leave it out and need fewer; `check --climb` counts as they do"
        )


def _shown_samples(data: Data) -> Iterator[str]:
    """Show the first examples."""
    yield from map(example_line, (*data.train, *data.dev, *data.gate)[:SAMPLES_SHOWN])


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


def _embedder_reads(task: Task, data: Data) -> Iterator[str]:
    """Warn of an embedding model that does not know the language of what it would search."""
    named, texts = task.models.embedding, searched_texts(data)
    seen = [text for source in texts.values() for text in source[:SEEN_TEXTS]]
    if named is None or not seen or "rag" not in task.rungs or not find_spec("tokenizers"):
        return
    here = named.kind == "bundled" or (task.folder / named.name).is_dir()
    with suppress(EngineError, MissingExtraError):  # said where it is first used
        share = foreign_share(model_folder(named, task.folder), seen) if here else 0.0
        if share >= FOREIGN:
            yield (
                f"warning: {share:.0%} of the tokens of the searched texts say nothing to "
                "models.embedding (unknown, or single letters): name one that was made for their "
                "language; the search by words is tried beside it"
            )


def _shape(task: Task, data: Data) -> Iterator[str]:
    """Say how many right answers a schema-constrained model could not give."""
    if task.answer.type != "json":
        return
    held = [*data.dev, *data.gate, *data.sealed]
    schema, source = task.answer.json_schema, "answer.schema"
    if schema is None:
        schema = schema_of(target for row in data.train for target in row.targets)
        source = "the training examples' shape"
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


def _nothing_to_try(task: Task, data: Data) -> Iterator[str]:
    """Say that no rung of the task can be tried with this data."""
    named = [rung for rung in LADDER if rung.NAME in task.rungs]
    if all(rung.needs(task, data) for rung in named):
        reads = "" if data.documents else "no "
        yield (
            f"warning: no rung of this task can be tried ({', '.join(task.rungs)}): there are "
            f"{len(data.train)} training examples and {reads}documents"
        )
