"""What is in production, and how it came there: registry.jsonl, a record a line, append-only."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from ladder.evidence.release import System
from ladder.evidence.values import Record

StepName = Literal["freeze", "dual run", "non-inferiority", "cut-over", "retention"]


class _Entry(Record):
    schema_version: Literal[1] = 1
    name: str
    """Of the model in the registry: what callers know the answer by."""
    at: str
    """UTC, ISO 8601. For people: the order of the lines decides."""
    by: str = ""
    """Who did it, in the words of `--by`; nobody is named by default."""
    chain: str = ""
    """sha256 of the line before; empty in the first line."""


class Promoted(_Entry):
    """A certified answer goes into production."""

    kind: Literal["promoted"] = "promoted"
    system: System
    place: str
    """The run's folder, relative to the registry's."""
    rung: str
    """A rung, or `control`."""
    model: str
    """The reference that the plan shows; empty: no language model."""
    production: bool = False
    """It was held to a pinned snapshot (`--production`)."""
    release: str | None = None
    """Digest of the release record that it cites; None: the first of its name."""
    checks: int = 0
    """Release checks of this candidate against this champion by then."""
    previous: System | None = None
    owner: str = ""
    fallback: str = ""
    """The rung to fall back to when the model goes."""


class RolledBack(_Entry):
    """An answer that was in production before is so again."""

    kind: Literal["rolled back"] = "rolled back"
    system: System
    place: str
    previous: System


class Rehearsed(_Entry):
    """A system was loaded and asked, and nothing else was changed."""

    kind: Literal["rehearsed"] = "rehearsed"
    system: System
    rows: int
    """Eval examples that were answered anew."""
    same: int | None = None
    """Of these: to the letter as they were kept; None: the run kept none."""
    score_then: float | None = None
    """Mean over these rows, as it was kept."""
    score_now: float | None = None
    findings: tuple[str, ...] = ()
    """Reasons not to rely on it; none: the rehearsal went well."""


class Announced(_Entry):
    """Somebody was told when a model ends."""

    kind: Literal["announced"] = "announced"
    model: str
    """The reference that ends."""
    ends: date
    told: date
    """Of the announcement: the two make the notice that was observed."""


class Stepped(_Entry):
    """A step of a deprecation is done; it is not done again."""

    kind: Literal["deprecation step"] = "deprecation step"
    step: StepName
    old: System
    new: System
    facts: dict[str, str | float | int] = {}
    kept: dict[str, str] = {}
    """File -> sha256 of what is to be kept."""


RegistryEntry = Annotated[
    Promoted | RolledBack | Rehearsed | Announced | Stepped, Field(discriminator="kind")
]
