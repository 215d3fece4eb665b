"""Read a finished run back."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from ladder.errors import DataError, Problem
from ladder.evidence import Assessment

FILE = "assessment.json"


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
    if not path.is_file():
        fix = "Name a run's folder: runs/<task>/<time>"
        raise DataError([Problem(str(path), "no such file", "a finished run", fix)])
    try:
        found = Assessment.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        got = f"a file that is not an assessment ({str(error).splitlines()[0]})"
        raise DataError([Problem(str(path), got, "schema_version 1")]) from None
    return found, path.parent
