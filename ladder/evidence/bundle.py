"""What stands in a bundle: bundle.json."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.values import Record


class BundledFile(Record):
    """A file of a bundle."""

    sha256: str
    bytes: int


class Bundle(Record):
    """The list of a folder that is carried to a machine without a network."""

    schema_version: Literal[1] = 1
    ladder_version: str
    task: str
    """The name of the task."""
    task_file: str
    """Where it lies in the folder."""
    digest: str
    """Of the task file."""
    python: str
    """`3.11`: the version that the wheels are for."""
    platform: str
    """`Linux x86_64`."""
    extras: tuple[str, ...]
    pins: dict[str, str]
    """Distribution -> version."""
    data: dict[str, str]
    """Role -> where the file lies in the folder."""
    missing: tuple[str, ...]
    """What is not in it and would be needed, a sentence each; empty: nothing that is known of."""
    files: dict[str, BundledFile]
    """Every file of the folder but this one, README.md and SHA256SUMS."""
