"""The append-only files beside a plan: one record a line, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from ladder.errors import Problem, StateError
from ladder.evidence import DriftLook, ProbeLook, ReleaseRecord, Rotation
from ladder.files import read_text
from ladder.lifecycle.plan import day_of

R = TypeVar("R", DriftLook, ProbeLook, ReleaseRecord, Rotation)


def records_in(file: Path, kind: type[R], one: str, fix: str) -> list[R]:
    """Return the records of a file; none where there is no file.

    Args:
        file: of lines.
        kind: of each line.
        one: what a line is, in words.
        fix: what to do about one that cannot be read.

    Raises:
        StateError: a line cannot be read, or its time is none.
    """
    if not file.exists():
        return []
    found = []
    for number, line in enumerate(read_text(file, f"lines, each {one}", _no_file).splitlines(), 1):
        try:
            found.append(kind.model_validate_json(line))
            day_of(found[-1].at)
        except ValueError as error:
            why = str(error).replace("\n", " ")[:100]
            raise StateError(f"{file}:{number}: not {one} ({why}). {fix}") from None
    return found


def _no_file(problems: Sequence[Problem]) -> StateError:
    first = problems[0]
    return StateError(f"{first.where}: {first.got}; wanted {first.wanted}.")
