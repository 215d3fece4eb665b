"""Open a climb: read the rows, split them, and find where completions and artefacts are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from ladder.climb.own_code import refuse_untrusted
from ladder.engines import open_engine
from ladder.engines.cache import Store
from ladder.engines.json_schema import refusal
from ladder.errors import MissingExtraError, Problem, TaskError
from ladder.files import digest_of, refuse_unwritable
from ladder.inference.evaluator import Climb, keep_here
from ladder.progress import Watch
from ladder.samples.answer_schema import fault_of_schema
from ladder.samples.duplicates import like_pairs
from ladder.samples.rows import Rows, read_rows
from ladder.samples.splits import all_samples, split
from ladder.samples.synthetic import refuse_unproven, with_synthetic
from ladder.task import Task, model_parts

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


def refuse_teacher(task: Task) -> None:
    """Refuse a teacher that may not be asked, before anything is spent: a diagnosis asks it too.

    Raises:
        TaskError: it is elsewhere, and the task keeps its rows here.
    """
    teacher = task.models.teacher
    if teacher is not None and model_parts(teacher)[0] == "openai":
        keep_here(task, teacher, open_engine(teacher, None, task.folder))


def refuse_schema(task: Task) -> None:
    """Refuse an `answer.schema` that is no JSON Schema or that answers cannot be held to.

    What an endpoint can be asked for is the endpoint's to say.

    Raises:
        TaskError: with the reason.
    """
    schema = task.answer.json_schema
    if schema is None:
        return
    where, got = f"{task.source}: answer.schema", fault_of_schema(schema)
    if got:
        raise TaskError([Problem(where, f"no JSON Schema ({got})", "one of draft 2020-12")])
    if task.answer.type != "json" or model_parts(task.models.base)[0] == "openai":
        return
    try:
        got = refusal(json.dumps(schema)) or ""
    except MissingExtraError:  # said when a model of this machine is first asked
        return
    if got:
        fix = "Write it without that, or leave it out: it is then read off the training rows."
        wanted = "a schema that llguidance can follow token by token"
        raise TaskError([Problem(where, f"one that cannot be followed ({got})", wanted, fix)])
