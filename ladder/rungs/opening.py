"""Open a climb: read the rows, split them, and find where completions and artefacts are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ladder.engines.cache import Store
from ladder.files import digest_of
from ladder.report.watch import Watch
from ladder.rungs.base import Climb
from ladder.samples.duplicates import like_pairs
from ladder.samples.rows import Rows, read_rows
from ladder.samples.splits import all_samples, split
from ladder.task import Task

STORE = "completions.sqlite"


def open_climb(
    task: Task, runs: Path, watch: Watch, store: Path | None = None
) -> tuple[Climb, Rows]:
    """Return a climb that nothing has been asked in yet, and the rows it was split from.

    Args:
        task: the user's job.
        runs: folder of all runs: runs/<task>/<utc>/ is this one's.
        watch: sees progress.
        store: file of the completions, if not the one that all runs share.
    """
    rows = read_rows(task)
    samples = all_samples(rows)
    kept = Store(store or runs / STORE)

    def pairs() -> list[tuple[int, int]]:
        with watch.step("looking for near-duplicates", len(samples)) as advance:
            return like_pairs([sample.input for sample in samples], advance)

    about = digest_of([sample.input for sample in samples])
    found = [(int(a), int(b)) for a, b in kept.remember("like pairs, exact", about, pairs)]
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
    folder = runs / task.name / created
    splits = split(task, rows, found)
    climb = Climb(task, splits, kept, folder, runs / "artefacts", watch, graded=rows.graded)
    return climb, rows
