"""What a log file gets of a run that nobody watches."""

from __future__ import annotations

import io

from rich.console import Console

from ladder.report.watch import Live


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
