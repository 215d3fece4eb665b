"""The one screen of a run, at a real pseudo-terminal: drawn in its width, and gone at the end."""

from __future__ import annotations

import io
import signal
import time

import pytest
from report.terminal import COLOURS, Left, at_terminal, interrupted, sheet, terminated
from rich.console import Console

from ladder.progress import (
    CandidateStarted,
    Forecast,
    Look,
    RungEnded,
    RungStarted,
    RunStarted,
    Spent,
    Work,
    Worked,
)
from ladder.report.live import Live

PROGRAM = """
import sys, time
from ladder.ending import end_on_signals
from rich.console import Console
from ladder.progress import *
from ladder.report.live import Live

def climb(watch):
    watch.say("shop · bundled:none")
    watch.tell(RunStarted("shop", "bundled:none", ("prompt", "rag"), 0.8, None, None, 99, 50, 5.0))
    watch.tell(RungStarted("prompt", 1, 2))
    with watch.step("racing, round 1 of 6, 4 rows each", 3) as advance:
        with watch.step("Text/Label, 8 examples that are like the question", 4) as inside:
            for done in range(1, 5):
                time.sleep(0.15)
                inside(done)
            print("ready", file=sys.stderr)
            time.sleep(float(sys.argv[1]))
            advance(1)
    if sys.argv[2:] == ["bug"]:
        raise RuntimeError("a bug")
    watch.say("  failed, score 0.04 on 25 rows")

end_on_signals()
with Live(Console()) as watch:
    climb(watch)
watch.say("the end")
"""
STAYS = ["shop · bundled:none", "ready"]
"""What was printed before the screen was taken down."""


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_screen_is_gone_at_the_end_and_what_was_said_stays(columns):
    left = at_terminal(PROGRAM, columns, words=["0.5"])
    assert left.code == 0, left.sent
    assert "round 1 of 6" in left.sent
    assert max(map(len, drawn(left))) <= columns
    assert "\x1b[?25l" in left.sent
    assert left.lines[:4] == [*STAYS, "  failed, score 0.04 on 25 rows", "the end"]
    assert not any(left.lines[4:])
    assert not left.hides_cursor


@pytest.mark.slow
@pytest.mark.parametrize(
    ("do", "words"),
    [(interrupted, ["30"]), (terminated, ["30"]), (lambda process: None, ["0.3", "bug"])],
)
def test_however_it_ends_the_terminal_is_as_it_was(do, words):
    left = at_terminal(PROGRAM, do=do, words=words)
    assert left.code != 0
    assert left.lines[:2] == STAYS
    assert not left.hides_cursor
    assert not any("racing" in line or "Text/Label" in line for line in left.lines)


@pytest.mark.slow
def test_it_is_stopped_and_goes_on(tmp_path):
    def stop(process):
        time.sleep(0.6)
        process.send_signal(signal.SIGTSTP)
        time.sleep(0.6)
        process.send_signal(signal.SIGCONT)

    left = at_terminal(PROGRAM, do=stop, words=["2"])
    assert left.code == 0, left.sent
    assert left.sent.count("\x1b[?25l") == 2  # hidden anew when it went on
    assert left.lines[:4] == [*STAYS, "  failed, score 0.04 on 25 rows", "the end"]
    assert not left.hides_cursor


@pytest.mark.slow
def test_without_colours_it_is_drawn_without():
    left = at_terminal(PROGRAM, words=["0.5"], NO_COLOR="1")
    assert left.code == 0
    assert "\x1b[?25l" in left.sent
    assert not COLOURS.search(left.sent)
    assert COLOURS.search(at_terminal(PROGRAM, words=["0.5"]).sent)


@pytest.mark.slow
def test_a_dumb_terminal_gets_lines():
    left = at_terminal(PROGRAM, words=["0.5"], TERM="dumb")
    assert left.code == 0
    assert "\x1b" not in left.sent
    assert left.lines[:5] == [
        *STAYS, "  racing, round 1 of 6, 4 rows each: 1 of 3, 1 s",
        "  failed, score 0.04 on 25 rows", "the end",
    ]  # fmt: skip


