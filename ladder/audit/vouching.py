"""Vouch for lines that no record has: a crash left them out, or no ledger was kept then.

Whoever holds the machine's key says that they are right; that they were vouched for stays to be
seen. Lines that were changed or taken out cannot be vouched for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ladder.audit.keys import load_signer, private_file
from ladder.audit.ledger import LEDGER, add, is_kept, read_ledger
from ladder.audit.verify import first_lines, grown_by
from ladder.errors import Problem, StateError, TaskError
from ladder.evidence import LedgerRecord
from ladder.files import read_text, refused_as


@dataclass(frozen=True)
class Unrecorded:
    """Lines of a file that no record has."""

    ledger: Path
    file: Path
    before: str
    """The digest of the lines before them; empty: there are none."""
    digest: str
    """Of the whole file."""
    lines: tuple[tuple[int, str], ...]
    """Number and text."""


def unrecorded(file: Path, runs: Path) -> Unrecorded:
    """Return the lines of a file that no record of the ledger has.

    Raises:
        TaskError: there are none, or the others are not what the ledger says.
        StateError: there is no ledger, it is broken, or the file cannot be read.
        SettingsError: there is no machine key.
    """
    ledger, file = runs.resolve() / LEDGER, file.resolve()
    if not is_kept(ledger):
        raise StateError(f"{ledger}: no ledger is kept there. Name the folder of all runs.")
    records = read_ledger(ledger, [load_signer(private_file("machine")).public_key]).records
    if not file.is_relative_to(ledger.parent):
        raise TaskError([Problem(str(file), "a file elsewhere", f"one below {ledger.parent}")])
    wanted = "a file that lines are added to"
    text = read_text(file, wanted, refused_as(wanted))
    known = grown_by(records).get(file.relative_to(ledger.parent).as_posix(), [])
    lines = {"": 0, **first_lines(file)}
    if not all(each.before in lines and each.left in lines for each in known):
        got, fix = "lines that were changed or taken out", "Put the file back from a copy."
        raise TaskError([Problem(str(file), got, "what the ledger says, and lines more", fix)])
    ranges = [(lines[each.before], lines[each.left]) for each in known]
    missing = list(_missing(ranges, len(lines) - 1))
    if not missing:
        raise TaskError(
            [Problem(str(file), "lines that are all in the ledger", "some that are not")]
        )
    digests = list(lines)
    return Unrecorded(
        ledger,
        file,
        digests[missing[0] - 1],
        digests[-1],
        tuple((number, text.split("\n")[number - 1]) for number in missing),
    )


def _missing(ranges: Sequence[tuple[int, int]], total: int) -> Iterator[int]:
    """Yield the numbers of the lines that no range has, from 1."""
    for number in range(1, total + 1):
        if not any(start < number <= end for start, end in ranges):
            yield number


def vouch(found: Unrecorded) -> LedgerRecord:
    """Write down that lines are right which no record has.

    Raises:
        StateError: the ledger is broken, or cannot be written.
    """
    name = found.file.name
    place = os.path.relpath(found.file.parent, found.ledger.parent)
    return add(
        found.ledger,
        "vouched",
        task=found.file.parent.parent.name if place != "." else "",
        place=place,
        facts={"lines": ", ".join(str(number) for number, _ in found.lines)},
        digests={f"before: {name}": found.before} if found.before else {},
        files={name: found.digest},
    )
