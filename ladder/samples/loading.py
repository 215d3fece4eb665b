"""Load a task's data: read its files, set near-duplicates aside, and split what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from ladder.files import digest_of
from ladder.progress import Watch
from ladder.samples.data import Data
from ladder.samples.duplicates import like_pairs
from ladder.samples.reading import read_rows
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
    return replace(
        data,
        graded=rows.graded,
        preferences=rows.preferences,
        digests=rows.digests,
        files=rows.files,
    )
