"""Whether a candidate may take a champion's place: releases.jsonl beside the candidate's plan."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.values import Record


class System(Record):
    """A certified answer, by its plan."""

    task: str
    """Name of its task."""
    plan: str
    """Digest of its revalidation.yaml."""
    folder: str
    """Name of the run's folder."""
    created: str
    """When it was certified; UTC, ISO 8601."""


class ReleaseRecord(Record):
    """One release check. A promotion cites it by the digest of its values."""

    schema_version: Literal[1] = 1
    at: str
    """UTC, ISO 8601."""
    candidate: System
    champion: System
    passed: bool
