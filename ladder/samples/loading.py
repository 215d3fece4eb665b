"""Load a task's data: read its files, set near-duplicates aside, and split what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from ladder.files import digest_of
from ladder.progress import Watch
from ladder.samples.columns import Understood
from ladder.samples.data import Data
from ladder.samples.duplicates import like_pairs
from ladder.samples.reading import read_rows
from ladder.samples.rows import Rows, Sample
from ladder.samples.splits import all_samples, split
from ladder.samples.synthetic import refuse_unproven, with_synthetic
from ladder.task import Task


class Remembers(Protocol):
    """Keeps what is expensive to compute (`models.cache.Cache`)."""

    def remember(self, name: str, about: Any, compute: Callable[[], Any]) -> Any:
        """Return what was computed about the same before, else compute it."""
        ...


def load_data(task: Task, cache: Remembers | None, watch: Watch) -> Data:
    """Return a task's data, split by its seed: the same whoever asks.

    Args:
        task: names the files, the columns and the seed.
        cache: keeps the near-duplicates that were found; None: they are looked for anew.
        watch: sees progress.

    Raises:
        TaskError: the synthetic rows were not accepted as they are.
        DataError: with every mistake found in the files, or too few rows.
    """
    refuse_unproven(task)
    rows = read_rows(task)
    samples = all_samples(rows)

    def pairs() -> list[tuple[int, int]]:
        with watch.step("looking for near-duplicates", len(samples)) as advance:
            return like_pairs([sample.input for sample in samples], advance)

    about = digest_of([sample.input for sample in samples])
    found = pairs() if cache is None else cache.remember("like pairs, exact", about, pairs)
    data = with_synthetic(task, rows, split(task, rows, [(int(a), int(b)) for a, b in found]))
    beyond, files = _out_of_scope(rows)
    return replace(
        data,
        out_of_scope=beyond,
        graded=rows.graded,
        preferences=rows.preferences,
        digests=rows.digests,
        files=files,
    )


def _out_of_scope(rows: Rows) -> tuple[tuple[Sample, ...], tuple[Understood, ...]]:
    """Return the inputs that no label answers, less those that have one; and the files, told so."""
    if not rows.out_of_scope:
        return (), rows.files
    known = {_plain(sample.input) for sample in all_samples(rows)}
    kept = tuple(sample for sample in rows.out_of_scope if _plain(sample.input) not in known)
    out = len(rows.out_of_scope) - len(kept)
    if not out:
        return kept, rows.files
    noun = "1 row is a labelled example" if out == 1 else f"{out:,} rows are labelled examples"

    def told(file: Understood) -> Understood:
        said = f"{file.file}: {noun} too, and left out: a label answers it"
        return replace(file, warnings=(*file.warnings, said))

    files = tuple(told(file) if file.role == "out_of_scope" else file for file in rows.files)
    return kept, files


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
