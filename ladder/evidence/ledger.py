"""What was done, in the order in which it was: ledger.jsonl, a record a line, append-only."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.values import Record

LedgerKind = Literal[
    "begun",
    "freeze",
    "look",
    "test set opened",
    "assess",
    "training",
    "page",
    "release check",
    "promotion",
    "rollback",
    "rehearsal",
    "deprecation",
    "revalidation",
    "drift",
    "probe",
    "signature",
    "erasure",
    "vouched",
]


class LedgerRecord(Record):
    """Something that was done: digests and figures alone, no row and no name of a person."""

    version: Literal[1] = 1
    number: int = 0
    """Of the leaf in the tree, from 0."""
    at: str = ""
    """UTC, ISO 8601. For people: the order of the lines decides."""
    kind: str
    """A `LedgerKind`; a reader passes over one that it does not know."""
    task: str = ""
    place: str = ""
    """The folder that it is about, relative to the ledger's."""
    facts: dict[str, str | int] = {}
    digests: dict[str, str] = {}
    """What it is about -> sha256."""
    files: dict[str, str] = {}
    """File in `place` -> sha256, as it was left."""

    @property
    def line(self) -> int:
        """Its line in the ledger, from 1: how messages count records."""
        return self.number + 1


class TreeHead(Record):
    """What a signed tree head says: so many lines, and the hash over all of them."""

    version: Literal[1] = 1
    size: int
    root: str
    """RFC 6962, in hexadecimal."""
    at: str
    """UTC, ISO 8601, by the clock of the machine that signed."""


class FrozenCriteria(Record):
    """What was promised before it was measured: the payload of a freeze."""

    schema_version: Literal[1] = 1
    task: str
    at: str
    """UTC, ISO 8601: the criteria existed no later than this."""
    metric_rationale: str
    fields: dict[str, str]
    """Name -> value, as `ladder.audit.frozen` says it."""


class FrozenChange(Record):
    """A field that is another one than was frozen."""

    field: str
    frozen: str
    now: str


class CitedFreeze(Record):
    """What a run says about its criteria, where there is a ledger."""

    frozen: bool
    """Whether a freeze of this task stands in the ledger."""
    at: str = ""
    digest: str = ""
    """The sha256 of the freeze's file."""
    record: int = 0
    """Its `number` in the ledger, from 0."""
    looks_before: int = 0
    """Looks at these eval examples that stand in the ledger before the freeze."""
    openings_before: int = 0
    """Readings of this held-out test set that stand there before it."""
    metric_rationale: str = ""
    """Why this metric, as it was frozen."""
    changes: tuple[FrozenChange, ...] = ()
