"""The append-only files beside a plan: one record a line, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

from ladder.errors import StateError
from ladder.evidence import DriftLook, ProbeLook, ReleaseRecord, Rotation
from ladder.files import fault_of_record, read_text, refused_as
from ladder.lifecycle.plan import day_of

R = TypeVar("R", DriftLook, ProbeLook, ReleaseRecord, Rotation)


def from_the_future(file: Path, looks: Sequence[DriftLook | ProbeLook], today: date) -> list[str]:
    """Name the looks after today: the clock was wrong then, or is now.

    Args:
        file: that holds them.
        looks: all of its lines.
        today: by the clock.
    """
    days = [(day_of(look.at), number) for number, look in enumerate(looks, start=1)]
    return [
        f"{file}:{number}: {day} lies in the future. Set the clock, or fix the line: until that "
        "day a look spends no more than a day's share of the error budget."
        for day, number in days
        if day > today
    ]


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
    what = f"a file of lines, each {one}"
    text = read_text(file, what, refused_as(what, fix))
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found.append(kind.model_validate_json(line))
            day_of(found[-1].at)
        except ValueError as error:
            why = fault_of_record(error)
            raise StateError(f"{file}:{number}: not {one} ({why}). {fix}") from None
    return found
