"""What happened to a certified answer since: the records beside its plan, read line by line.

Lines of other versions are read for what they have: a time, and whether they give reason to act. A
line that cannot be read is told, and the others count all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ladder.errors import LadderError, StateError
from ladder.evidence import DriftLook, Estimate, Happening, HappeningKind
from ladder.files import read_text
from ladder.json_values import from_json
from ladder.lifecycle.plan import day_of
from ladder.wording import MOST_SHOWN, harmless

MOST_FOUND = 12
"""Reasons to act that are named of one line."""


@dataclass(frozen=True)
class History:
    """What the records beside a plan say, the oldest first."""

    happenings: tuple[Happening, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Places of lines that cannot be read, and why."""
    last: tuple[Happening, ...] = ()
    """The last line of each record, whatever its time."""


def moment_of(text: str) -> datetime:
    """Return a time in ISO 8601, in UTC; one without a zone is of UTC.

    Raises:
        ValueError: it is none.
    """
    day_of(text)
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _revalidation(values: Mapping[str, Any]) -> Happening:
    findings = _texts(values["findings"])
    score = Estimate.model_validate(values["score"]) if values.get("score") else None
    found = _happening(values, "revalidation", not findings, findings, score)
    return found.but(fresh=int(values.get("fresh") or 0))


def _drift(values: Mapping[str, Any]) -> Happening:
    known = {name: value for name, value in values.items() if name in DriftLook.model_fields}
    alarms = DriftLook.model_validate_json(json.dumps(known)).alarms
    return _happening(values, "drift", not alarms, alarms)


def _probe(values: Mapping[str, Any]) -> Happening:
    """Read a look at a model; one without a verdict says no more than that it was there."""
    verdict = str(values.get("verdict") or "same")
    held = verdict in ("same", "pass", "ok")
    found = _happening(values, "probe", held, () if held else (verdict,))
    ends = values.get("ends")
    return found.but(ends=day_of(str(ends)).isoformat() if ends else None)


def _release(values: Mapping[str, Any]) -> Happening:
    champion = str(dict(values["champion"]).get("folder", "?"))
    return _happening(values, "release", values["passed"] is True, (champion,))


def _happening(
    values: Mapping[str, Any],
    kind: HappeningKind,
    held: bool,
    found: Sequence[str],
    score: Estimate | None = None,
) -> Happening:
    at = moment_of(str(values["at"])).isoformat(timespec="seconds")
    named = tuple(harmless(each, MOST_SHOWN) for each in found[:MOST_FOUND])
    return Happening(at=at, kind=kind, held=held, found=named, score=score)


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("no list of findings")
    return tuple(map(str, values))


RECORDS: dict[str, Callable[[Mapping[str, Any]], Happening]] = {
    "revalidations.jsonl": _revalidation,
    "drift.jsonl": _drift,
    "probes.jsonl": _probe,
    "releases.jsonl": _release,
}
"""To add a record: how one line of it is read."""


def history_of(folder: Path) -> History:
    """Return what happened to the plan in a folder since its certification.

    Args:
        folder: of the run.
    """
    found: list[Happening] = []
    broken: list[str] = []
    last: dict[str, Happening] = {}
    for name, read in RECORDS.items():
        for line in _lines(folder / name, read):
            if isinstance(line, Happening):
                found.append(line)
                last[name] = line
            else:
                broken.append(line)
    in_order = tuple(sorted(found, key=lambda each: each.at))
    return History(in_order, tuple(broken), tuple(last.values()))


def _lines(
    record: Path, read: Callable[[Mapping[str, Any]], Happening]
) -> Iterator[Happening | str]:
    """Yield what the lines of a record say; of one that cannot be read, its place and why."""
    if not record.exists():
        return
    try:
        text = read_text(record, "a record of checks", lambda found: StateError(str(found[0])))
    except LadderError as error:
        yield str(error)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield read(dict(from_json(line)))
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            fix = "Fix it or take it out."
            yield harmless(f"{record}:{number}: no line of this record ({_short(error)}). {fix}")


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:2])
    return f"{type(error).__name__}: {error}"[:100]
