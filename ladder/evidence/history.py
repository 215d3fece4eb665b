"""What happened to a certified answer since, and how it stands: `ladder status`, the page."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.values import Estimate, Record

HappeningKind = Literal["revalidation", "drift", "probe", "release"]
AlarmName = Literal["silent", "overdue", "found", "ends", "ended", "unreadable"]
"""silent: no check for too long; overdue: no revalidation for too long; found: a check found
something, and nothing came after; ends, ended: the model; unreadable: a line of a record."""


class Happening(Record):
    """One line of a record beside a plan."""

    at: str
    """UTC, ISO 8601."""
    kind: HappeningKind
    held: bool
    """Whether it gave no reason to act."""
    found: tuple[str, ...] = ()
    """The reasons to act, or the champion of a release check."""
    score: Estimate | None = None
    ends: str | None = None
    """ISO date of the announced end of the model."""
    fresh: int = 0
    """Of a revalidation: rows of recent traffic that it was the first to read."""


class PlanStanding(Record):
    """How one plan stands."""

    plan: str
    """Its path."""
    task: str
    """Name of the folder of its task."""
    created: str
    in_production: bool | None
    """None: no registry says so."""
    proven: bool = True
    """See `RevalidationPlan.proven`."""
    last: str
    """UTC time of the last check, else of the certification."""
    last_kind: HappeningKind | Literal["certification"]
    age_days: int
    due: str
    """ISO date of the next revalidation."""
    open: tuple[Happening, ...]
    """Checks that found something, and nothing came after."""
    ends: str | None
    ends_in_days: int | None
    alarms: tuple[AlarmName, ...]
    notes: tuple[str, ...]
    """Lines that do not count, each with its place: of the future, or unreadable."""


class Standing(Record):
    """How all plans stand."""

    schema_version: Literal[1] = 1
    at: str
    """UTC, ISO 8601."""
    plans: tuple[PlanStanding, ...]
    missing: tuple[str, ...]
    """Names of what the registry has in production, and whose plan is not here."""
    notes: tuple[str, ...]
    """Plans and lines of the registry that cannot be read."""

    @property
    def alarms(self) -> bool:
        """Whether anything calls for action."""
        return bool(self.missing or self.notes or any(plan.alarms for plan in self.plans))
