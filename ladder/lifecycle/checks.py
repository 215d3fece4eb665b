"""The record of checks: revalidations.jsonl beside the plan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from ladder.errors import StateError
from ladder.files import read_text, refused_as
from ladder.json_values import from_json
from ladder.lifecycle.plan import day_of

RECORD = "revalidations.jsonl"


class Check(NamedTuple):
    """A line of the record of checks."""

    at: str
    """UTC, ISO 8601."""
    day: date
    where: str
    error: float | None
    """What it spent of the plan's error budget; None: in files written before."""
    measured: bool
    fresh: int
    """Eval examples that were read for the first time."""


def checks_so_far(path: Path) -> list[Check]:
    """Return the checks of a plan's record.

    Raises:
        StateError: a line of it cannot be read.
    """
    return list(_checks(path))


def _checks(path: Path) -> Iterator[Check]:
    record = path.parent / RECORD
    if not record.exists():
        return
    fix = "Move it away: the check is due then."
    text = read_text(record, "the record of checks", refused_as("the record of checks", fix))
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{record}:{number}"
        try:
            said = from_json(line)
            day, error = day_of(said["at"]), said.get("error")
            spent = None if error is None else float(error)
            fresh = int(said.get("fresh") or 0)
        except (ValueError, KeyError, TypeError, RecursionError) as wrong:
            fix = "Fix the line or take it out; or move the file away: the check is due then."
            why = f"{where}: not the record of checks ({str(wrong)[:100]}). {fix}"
            raise StateError(why) from None
        yield Check(str(said["at"]), day, where, spent, bool(said.get("score")), fresh)
