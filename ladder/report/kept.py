"""What a run kept of its eval examples, read line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ladder.climb.kept import RETRIEVED, SAMPLES
from ladder.errors import DataError, Problem
from ladder.files import open_file, problem_of
from ladder.json_values import from_json

__all__ = ["ANSWERED", "RETRIEVED", "SAMPLES", "kept_rows"]

ANSWERED = ("answer", "score", "error")
"""What a measured example has beside its id."""
WANTED = "the eval examples that ladder assess kept"
FIX = "Put the file that ladder assess wrote back, or move it away."


def kept_rows(path: Path, needed: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines; each has an id, a text.

    Args:
        path: the file.
        needed: what each has beside it.

    Raises:
        DataError: the file is not there, cannot be read, or has a line that is none of these.
    """
    try:
        with open_file(path) as file:
            for number, line in enumerate(file, start=1):
                yield _row(f"{path}:{number}", line, needed)
    except OSError as error:
        raise DataError([problem_of(path, error, WANTED)]) from None


def _row(where: str, line: bytes, needed: Sequence[str]) -> dict[str, Any]:
    try:
        values = from_json(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not isinstance(values.get("id"), str):
        raise DataError([Problem(where, "no example", "an object with an id", FIX)])
    lacking = [name for name in needed if name not in values]
    if lacking or not isinstance(values.get("score", 0), int | float | None):
        got = f"an example without {' and '.join(lacking) or 'a score that is a number'}"
        raise DataError([Problem(where, got, WANTED, FIX)])
    return values
