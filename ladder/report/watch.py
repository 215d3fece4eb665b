"""Who watches a run: a progress bar with the time left for every long step, or nobody."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.prompt import Confirm
from rich.text import Text

Advance = Callable[[int], object]
"""Tells how many of the step's units are done so far."""


class Watch(Protocol):
    """What a long step reports to."""

    def step(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Open a step of `total` units."""
        ...

    def say(self, text: str) -> None:
        """Print one line that stays."""
        ...

    def ask(self, question: str, default: bool) -> bool:
        """Ask yes or no; the default where nobody can answer."""
        ...


class Quiet:
    """Nobody watches."""

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda done: None

    def say(self, text: str) -> None:
        """Print nothing."""

    def ask(self, question: str, default: bool) -> bool:
        """Return the default."""
        return default


class Live:
    """A person watches a terminal; in a log file only the lines that stay are written."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(
            TextColumn("  {task.description:.60}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar, the count, the time so far and the time left; a step inside one, below it."""
        if not self.console.is_terminal:
            yield lambda done: None
            return
        if not self._bars.tasks:
            self._bars.start()
        bar = self._bars.add_task(title, total=max(total, 1))
        try:
            yield lambda done: self._bars.update(bar, completed=done)
        finally:
            self._bars.remove_task(bar)
            if not self._bars.tasks:
                self._bars.stop()

    def say(self, text: str) -> None:
        """Print one line that stays."""
        self.console.print(Text(text))

    def ask(self, question: str, default: bool) -> bool:
        """Ask at a terminal; in a log file, write what was taken for the answer."""
        if self.console.is_terminal and sys.stdin.isatty():
            return Confirm.ask(question, console=self.console, default=default)
        self.say(f"{question} Nobody to ask: {'yes' if default else 'no'}, by the estimate.")
        return default
