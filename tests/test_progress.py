"""What a log file gets of a run that nobody watches."""

from __future__ import annotations

import io
import re
import sys

from harmful import HOSTILE, acting
from rich.console import Console

from ladder.report.live import Live


def written(quiet_s: float) -> str:
    """Return what a step of three units leaves in a log file."""
    log = io.StringIO()
    watch = Live(Console(file=log, width=200), quiet_s)
    with watch.step("training lora", 3) as advance:
        for done in (1, 2, 3):
            advance(done)
    watch.say("over")
    return log.getvalue()


def test_a_long_step_gives_a_sign_of_life():
    lines = written(quiet_s=-1).splitlines()
    assert lines == [*(f"  training lora: {at} of 3" for at in (1, 2, 3)), "over"]


def test_a_short_step_leaves_nothing():
    assert written(quiet_s=60) == "over\n"


def test_what_was_spent_stands_beside_how_far_it_is():
    log = io.StringIO()
    watch = Live(Console(file=log, width=200), -1)
    with watch.step("measuring rag", 3) as advance:
        watch.spent("1,024 tokens, 0.0120 of 5 USD")
        advance(1)
        advance(2, "1 failed")
    assert log.getvalue().splitlines() == [
        "  measuring rag: 1 of 3, 1,024 tokens, 0.0120 of 5 USD",
        "  measuring rag: 2 of 3, 1 failed · 1,024 tokens, 0.0120 of 5 USD",
    ]


OWN = re.compile(r"\x1b\[(\?25[lh]|2K|1A|\d*m)|\r")
"""What the progress bar itself sends: it hides the cursor and goes back over its lines."""


def test_titles_notes_and_lines_that_stay_are_harmless():
    for terminal in (False, True):
        log = io.StringIO()
        watch = Live(Console(file=log, width=500, force_terminal=terminal, color_system=None), -1)
        with watch.step(HOSTILE, 3) as advance:
            advance(1, HOSTILE)
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
