"""Who watches a run: a progress bar with the time left for every long step, or nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Tells how many of the step's units are done so far, and how it goes in a word or two."""

    def __call__(self, done: int, note: str = "") -> object:
        """Show it."""
        ...


class Watch(Protocol):
    """What a long step reports to."""

    def step(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Open a step of `total` units."""
        ...

    def say(self, text: str) -> None:
        """Print one line that stays."""
        ...

    def spent(self, text: str) -> None:
        """Take note of what was spent so far: shown beside the steps that are under way."""
        ...

    def ask(self, question: str, default: bool) -> bool:
        """Ask yes or no; the default where nobody can answer."""
        ...


class Quiet:
    """Nobody watches."""

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda done, note="": None

    def say(self, text: str) -> None:
        """Print nothing."""

    def spent(self, text: str) -> None:
        """Show nothing."""

    def ask(self, question: str, default: bool) -> bool:
        """Return the default."""
        return default
