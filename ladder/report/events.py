"""What happens in a run as JSON, an object a line, for programs: docs/events.md.

People are told on the error output, as ever. Each line is whole when it is written.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from ladder.exit_codes import told
from ladder.progress import (
    Advance,
    CandidateLeft,
    CandidateStarted,
    Confirmed,
    Event,
    Forecast,
    Look,
    RungEnded,
    RungStarted,
    RunStarted,
    Spent,
    Work,
    Worked,
)
from ladder.redaction import redact_in
from ladder.report.live import Live
from ladder.report.pace import Step
from ladder.wording import in_json

EVERY_S = 1.0
"""Seconds between two lines on how far a step is, and between two on what was spent."""


@dataclass(frozen=True)
class StepProgress:
    """How far a step is; the outermost steps are told of when they begin and end, too."""

    step: str
    inside: tuple[str, ...]
    """Titles of the steps around it, the outermost first."""
    done: int
    total: int
    at_most: bool
    """It may end before all units are done."""
    note: str
    elapsed_s: float
    left_s: float | None
    """By its own pace and that of steps like it; null while nothing tells."""
    run_left_at_most_s: float | None
    """Of the whole climb, if no rung passes before the last; null without a forecast."""
    run_left_if_passed_s: float | None
    """Of the whole climb, if the rung under way passes."""
    ended: bool


@dataclass(frozen=True)
class Answer:
    """The end of a verb: what it found, and the exit code."""

    exit_code: int
    folder: str
    """The run's or the artefact's."""
    found: Mapping[str, Any]
    """The record that the verb writes: of assess, all that assessment.json holds."""


@dataclass(frozen=True)
class Failure:
    """The verb ends without an answer."""

    exit_code: int
    message: str
    """As it is said on the error output."""


Told = Event | StepProgress | Answer | Failure

NAMES: Mapping[type[Any], str] = {
    RunStarted: "run started",
    Forecast: "forecast",
    RungStarted: "rung started",
    CandidateStarted: "candidate started",
    CandidateLeft: "candidate left",
    StepProgress: "step",
    Look: "look",
    Spent: "spent",
    RungEnded: "rung ended",
    Confirmed: "confirmed",
    Answer: "answer",
    Failure: "error",
}
"""What a line calls each kind of thing, under `event`."""


@contextmanager
def watching(as_json: bool, *, on_the_side: bool = False) -> Iterator[Live | Events]:
    """Show what is done within to whoever is there: to people, and to a program where asked to.

    A program that reads at the terminal itself gets no screen between its lines.

    Args:
        as_json: events go to the output, what people are told to the error output.
        on_the_side: what people are told on the way goes to the error output in any case.
    """
    if not as_json:
        with Live(Console(stderr=on_the_side)) as people:
            yield people
        return
    with Live(Console(stderr=True), screen=not sys.stdout.isatty()) as people:
        events = Events(people, sys.stdout)
        with events.until_the_end():
            yield events


class Events:
    """Tells a program what happens, and people on the way."""

    def __init__(
        self, people: Live, out: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Watch.

        Args:
            people: are told as without a program.
            out: where the lines go.
            clock: seconds.
        """
        self.people, self.out, self.clock = people, out, clock
        self._told = clock() - EVERY_S
        self._spent: Spent | None = None
        self._spent_told = clock() - EVERY_S

    @contextmanager
    def step(
        self, title: str, total: int, work: Work | None = None, *, at_most: bool = False
    ) -> Iterator[Advance]:
        """Tell how far a step is, once a second at most."""
        with self.people.step(title, total, work, at_most=at_most) as heard:
            step = list(self.people.steps)[-1]
            outermost = len(self.people.steps.under_way) == 1

            def advance(
                done: int, note: str = "", *, worked: Worked | None = None,
                part: float | None = None,
            ) -> None:  # fmt: skip
                heard(done, note, worked=worked, part=part)
                if self.clock() - self._told >= EVERY_S:
                    self._progress(step, ended=False)

            if outermost:
                self._progress(step, ended=False)
            try:
                yield advance
            finally:
                if outermost:
                    self._progress(step, ended=True)

    @property
    def looks_ahead(self) -> bool:
        """Whether it shows how long a whole climb may take."""
        return True

    @property
    def console(self) -> Console:
        """Where people are told."""
        return self.people.console

    def _progress(self, step: Step, *, ended: bool) -> None:
        steps, story = self.people.steps, self.people.story
        now, around = steps.clock(), list(steps)
        left = story.left(steps.left())
        self._told = self.clock()
        self.write(
            StepProgress(
                step=step.title,
                inside=tuple(each.title for each in around[: around.index(step)]),
                done=step.done,
                total=step.total,
                at_most=step.at_most,
                note=step.note,
                elapsed_s=round(now - step.opened, 2),
                left_s=0.0 if ended else _seconds(step.left(now)),
                run_left_at_most_s=_seconds(left[0]) if left else None,
                run_left_if_passed_s=_seconds(left[1]) if left else None,
                ended=ended,
            )
        )

    def say(self, text: str) -> None:
        """Tell people."""
        self.people.say(text)

    def ask(self, question: str, default: bool) -> bool:
        """Ask people."""
        return self.people.ask(question, default)

    def tell(self, event: Event) -> None:
        """Tell what happened; what was spent once a second at most, and when a rung has ended."""
        self.people.tell(event)
        if isinstance(event, Spent):
            self._spent = event
            if self.clock() - self._spent_told >= EVERY_S:
                self._write_spent()
            return
        if isinstance(event, RungEnded | Confirmed):
            self._write_spent()
        self.write(event)

    def _write_spent(self) -> None:
        """Write what was spent, where that was not written yet."""
        spent, self._spent, self._spent_told = self._spent, None, self.clock()
        if spent is not None:
            self.write(spent)

    def write(self, event: Told) -> None:
        """Write one line."""
        fields = redact_in(_plain(asdict(event)))
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"event": NAMES[type(event)], "at": at, **fields}
        self.out.write(in_json(json.dumps(line, ensure_ascii=False)) + "\n")
        self.out.flush()

    @contextmanager
    def until_the_end(self) -> Iterator[None]:
        """Tell of the error that ends what is done within, with the exit code it leads to."""
        try:
            yield
        except BaseException as error:
            code, message = told(error)
            with suppress(OSError, ValueError):  # nobody reads any more: that is the error
                self._write_spent()
                self.write(Failure(code, message))
            raise


def answered(
    watch: Live | Events, exit_code: int, folder: Path, found: Callable[[], Mapping[str, Any]]
) -> None:
    """Tell a program that listens how a verb ended.

    Args:
        watch: of the verb.
        exit_code: what the program is about to end with.
        folder: of the run or the artefact.
        found: returns the record that the verb has written.
    """
    if isinstance(watch, Events):
        watch.write(Answer(exit_code, str(folder), found()))


def _seconds(left: float | None) -> float | None:
    return None if left is None else round(left, 1)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: there is no infinity, and no tuple."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
