"""Open a climb: read the rows, split them, and find where completions and artefacts are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ladder.climb.own_code import refuse_untrusted
from ladder.climb.preflight import refuse_schema, refuse_teacher
from ladder.engines.cache import Store
from ladder.files import digest_of, refuse_unwritable
from ladder.inference.evaluator import Climb
from ladder.progress import Watch
from ladder.samples.duplicates import like_pairs
from ladder.samples.reading import read_rows
from ladder.samples.rows import Rows
from ladder.samples.splits import all_samples, split
from ladder.samples.synthetic import refuse_unproven, with_synthetic
from ladder.task import Task

STORE = "completions.sqlite"


def open_climb(
    task: Task, runs: Path, watch: Watch, store: Path | None = None
) -> tuple[Climb, Rows]:
    """Return a climb that nothing has been asked in yet, and the rows it was split from.

    Raises:
        TaskError: it names code without a person's consent; `answer.schema` is none, or none that
            answers can be held to; or the synthetic rows were not accepted as they are.

    Args:
        task: the user's job.
        runs: folder of all runs: runs/<task>/<utc>/ is this one's.
        watch: sees progress.
        store: file of the completions, if not the one that all runs share.
    """
    refuse_untrusted(task)
    refuse_unwritable(runs)
    refuse_schema(task)
    refuse_teacher(task)
    refuse_unproven(task)
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
    splits = with_synthetic(task, rows, split(task, rows, found))
    climb = Climb(task, splits, kept, folder, runs / "artefacts", watch, graded=rows.graded)
    return climb, rows
