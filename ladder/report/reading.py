"""Read a finished run back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ladder.errors import DataError, Problem
from ladder.evidence import Assessment
from ladder.files import read_record

FILE = "assessment.json"


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
        raise DataError([Problem(str(folder / FILE), got, "an assessment", fix)]) from error


def read_assessment(run: Path) -> tuple[Assessment, Path]:
    """Return the assessment of a run and its folder.

    Args:
        run: a run's folder, its assessment.json, or a folder of runs (the newest is read).

    Raises:
        DataError: there is no assessment, or it was written by another version.
    """
    path = run if run.name == FILE else run / FILE
    if not path.is_file() and run.is_dir():
        path = max(run.rglob(FILE), key=lambda found: found.parent.name, default=path)
    if not path.exists():
        fix = "Name a run's folder: runs/<task>/<time>"
        raise DataError([Problem(str(path), "no such file", "a finished run", fix)])
    return read_record(path, Assessment, "an assessment of schema_version 1"), path.parent
