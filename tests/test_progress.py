"""What a log file gets of a run that nobody watches: a line for each step, and signs of life."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest
from harmful import HOSTILE, acting
from rich.console import Console

from ladder.progress import CandidateStarted, Look, RungStarted, RunStarted, Spent
from ladder.report.live import Live

RUN = RunStarted("shop", "bundled:none", ("prompt", "rag"), 0.8, None, None, 100, 50, 5.0)
LOOK = Look("rag", 2, 6, 35, 34, 0.91, 0.77, 0.97, 0.8, "undecided")


class Clock:
    """Seconds, as a test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def logged(clock: Clock, quiet_s: float = 60) -> tuple[Live, io.StringIO]:
    """Return a watch that writes a log file, and the file."""
    log = io.StringIO()
    return Live(Console(file=log, width=40), quiet_s, clock), log


def test_each_step_leaves_one_line():
    clock = Clock()
    watch, log = logged(clock)
    with watch.step("racing, round 1 of 6", 2) as advance:
        for done in (1, 2):
            with watch.step("Text/Label, 8 examples that are like the question", 4) as inside:
                clock.now += 4
                inside(4)
            advance(done)
    with watch.step("starting a training", 1) as advance:
        clock.now += 2
        advance(1)
    assert log.getvalue().splitlines() == [
        "  racing, round 1 of 6: 2 of 2, 8 s",
        "  starting a training: 2 s",
    ]


def test_a_step_of_under_a_second_leaves_nothing():
    watch, log = logged(Clock())
    with watch.step("reading rows", 3) as advance:
        advance(3)
    watch.say("over")
    assert log.getvalue() == "over\n"


def test_a_long_step_gives_signs_of_life():
    clock = Clock()
    watch, log = logged(clock)
    watch.tell(Spent(12, 1024, 0.0, 0.0, 5.0))
    with watch.step("measuring rag", 100, at_most=True) as advance:
        for done in range(1, 101):
            clock.now += 6
            advance(done, "1 failed")
    lines = log.getvalue().splitlines()
    assert lines[0] == ("  measuring rag: 11 of 100, 1 failed, 1,024 tokens, at most 9 min left")
    assert len(lines) == 10
    assert lines[-1] == "  measuring rag: 100 of 100, 10 min"


def test_a_step_that_says_nothing_gives_signs_of_life_all_the_same():
    log = io.StringIO()
    watch = Live(Console(file=log, width=200), quiet_s=0.2)
    with watch.step("measuring rag", 3), watch.step("rows to 25", 25):
        until = time.monotonic() + 30
        while not log.getvalue() and time.monotonic() < until:
            time.sleep(0.05)
    assert log.getvalue().splitlines()[0] == "  measuring rag: 0 of 3 > rows to 25: 0 of 25"


def test_an_interim_look_leaves_a_line():
    watch, log = logged(Clock())
    watch.tell(LOOK)
    assert log.getvalue() == (
        "  look 2 of 6: score 0.91 (0.77–0.97) on 34 rows, 1 without a score, gate 0.8: undecided\n"
    )


@pytest.mark.parametrize("usd", [0.0, 0.012])
def test_money_stands_beside_its_limit_where_any_is_spent(usd):
    clock = Clock()
    watch, log = logged(clock)
    with watch.step("measuring rag", 3) as advance:
        watch.tell(Spent(12, 1024, usd, 2 * usd, 5.0))
        clock.now += 61
        advance(1)
    money = " · 0.0240 of 5 USD, 0.0120 of it in this run" if usd else ""
    said = f"  measuring rag: 1 of 3, 1,024 tokens{money}, about 2 min left"
    assert log.getvalue().splitlines()[0] == said


def test_a_log_holds_no_codes_and_no_bars():
    clock = Clock()
    for console in (Console(file=io.StringIO()), Console(file=io.StringIO(), force_terminal=True)):
        console._environ = {"TERM": "dumb"}
        with Live(console, 60, clock) as watch:
            watch.tell(RUN)
            watch.tell(RungStarted("prompt", 1, 2))
            with watch.step("racing", 3) as advance:
                clock.now += 70
                advance(1)
                watch.tell(LOOK)
        log = console.file.getvalue()
        assert "\x1b" not in log
        assert "\r" not in log
        assert "━" not in log
        assert len(log.splitlines()) == 3


OWN = re.compile(r"\x1b\[(\?25[lh]|2K|1A|\d*m)|\r")
"""What the progress bar itself sends: it hides the cursor and goes back over its lines."""


def test_titles_notes_and_lines_that_stay_are_harmless():
    for terminal in (False, True):
        log = io.StringIO()
        watch = Live(Console(file=log, width=500, force_terminal=terminal, color_system=None), -1)
        watch.tell(RunStarted(HOSTILE, HOSTILE, (HOSTILE, "rag"), 0.8, None, None, 100, 50, 5.0))
        watch.tell(RungStarted(HOSTILE, 1, 2))
        watch.tell(CandidateStarted(HOSTILE, HOSTILE, "race"))
        with watch.step(HOSTILE, 3) as advance:
            advance(1, HOSTILE)
            watch.tell(LOOK)
        watch.say(f"  {HOSTILE}")
        assert not acting(OWN.sub("", log.getvalue()))
        assert "[red]alert[/red]" in log.getvalue()


def test_a_question_is_asked_harmlessly(monkeypatch):
    log, typed = io.StringIO(), io.StringIO("y\n")
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    watch = Live(Console(file=log, width=5000, force_terminal=True, color_system=None))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    assert watch.ask(f"{HOSTILE} Climb on?", default=False)
    assert not acting(log.getvalue())
    assert "[red]alert[/red]" in log.getvalue()
