"""Open a climb: check the task, load its data, and find where cache and artefacts are kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ladder.climb.preflight import refuse_at_once
from ladder.engines.sharded.vectors import embed_on
from ladder.errors import StateError
from ladder.files import refuse_unwritable
from ladder.inference.evaluator import Evaluator, Scorers, scorers_of
from ladder.models.cache import Cache, Store
from ladder.models.folder_cache import FolderCache
from ladder.models.models import Models
from ladder.models.staying import stay_here
from ladder.progress import Watch
from ladder.retrieval.retriever import MakeIndex, Retriever
from ladder.retrieval.search import make_index
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.loading import load_data
from ladder.task import Task
from ladder.training.trainer import LocalTrainer

COMPLETIONS = "completions.sqlite"
SHARED = "LADDER_SHARED_CACHE"


def open_bench(
    task: Task,
    runs: Path,
    watch: Watch,
    cache: Path | None = None,
    scorers: Scorers | None = None,
) -> Bench:
    """Return what a climb starts from: nothing has been asked yet.

    Args:
        task: the user's job.
        runs: folder of all runs: runs/<task>/<utc>/ is this one's.
        watch: sees progress.
        cache: file of the completions, if not the one that all runs share; what is asked anew is
            kept there, and not shared with other machines either.
        scorers: default: the task's own, whose code a person must have consented to.

    Raises:
        TaskError: with everything that is wrong with the task (`climb.preflight`).
        DataError: with everything that is wrong with its data.
    """
    refuse_at_once(task)
    stay_here(task)
    refuse_unwritable(runs)
    kept = Cache(cache or runs / COMPLETIONS)
    data = load_data(task, kept, watch)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
    folder = runs / task.name / created
    bench = make_bench(task, data, kept, folder, runs / "artefacts", watch, scorers)
    shared = shared_completions() if cache is None else None
    if shared is not None:
        watch.say(f"answers are shared: {SHARED}={os.environ[SHARED]}")
        bench.evaluator.models.completions = shared
    return bench


def shared_completions() -> Store | None:
    """Return the completions that machines share, where LADDER_SHARED_CACHE names their folder.

    Raises:
        StateError: it is not there, or cannot be written.
    """
    named = os.environ.get(SHARED, "")
    if named and not Path(named).is_dir():  # a mount that is missing would be paid for anew
        fix = f"Make it, mount what it lies on, or unset {SHARED}"
        raise StateError(f"{SHARED}={named}: no such folder. {fix}")
    return FolderCache(Path(named)) if named else None


def make_bench(
    task: Task,
    data: Data,
    cache: Cache,
    folder: Path,
    artefacts: Path,
    watch: Watch,
    scorers: Scorers | None = None,
) -> Bench:
    """Return what a rung is given.

    Args:
        task: the user's job.
        data: its examples and documents, split.
        cache: keeps completions.
        folder: the run's own.
        artefacts: where trainings leave theirs.
        watch: sees progress.
        scorers: default: the task's own.
    """
    models = Models(task, cache, watch)
    retriever = Retriever(task, data, cache, watch, _index_maker(models))
    made = scorers_of(task, data) if scorers is None else scorers
    evaluator = Evaluator(task, data, models, retriever, made, watch)
    return Bench(evaluator, LocalTrainer(task, data, models, artefacts, watch), folder)


def _index_maker(models: Models) -> MakeIndex:
    """Return what makes an index: on the task's cluster many texts are embedded by its workers."""
    crew = models.crew
    return make_index if crew is None else partial(make_index, many=partial(embed_on, crew))
