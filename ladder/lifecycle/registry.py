"""The registry: one append-only file of records, each with the digest of the line before it.

A line that was changed, moved or taken out of the middle breaks the chain. Lines cut off the end do
not: keep the digest of the last line elsewhere (`ladder models` prints it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from ladder.audit.folders import digest_of_file
from ladder.audit.ledger import LEDGER, add, is_kept, refuse_unready_ledger
from ladder.errors import LadderError, StateError
from ladder.evidence import (
    Announced,
    LedgerKind,
    Promoted,
    RegistryEntry,
    Rehearsed,
    RolledBack,
    Stepped,
)
from ladder.files import (
    add_line,
    alone_in,
    clear_disk_errors,
    fault_of_record,
    private_folder,
    read_text,
    refused_as,
)

REGISTRY = "registry.jsonl"
_ENTRY: TypeAdapter[RegistryEntry] = TypeAdapter(RegistryEntry)
KINDS: dict[str, LedgerKind] = {
    "promoted": "promotion",
    "rolled back": "rollback",
    "rehearsed": "rehearsal",
    "announced": "deprecation",
    "deprecation step": "deprecation",
}
"""Kind of entry -> what the ledger calls it."""
E = TypeVar("E", Promoted, RolledBack, Rehearsed, Announced, Stepped)


@dataclass(frozen=True)
class Registry:
    """What the file holds."""

    path: Path
    entries: tuple[RegistryEntry, ...] = ()
    head: str = ""
    """sha256 of the last line."""


def registry_of(run: Path) -> Path:
    """Return the registry beside all runs: RUNS/registry.jsonl of RUNS/TASK/STAMP."""
    return run.resolve().parent.parent / REGISTRY


def read_registry(path: Path) -> Registry:
    """Read a registry; one that is not there yet is empty.

    Raises:
        StateError: a line cannot be read, or does not follow the line before it.
    """
    if not path.exists():
        return Registry(path)
    fix = "Put the file back from a copy."
    text = read_text(path, "the registry of models", refused_as("the registry", fix))
    entries: list[RegistryEntry] = []
    head = ""
    *lines, last = text.split("\n")
    for number, line in enumerate([*lines, last] if last else lines, start=1):
        entry = _entry(f"{path}:{number}", line)
        if entry.chain != head:
            fix = "Put the file back from a copy; nothing is read from a broken chain."
            said = "does not follow the line before it: one was changed, moved or taken out"
            raise StateError(f"{path}:{number}: {said}. {fix}")
        entries.append(entry)
        head = hashlib.sha256(line.encode()).hexdigest()
    return Registry(path, tuple(entries), head)


def record(path: Path, decide: Callable[[Registry], E]) -> E:
    """Decide on what the registry holds, and add the record, alone: nobody writes in between.

    Args:
        path: the registry.
        decide: returns the record; raises where there is none to add.

    Raises:
        StateError: the file is broken, or cannot be written, and is as it was; or the record is
            there, and the ledger could not be told.
        SettingsError: there is a ledger, and no machine key.
    """
    refuse_unready_ledger(_ledger_beside(path))
    with clear_disk_errors(path), alone_in(private_folder(path.parent)):
        registry = read_registry(path)
        entry = decide(registry).but(chain=registry.head)
        line = entry.model_dump_json()
        add_line(path, line)
        _note(path, entry, line)
    return entry


def _ledger_beside(path: Path) -> Path:
    return path.resolve().parent / LEDGER


def _note(path: Path, entry: RegistryEntry, line: str) -> None:
    """Write what was done into the ledger beside the registry, where one is kept.

    Raises:
        StateError: the ledger could not be told.
    """
    ledger = _ledger_beside(path)
    if not is_kept(ledger):
        return
    whole = path.read_bytes()
    before = hashlib.sha256(whole[: whole.rfind(line.encode())]).hexdigest()
    try:
        add(
            ledger,
            KINDS[entry.kind],
            place=".",
            facts={"name": entry.name},
            digests={f"before: {path.name}": before} if entry.chain else {},
            files={path.name: digest_of_file(path)},
        )
    except LadderError as error:
        done = f"{path}: {entry.name} is {entry.kind}: that stands, and the ledger does not say so"
        raise StateError(f"{done}. {error}") from None


def now() -> str:
    """Return the time of a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def clock_note(registry: Registry) -> str:
    """Say that the clock stands before the last record; empty: it does not."""
    last = registry.entries[-1].at if registry.entries else ""
    if now() >= last:
        return ""
    return (
        f"The clock stands before the last record ({last}): it went back, or was ahead then. "
        "The order of the lines decides, not the time."
    )


def _entry(where: str, line: str) -> RegistryEntry:
    try:
        return _ENTRY.validate_json(line)
    except ValueError as error:
        why = fault_of_record(error)
        fix = "Take it out if it is the last line; else put the file back from a copy."
        raise StateError(f"{where}: no record of the registry ({why}). {fix}") from None
