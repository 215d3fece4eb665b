"""Progress for people: one screen in a terminal; in a log file or CI one line for each step."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from rich.console import Console
from rich.live import Live as Drawing
from rich.prompt import Confirm
from rich.text import Text

from ladder.progress import Advance, Event, Look, Work, Worked
from ladder.report.pace import Step, Steps, about
from ladder.report.screen import Screen, spent_in_words
from ladder.report.story import Story
from ladder.wording import MOST_SHOWN, harmless, indented

DRAWN_A_SECOND = 4
SHORT_S = 1.0
"""Steps that took less leave no line in a log: a run whose answers are all kept is one of those."""


class Live:
    """A person watches a terminal, or reads a log file later."""

    def __init__(
        self,
        console: Console,
        quiet_s: float = 60,
        clock: Callable[[], float] = time.monotonic,
        *,
        screen: bool = True,
    ) -> None:
        """Watch.

        Args:
            console: where to write.
            quiet_s: seconds after which a long step writes into a log file how far it is.
            clock: seconds.
            screen: off: lines alone, as in a log file, at a terminal as well.
        """
        self.console, self.quiet_s, self.clock = console, quiet_s, clock
        self.steps, self.story = Steps(clock), Story(clock)
        self.draws = screen and console.is_terminal and not console.is_dumb_terminal
        self._last = clock()
        self._drawing: Drawing | None = None
        self._held = False

    @property
    def looks_ahead(self) -> bool:
        """Whether it shows how long a whole climb may take."""
        return self.draws

    def __enter__(self) -> Live:
        """Keep the screen up between steps as well."""
        self._held = True
        self._show()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the screen down: what was printed stays, and the cursor is back."""
        self._held = False
        self._hide()

    @contextmanager
    def step(
        self, title: str, total: int, work: Work | None = None, *, at_most: bool = False
    ) -> Iterator[Advance]:
        """Show how far a step is and how long it will take; a step inside one, below it."""
        step = self.steps.open(title, total, work, at_most=at_most)
        self._show()

        def advance(
            done: int, note: str = "", *, worked: Worked | None = None, part: float | None = None
        ) -> None:
            self.steps.advance(step, done, note, worked, part)
            if not self.draws and self.clock() - self._last > self.quiet_s:
                self._sign_of_life()

        try:
            with ExitStack() as beside:
                if not self.draws and len(self.steps.under_way) == 1:
                    beside.callback(self._signs_in_silence())
                yield advance
        finally:
            self.steps.close(step)
            if not self.steps.under_way:
                self._ended(step)

    def _ended(self, step: Step) -> None:
        if self.draws and not self._held:
            self._hide()
        took = self.clock() - step.opened
        if not self.draws and took >= SHORT_S:
            far = f"{step.done:,} of {step.total:,}, " if step.total > 1 else ""
            self.say(f"  {step.title}: {far}{about(took)}")

    def _signs_in_silence(self) -> Callable[[], object]:
        """Say how far the steps are where they themselves say nothing for long; return an end."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(self.quiet_s / 4 if self.quiet_s > 0 else 60):
                if self.clock() - self._last > self.quiet_s:
                    self._sign_of_life()

        threading.Thread(target=watch, daemon=True).start()
        return over.set

    def _sign_of_life(self) -> None:
        """Say how far the steps are, in one line."""
        steps = list(self.steps)
        if not steps:
            return
        far = [
            f"{step.title}: {step.done:,} of {step.total:,}" if step.total > 1 else step.title
            for step in steps
        ]
        left = self.steps.left()
        most = "at most " if steps[0].at_most else "about "
        notes = [steps[-1].note, spent_in_words(self.story)]
        notes += [f"{most}{about(left)} left"] if left else []
        self.say(f"  {', '.join([' > '.join(far), *filter(None, notes)])}")

    def tell(self, event: Event) -> None:
        """Take note of what happened; a log file gets a line for each interim look."""
        self.story.hear(event)
        if isinstance(event, Look) and not self.draws:
            self.say(f"  {look_in_words(event)}")

    def say(self, text: str) -> None:
        """Print one line that stays, above the screen."""
        self.console.print(Text(indented(text, MOST_SHOWN)), soft_wrap=not self.draws)
        self._last = self.clock()

    def ask(self, question: str, default: bool) -> bool:
        """Ask at a terminal; in a log file, write what was taken for the answer."""
        if self.console.is_terminal and sys.stdin.isatty():
            asked = Text(harmless(question, MOST_SHOWN))
            self._hide()
            try:
                return Confirm.ask(asked, console=self.console, default=default)
            finally:
                if self._held or self.steps.under_way:
                    self._show()
        self.say(f"{question} Nobody to ask: {'yes' if default else 'no'}, by the estimate.")
        return default

    def _show(self) -> None:
        if not self.draws or self._drawing is not None:
            return
        self._drawing = Drawing(
            Screen(self.story, self.steps),
            console=self.console,
            refresh_per_second=DRAWN_A_SECOND,
            transient=True,
            redirect_stdout=not self.console.stderr,  # else what a program reads would go astray
        )
        self._drawing.start()
        self._stop_with_care()

    def _hide(self) -> None:
        drawing, self._drawing = self._drawing, None
        if drawing is not None:
            drawing.stop()

    def _stop_with_care(self) -> None:
        """Let Ctrl-Z give the terminal back as it was, and draw anew when the run goes on."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
            return

        def stop(number: int, _: FrameType | None) -> None:
            shown = self._drawing is not None
            self._hide()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            if shown:
                self._show()

        signal.signal(signal.SIGTSTP, stop)


def look_in_words(look: Look) -> str:
    """Return an interim look as a line."""
    failed = f", {look.rows - look.n} without a score" if look.rows > look.n else ""
    return (
        f"look {look.number} of {look.of}: score {look.score:.2f} ({look.low:.2f}–{look.high:.2f}) "
        f"on {look.n} rows{failed}, gate {look.min_score:g}: {look.decision}"
    )
