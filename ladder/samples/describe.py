"""What the rows are, and what they can tell before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.errors import DataError, Problem
from ladder.evidence import DataReport
from ladder.gate.planning import detectable_score, plausible_scores, rows_needed
from ladder.samples.cleanness import MOST_LISTED, leaks_and_look_alikes, overlap_with_known
from ladder.samples.data import Data
from ladder.samples.duplicates import LIKE
from ladder.samples.rows import Sample
from ladder.samples.sketches import MANY, recall
from ladder.samples.splits import alike_labels, shared_groups
from ladder.samples.values import container_in, list_in
from ladder.task import Task
from ladder.wording import harmless

MOST_SHOWN = 60
"""Characters of an answer."""
INPUT_SHOWN = 100
"""Characters of an input."""


def describe_data(task: Task, splits: Data) -> DataReport:
    """Return what the rows are, and what they can tell before anything is spent."""
    leaks, alikes = leaks_and_look_alikes(splits)
    units = len({sample.unit for sample in splits.gate})
    systems = splits.systems(task)
    detectable = detectable_score(units, task.gate, systems, looked_at=len(splits.gate))
    return DataReport(
        train=len(splits.train),
        synthetic=len(splits.synthetic),
        dev=len(splits.dev),
        gate=len(splits.gate),
        sealed=len(splits.sealed),
        reserve=len(splits.reserve),
        documents=len({document.source for document in splits.documents}),
        passages=len(splits.documents),
        unlabeled=len(splits.unlabeled),
        out_of_scope=len(splits.out_of_scope),
        duplicates=len(splits.duplicates),
        duplicates_recall=recall(LIKE) if splits.labelled > MANY else None,
        set_aside=tuple(f"{row} ~ {like}" for row, like in splits.duplicates[:MOST_LISTED]),
        contaminated=leaks,
        look_alikes=alikes,
        contradictions=tuple(map(_contradiction, splits.contradictions[:MOST_LISTED])),
        contradicting=len(splits.contradictions),
        label_noise=splits.mislabelled / splits.labelled if splits.labelled else 0.0,
        labelled=splits.labelled,
        reworded=tuple(f"{held} ~ {train}" for held, train in splits.reworded[:MOST_LISTED]),
        overlap=overlap_with_known(splits),
        units=units,
        systems=systems,
        detectable=detectable,
        rows_needed=_rows_needed(task, units, systems, detectable),
        shared_groups=shared_groups(splits),
        digests=dict(splits.digests),
    )


def _rows_needed(
    task: Task, units: int, systems: int, detectable: float | None
) -> dict[str, int | None]:
    """Return true score -> eval examples that prove the gate: no more than do, where they do."""
    needed = {
        score: rows_needed(score, task.gate, systems)
        for score in plausible_scores(task.gate.min_score)
    }
    proven = {score for score in needed if detectable is not None and score >= detectable}
    return {
        f"{score:.4g}": min(rows, units) if rows and score in proven else rows
        for score, rows in needed.items()
    }


def refuse_untestable(task: Task, report: DataReport) -> None:
    """Refuse a gate that these rows cannot prove, unless the task says what to do then.

    Raises:
        DataError: with the number of rows that would do.
    """
    if report.detectable is not None or "when_undecided" in task.gate.model_fields_set:
        return
    least = rows_needed(1.0, task.gate, report.systems or len(task.rungs))
    wanted = f"{least:,} or more" if least else "a min_score below 1"
    fix = (
        "Add rows, lower min_score or confidence, name fewer rungs; or set gate.when_undecided "
        "(lean, climb, stop, ask) to go on without a proof."
    )
    got = f"{_rows(report)}, too few to prove {task.gate.min_score:g} without one mistake"
    raise DataError([Problem(f"{task.source}: gate", got, wanted, fix)])


def headline(task: Task, report: DataReport) -> str:
    """Say in one line what the rows can tell of the gate."""
    rows = f"{_rows(report)}, gate at {task.gate.min_score:g} for {_systems(task, report)}"
    if report.detectable is None:
        able = f"{rows}: they cannot prove it, even without a mistake"
    else:
        able = f"{rows}: a true score of {provable(report)} should pass"
        close, wanted = next(iter(report.rows_needed.items()), ("", None))
        short = wanted is not None and wanted > _n(report)
        able += f", {close} needs {wanted:,} rows" if short else ""
    said = [able]
    if report.shared_groups:
        said.append(f"{report.shared_groups} groups stand in train and in held-out examples")
    said.append(f"{report.duplicates} near-duplicates set aside")
    said += leaked(report)
    if report.contradicting:
        said.append(contradicted(report))
    return " · ".join(said)


def leaked(report: DataReport) -> Iterator[str]:
    """Say which held-out examples are not counted: they repeat a training one, or nearly do."""
    leaks, alike = len(report.contaminated), len(report.look_alikes)
    if leaks:
        verb = "repeats a training example" if leaks == 1 else "repeat training examples"
        yield f"{_held_out(leaks)} {verb} and {_are(leaks)} not counted"
    if alike:
        verb = "differs" if alike == 1 else "differ"
        yield (
            f"{_held_out(alike)} {verb} from a training example in a number or a name only and "
            f"{_are(alike)} not counted"
        )
    if not leaks and not alike:
        yield "no leak found"


def _held_out(count: int) -> str:
    return f"{count} held-out example{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def provable(report: DataReport) -> str:
    """Return the smallest true score that the rows prove, with as many digits as it takes.

    Two, or more where those would be a score that is said to need more rows, or lie below one:
    0.901 is no 0.90.
    """
    least = report.detectable or 0.0
    short = [float(score) for score, rows in report.rows_needed.items() if (rows or 0) > _n(report)]
    said = (f"{least:.{digits}f}" for digits in (2, 3, 4))
    most = max(short, default=0.0)
    return next((words for words in said if float(words) > most), f"{least:.5f}")


def _n(report: DataReport) -> int:
    """Return the independent eval examples; in files written before they were counted, all."""
    return report.units or report.gate


def example_line(sample: Sample) -> str:
    """Show an example as a model sees it, on one line."""
    answers = " | ".join(harmless(target, MOST_SHOWN) for target in sample.targets)
    return f"e.g. {sample.id}: {harmless(sample.input, INPUT_SHOWN)} -> {answers}"


def odd_targets(task: Task, data: Data) -> Iterator[str]:
    """Warn of targets that may not be what they look like."""
    yield from alike_labels(data.labels)
    samples = (*data.train, *data.dev, *data.gate, *data.sealed)
    several = sum(bool(sample.also_right) for sample in samples)
    if several:
        yield f"{several} examples have several right answers: each of them gets full marks"
    listed = [sample for sample in samples if list_in(sample.target)]
    objects = [sample for sample in samples if isinstance(container_in(sample.target), dict)]
    if objects and task.answer.type != "json":
        yield (
            f"warning: {len(objects)} targets are the text of an object, e.g. row "
            f"{objects[0].id}: {harmless(objects[0].target, MOST_SHOWN)}; name the value that is "
            "the answer as the target, or set answer: {type: json}"
        )
    if listed and task.answer.type != "json":
        yield (
            f"warning: {len(listed)} targets are one text that holds a list, e.g. row "
            f"{listed[0].id}: {harmless(listed[0].target, MOST_SHOWN)}; several right answers "
            "are a JSON list, not its text (.jsonl or .parquet)"
        )


def contradicted(report: DataReport) -> str:
    """Say how many rows contradict another, and how many targets are wrong at least."""
    rows = (
        "1 row contradicts"
        if report.contradicting == 1
        else f"{report.contradicting} rows contradict"
    )
    return (
        f"{rows} an earlier one: at least {report.label_noise:.1%} of "
        f"{report.labelled:,} targets are wrong or incomplete"
    )


def _contradiction(pair: tuple[Sample, Sample]) -> str:
    row, earlier = pair
    answers = " / ".join(" ".join(one.target.split())[:MOST_SHOWN] for one in pair)
    return f"{row.id} ~ {earlier.id}: {answers}"


def _systems(task: Task, report: DataReport) -> str:
    """Name the systems that share the error of the gate: the more, the more rows a proof takes."""
    rungs = f"{len(task.rungs)} rung{'s' if len(task.rungs) > 1 else ''}"
    return f"the control and {rungs}" if report.systems > len(task.rungs) else rungs


def _rows(report: DataReport) -> str:
    """Say how many rows judge, and how many units they are where groups count once."""
    groups = report.units if report.units < report.gate else None
    return f"{report.gate} eval examples" + (f", {groups} of them independent" if groups else "")
