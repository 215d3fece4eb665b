"""What a tracker is told, and what a module must have to be one.

A tracker's library runs in a process of its own (`child`): what it prints, where it hangs and how
it fails stays there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ladder.trust.keys import Place


@dataclass(frozen=True)
class Begun:
    """A run of an assessment, when it begins."""

    task: str
    """Its name: what the runs of one task are kept under."""
    name: str
    """Of the run: the time at which it began."""
    folder: str
    """Where a tracker keeps what stays on this machine."""
    params: Mapping[str, str]
    leaves: bool = False
    """Whether the tracker sends it to another machine: the user says so, and the task allows it."""


@dataclass(frozen=True)
class Rung:
    """A rung that was tried."""

    name: str
    step: int
    """Its place in the climb, from 1."""
    verdict: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Ended:
    """The end of a run."""

    status: Literal["finished", "failed"]
    words: Mapping[str, str]
    """What was decided: `answer`, `verdict`, …"""
    metrics: Mapping[str, float]
    files: Sequence[str]
    """Paths of what the run has written."""


class Tracker(Protocol):
    """A run, open in a tracker. Whatever it raises ends the reporting, and nothing else."""

    def rung(self, rung: Rung) -> None:
        """Take note of a rung."""
        ...

    def end(self, ended: Ended) -> None:
        """Take the result and its files, and close the run."""
        ...


class Kind(Protocol):
    """A module in `TRACKERS`."""

    __name__: str
    LIBRARIES: tuple[str, ...]
    """Modules that must be installed."""
    EXTRA: str
    """The extra that installs them."""
    KEYS: tuple[str, ...]
    """How the environment variables begin that its library may read though they look like keys."""

    def goes_to(self, environment: Mapping[str, str]) -> str:
        """Return where the user's own variables send it, in words; empty: it stays here."""
        ...

    def shown_by(self, folder: str) -> str:
        """Return the command that shows what was kept on this machine."""
        ...

    def open_tracker(self, run: Begun) -> Tracker:
        """Begin a run. Called in the process of the tracker: the library is imported here."""
        ...


def is_here(scheme: str, host: str | None) -> bool:
    """Tell whether a server is on this machine."""
    return Place(scheme, (host or "").lower(), 0).here
