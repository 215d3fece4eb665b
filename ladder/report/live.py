"""Progress on a terminal: bars with the time left; in a log file, signs of life."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

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

from ladder.progress import Advance
from ladder.wording import MOST_SHOWN, harmless, indented


class Live:
    """A person watches a terminal; a log file gets the lines that stay, and a sign of life."""

    def __init__(self, console: Console, quiet_s: float = 60) -> None:
        """Watch.

        Args:
            console: where to write.
            quiet_s: seconds after which a long step writes into a log file how far it is.
        """
        self.console = console
        self.quiet_s = quiet_s
        self._last = time.monotonic()
        self._spent = ""
        self._bars = Progress(
            TextColumn("  {task.description:.60}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
        )

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar, the count, the time so far and the time left; a step inside one, below it."""
        if not self.console.is_terminal:
            yield partial(self._sign_of_life, title, total)
            return
        if not self._bars.tasks:
            self._bars.start()
        bar = self._bars.add_task(harmless(title, MOST_SHOWN), total=max(total, 1), note="")
        try:
            yield lambda done, note="": self._bars.update(
                bar, completed=done, note=harmless(self._beside(note), MOST_SHOWN)
            )
        finally:
            self._bars.remove_task(bar)
            if not self._bars.tasks:
                self._bars.stop()

    def _sign_of_life(self, title: str, total: int, done: int, note: str = "") -> None:
        if time.monotonic() - self._last > self.quiet_s:
            beside = self._beside(note)
            self.say(f"  {title}: {done:,} of {total:,}" + (f", {beside}" if beside else ""))

    def _beside(self, note: str) -> str:
        return " · ".join(filter(None, (note, self._spent)))

    def spent(self, text: str) -> None:
        """Show what was spent so far beside the step that is under way."""
        self._spent = text

    def say(self, text: str) -> None:
        """Print one line that stays."""
        self.console.print(Text(indented(text, MOST_SHOWN)))
        self._last = time.monotonic()

    def ask(self, question: str, default: bool) -> bool:
        """Ask at a terminal; in a log file, write what was taken for the answer."""
        if self.console.is_terminal and sys.stdin.isatty():
            asked = Text(harmless(question, MOST_SHOWN))
            return Confirm.ask(asked, console=self.console, default=default)
        self.say(f"{question} Nobody to ask: {'yes' if default else 'no'}, by the estimate.")
        return default
