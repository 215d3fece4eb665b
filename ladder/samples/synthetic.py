"""Synthetic rows: who may train on them, and which of them stand too near a held-out example.

`ladder synth` writes such rows and measures what they bring. A task takes them only as they were
measured, and looks at them again each time, because its held-out examples may have changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ladder.errors import DataError, Problem, TaskError
from ladder.evidence import SyntheticRecord
from ladder.files import file_digest, read_record
from ladder.language.words import count_words
from ladder.samples.cleanness import LEAST_SHARE
from ladder.samples.data import Data
from ladder.samples.duplicates import folded, like_pairs
from ladder.samples.overlap import LEAST_WORDS, most_held
from ladder.samples.rows import Rows, Sample
from ladder.task import Task

REWRITE = "Write them anew: ladder synth TASK"
MOST_NAMED = 5


def record_path(rows: Path) -> Path:
    """Return where the record of a file of synthetic rows stands."""
    return rows.with_suffix(".record.json")


def refuse_unproven(task: Task) -> None:
    """Refuse synthetic rows that `ladder synth` did not accept as they are.

    Raises:
        TaskError: there is no record, it refuses the rows, or the file is another one.
    """
    value = task.data.synthetic
    if value is None:
        return
    where, path = f"{task.source}: data.synthetic", task.find_data(value)
    beside = record_path(path)
    try:
        record = read_record(beside, SyntheticRecord, f"the record of {path.name}")
    except DataError as error:
        wanted = f"rows with the record that measured them ({beside.name})"
        got = f"`{value}` without one" if not beside.exists() else f"a broken one ({error})"
        raise TaskError([Problem(where, got, wanted, REWRITE)]) from None
    got = ""
    if not record.accepted:
        got = f"rows that were refused ({record.reason})"
    elif record.digest != file_digest(path):
        got = f"a file that was changed after {beside.name} was written"
    elif record.task != task.name:
        got = f"rows that were measured on the task `{record.task}`"
    if got:
        raise TaskError([Problem(where, got, "rows that were measured and accepted", REWRITE)])


def with_synthetic(task: Task, rows: Rows, splits: Data) -> Data:
    """Return the splits with the synthetic rows behind the training examples.

    Raises:
        DataError: a row stands too near a held-out example, or has a label that the task has not.
    """
    where = f"{task.source}: data.synthetic"
    near = too_near(rows.synthetic, held_out(splits))
    problems = [
        Problem(
            f"{where}: row {rows.synthetic[at].id}", got, "rows unlike those that judge", REWRITE
        )
        for at, row in list(near.items())[:MOST_NAMED]
        for got in [f"nearly what the held-out example {row} says ({len(near)} such rows)"]
    ]
    problems += [
        Problem(f"{where}: row {row.id}", f"the target `{row.target[:60]}`", "a label", REWRITE)
        for row in rows.synthetic
        if splits.labels and row.target not in splits.labels
    ][:MOST_NAMED]
    if problems:
        raise DataError(problems)
    train = (*splits.train, *rows.synthetic)
    return replace(splits, train=train, synthetic=rows.synthetic)


def held_out(splits: Data) -> tuple[Sample, ...]:
    """Return every row that chooses, judges, confirms or may come to, and those set aside."""
    return (*splits.dev, *splits.gate, *splits.sealed, *splits.reserve, *splits.leaked)


def too_near(written: Sequence[Sample], held: Sequence[Sample]) -> dict[int, str]:
    """Return the rows that repeat a held-out input: their positions, and the held-out example's id.

    A near-duplicate (`duplicates`) in input or target; or a text that holds half of a held-out
    input's runs of words or more (`overlap`), such as a copy with words around it.
    """
    if not written or not held:
        return {}
    inputs = [row.input for row in held]
    places: dict[str, list[int]] = {}
    for at, row in enumerate(written):
        sentence = count_words(row.target) >= LEAST_WORDS  # shorter ones are labels and the like
        for text in {row.input, row.target} if sentence else {row.input}:
            places.setdefault(folded(text), []).append(at)
    # The held-out examples come first: of equal texts only the first is compared with the others.
    found: dict[int, str] = {}
    said = list(places)
    for one, other in like_pairs([*inputs, *said]):
        if one < len(held) <= other:
            found |= dict.fromkeys(places[said[other - len(held)]], held[one].id)
    whole = (f"{row.input}\n{row.target}" for row in written)
    for at, (row_at, share) in enumerate(most_held(inputs, whole)):
        if share >= LEAST_SHARE:
            found.setdefault(at, held[row_at].id)
    return dict(sorted(found.items()))
