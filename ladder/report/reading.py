"""Read a finished run back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ladder.errors import DataError, Problem
from ladder.evidence import ASSESSMENT, Assessment
from ladder.files import read_record

NAME_IT = "Name a run's folder: runs/<task>/<time>"
STOPPED = (
    f"{NAME_IT}. If it is one, the run was stopped: run the same `ladder assess` again, which asks "
    "only for what is missing and writes a new folder beside this one; then name that."
)
COST = ("usd_per_1k", "usd_per_month", "build_usd", "requests_per_month")


@contextmanager
def whole_record(folder: Path) -> Iterator[None]:
    """Tell of figures that contradict each other: only what is shown of them finds that out.

    Raises:
        DataError: what was read back cannot be shown.
    """
    try:
        yield
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        got = f"figures that do not fit together ({type(error).__name__}: {error})"
        fix = "It was changed by hand, or by another version: put the original back."
        raise DataError([Problem(str(folder / ASSESSMENT), got, "an assessment", fix)]) from error


def read_assessment(run: Path) -> tuple[Assessment, Path]:
    """Return the assessment of a run and its folder.

    Args:
        run: a run's folder, its assessment.json, or a folder of runs (the newest is read).

    Raises:
        DataError: there is no assessment, or it was written by another version.
    """
    path = run if run.name == ASSESSMENT else run / ASSESSMENT
    if not path.is_file() and run.is_dir():
        path = max(run.rglob(ASSESSMENT), key=lambda found: found.parent.name, default=path)
    if not path.exists():
        fix = STOPPED if path.parent.is_dir() else NAME_IT
        raise DataError([Problem(str(path), "no such file", "a finished run", fix)])
    found = read_record(path, Assessment, "an assessment of schema_version 1")
    if lacking := _lacking(found):
        got, fix = f"an assessment without {lacking}", "Take the file that ladder assess wrote."
        raise DataError([Problem(str(path), got, "all of what a report looks up", fix)])
    return found, path.parent


def _lacking(found: Assessment) -> str:
    """Say what a report looks up and the schema does not ask for."""
    cost = found.recommendation.cost
    if not isinstance(found.task.gate.get("confidence"), float):
        return "task.gate.confidence"
    if not isinstance(found.task.gate.get("min_score"), float):
        return "task.gate.min_score"
    if found.control and not found.control.lines:
        return "a line in control.lines"
    if cost and not cost.keys() >= set(COST):
        return "a name in recommendation.cost"
    if cost.get(COST[0]) is not None and None in cost.values():
        return "a figure in recommendation.cost"
    return ""
