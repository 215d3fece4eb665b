"""What a rung is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ladder.evidence import Candidate
from ladder.inference.evaluator import Climb
from ladder.task import RungName

Wave = Callable[[Climb, Candidate | None], list[Candidate]]
"""Candidates to race next, given the winner of the waves before (none at first)."""


class Rung(Protocol):
    """A way to customise: a module with these names, and a line in `rungs.LADDER`."""

    @property
    def NAME(self) -> RungName:  # noqa: N802 - a module's constant
        """The rung's name in task.yaml and in reports."""
        ...

    @property
    def WAVES(self) -> tuple[Wave, ...]:  # noqa: N802 - a module's constant
        """Groups of candidates, raced one after the other."""
        ...

    @property
    def CHALLENGES(self) -> tuple[Wave, ...]:  # noqa: N802 - a module's constant
        """Further waves, whose winner must also be better on rows that chose nothing."""
        ...

    def unavailable(self, climb: Climb) -> str | None:
        """Return why this rung cannot be tried at all on this task, or None."""
        ...
