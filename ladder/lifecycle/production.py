"""What is in production under each name, read off the registry's records. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from ladder.evidence import (
    Announced,
    Promoted,
    RegistryEntry,
    Rehearsed,
    RolledBack,
    StepName,
    Stepped,
    System,
)
from ladder.files import digest_of


@dataclass(frozen=True)
class Production:
    """One name: its champion and what stands behind it."""

    stack: tuple[Promoted, ...] = ()
    """Promotions, the champion's last. A rollback takes those above its target off."""
    line: int = 0
    """Of the record that put the champion there, from 1."""
    record: Promoted | RolledBack | None = None
    """That record."""
    rehearsals: tuple[Rehearsed, ...] = ()
    announced: tuple[Announced, ...] = ()
    steps: tuple[Stepped, ...] = ()
    """Since the last rollback: what was rolled back has to be replaced anew."""

    @property
    def champion(self) -> Promoted:
        """The promotion of what is in production."""
        return self.stack[-1]

    @property
    def before(self) -> Promoted | None:
        """What a rollback leads to."""
        return self.stack[-2] if len(self.stack) > 1 else None

    def rehearsal(self, plan: str) -> Rehearsed | None:
        """Return the last rehearsal of a system, by its plan's digest."""
        return next((one for one in reversed(self.rehearsals) if one.system.plan == plan), None)

    @property
    def end(self) -> Announced | None:
        """The last announcement of the champion's end."""
        model = self.champion.model
        return next((one for one in reversed(self.announced) if one.model == model), None)

    def done(self, new: str) -> dict[StepName, Stepped]:
        """Return the steps that are done towards a replacement, by its plan's digest."""
        return {step.step: step for step in self.steps if step.new.plan == new}


def in_production(entries: Iterable[RegistryEntry]) -> dict[str, Production]:
    """Return name -> what is in production under it, in the order of the first promotions."""
    found: dict[str, Production] = {}
    for line, entry in enumerate(entries, start=1):
        found[entry.name] = _after(found.get(entry.name, Production()), entry, line)
    return {name: one for name, one in found.items() if one.stack}


def _after(before: Production, entry: RegistryEntry, line: int) -> Production:
    match entry:
        case Promoted():
            return replace(before, stack=(*before.stack, entry), line=line, record=entry)
        case RolledBack():
            kept = before.stack[: place_of(before, entry.system) + 1]
            return replace(before, stack=kept, line=line, record=entry, steps=())
        case Rehearsed():
            return replace(before, rehearsals=(*before.rehearsals, entry))
        case Announced():
            return replace(before, announced=(*before.announced, entry))
        case Stepped():
            return replace(before, steps=(*before.steps, entry))


def place_of(found: Production, system: System) -> int:
    """Return where a system stands below the champion, the nearest first; -1: nowhere."""
    below = range(len(found.stack) - 2, -1, -1)
    return next((at for at in below if found.stack[at].system.plan == system.plan), -1)


def cited(entries: Iterable[RegistryEntry]) -> frozenset[str]:
    """Return the digests of the release records that promotions have used up."""
    return frozenset(
        entry.release for entry in entries if isinstance(entry, Promoted) and entry.release
    )


def days_left(announced: Announced | None, today: date) -> int | None:
    """Return the days until an announced end; negative: it is over."""
    return None if announced is None else (announced.ends - today).days


def observed(entries: Iterable[RegistryEntry]) -> dict[str, int]:
    """Return model -> the shortest notice that this registry has seen of it, in days."""
    found: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry, Announced):
            days = (entry.ends - entry.told).days
            found[entry.model] = min(days, found.get(entry.model, days))
    return found


def digest_of_entry(entry: RegistryEntry) -> str:
    """Return the digest by which a record is named."""
    return digest_of(entry.model_dump(mode="json"))