def drawn(left: Left) -> list[str]:
    """Return all lines that were ever drawn."""
    return [line for part in left.sent.split("\x1b[2K") for line in sheet(part)]


# What is on it


def screen(width: int, encoding: str = "utf-8", **changed: object) -> list[str]:
    """Return the lines of a screen in the middle of a run."""
    clock = {"now": 0.0}
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    watch = Live(console, clock=lambda: clock["now"])
    spent = {"usd": 0.012, "usd_all_runs": 0.012, **changed}
    watch.tell(
        RunStarted("shop", "bundled:none", ("prompt", "rag", "lora"), 0.8, None, None, 99, 50, 5.0)
    )
    watch.tell(Forecast({"prompt": 40, "rag": 60, "lora": 300}, {"rag": 6_000}, 10.0))
    watch.tell(RungStarted("prompt", 1, 3))
    watch.tell(RungEnded("prompt", "failed", "", 0.04, 0.01, 0.2, 25, 57.0))
    watch.tell(RungStarted("rag", 2, 3))
    watch.tell(CandidateStarted("abc", "Text/Label, 1 document, label log-likelihood", "measure"))
    watch.tell(Look("rag", 1, 6, 25, 25, 0.92, 0.75, 0.98, 0.8, "undecided"))
    steps = watch.steps
    around = steps.open("measuring rag", 99, None, at_most=True)
    clock["now"] = 10.0
    steps.advance(around, 25, "", None, 0.1)
    inside = steps.open("look 2 of 6, rows to 35", 10, Work("scored", 100.0), at_most=False)
    clock["now"] = 14.0
    watch.tell(Spent(40, 3_000, max_spend_usd=5.0, **spent))  # type: ignore[arg-type]
    steps.advance(inside, 4, "1 failed", Worked(50, 100), None)
    with console.capture() as found:
        console.print(watch_screen(watch))
    return found.get().splitlines()


def watch_screen(watch: Live) -> object:
    from ladder.report.screen import Screen

    return Screen(watch.story, watch.steps)


def test_one_screen_says_where_it_is_and_how_it_goes():
    lines = [" ".join(line.split()) for line in screen(100)]
    assert lines == [
        "",
        "rungs ✗prompt ▸rag lora 2 of 3",
        "asked Text/Label, 1 document, label log-likelihood",
        "score ···············━┃━●━ 0.92 (0.75–0.98) gate 0.8 · look 1 of 6, 25 rows",
        "spent 3,000 tokens · 0.0120 of 5 USD",
        "time 0:14 · left: at most 3 min, of it 60 s if rag passes",
        "measuring rag ━━━━╸ 25 of 99 0:14 ≤ 55 s left",
        "look 2 of 6, rows to 35 1 failed ━━━━━━━━ 4 of 10 0:04 ~ 4 s left",
    ]


@pytest.mark.parametrize("width", [40, 60, 72, 100, 200])
def test_it_is_no_wider_than_the_terminal(width):
    lines = screen(width)
    assert max(map(len, lines)) <= min(width, 100)
    assert len(lines) == 8
    assert "measuring rag" in lines[6]
    assert "left" in lines[6]
    assert width < 60 or "look 1 of 6, 25 rows" in lines[3]


def test_a_terminal_without_unicode_gets_plain_signs():
    text = "\n".join(screen(100, "ascii"))
    assert "xprompt >rag lora" in text
    assert "---------------=|=o=" in text


def test_tokens_alone_are_spent_where_nothing_is_paid():
    spent = screen(100, usd=0.0, usd_all_runs=0.0)[4]
    assert spent.split() == ["spent", "3,000", "tokens"]


def test_money_of_runs_before_is_told_beside_the_limit():
    assert "0.5000 of 5 USD, 0.0120 of it in this run" in screen(100, usd_all_runs=0.5)[4]
