"""`ladder rollback --rehearse`: try what a rollback leads to, and keep that it was tried."""

from __future__ import annotations

from pathlib import Path

from ladder.evidence import Rehearsed
from ladder.lifecycle.plan import find_plan
from ladder.lifecycle.promotion import production_of, target_of
from ladder.lifecycle.registry import Registry, now, read_registry, record
from ladder.lifecycle.rehearsal import rehearse
from ladder.progress import Watch
from ladder.trust.code import Granted


def rehearse_rollback(
    path: Path,
    name: str,
    watch: Watch,
    *,
    to: Path | None = None,
    by: str = "",
    granted: Granted = "trusted",
) -> Rehearsed:
    """Load and ask what a rollback leads to; one record, and production stays as it is.

    Args:
        path: the registry.
        name: of the model in it.
        watch: sees progress.
        to: the run to roll back to; default: the one before the champion.
        by: who asked for it.
        granted: what of the code that the task names may run.

    Raises:
        StateError: there is nothing to go back to, or it was changed.
        TaskError, DataError: its task or rows are not there any more.
    """
    target = target_of(production_of(read_registry(path), name), path, to)
    found = rehearse(find_plan(path.parent / target.place), watch, granted)

    def decide(_: Registry) -> Rehearsed:
        return Rehearsed(
            name=name,
            at=now(),
            by=by,
            system=target.system,
            rows=found.rows,
            same=found.same,
            score_then=found.score_then,
            score_now=found.score_now,
            findings=found.findings,
        )

    return record(path, decide)
