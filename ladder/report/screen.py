"""The one screen of a run in a terminal: where it is, what it has found, and how long it takes.

Drawn anew a few times a second from what was told; no wider than the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ladder.progress import Look
from ladder.report.pace import Step, Steps, about, clock_time
from ladder.report.story import Story
from ladder.wording import MOST_SHOWN, harmless

WIDEST = 100
INTERVAL_CELLS = 20
BAR_CELLS = 16
NARROW = 78
"""Columns below which nothing is drawn beside the figures: no bar, no interval."""
MORE = 1.1
"""Times what was paid in this run, from which on other runs are told of: less is under way."""
NARROWEST = 50
"""Columns below which how long a step has taken gives way to what it is."""
SIGNS = {"passed": "✓", "failed": "✗", "undecided": "?", "skipped": "–", "no verdict": "!"}
PLAIN_SIGNS = {"passed": "+", "failed": "x", "undecided": "?", "skipped": "-", "no verdict": "!"}
STYLES = {"passed": "green", "failed": "red", "undecided": "yellow", "no verdict": "yellow"}


class Screen:
    """Draws a story and the steps under way."""

    def __init__(self, story: Story, steps: Steps) -> None:
        """Take what is drawn; it goes on changing."""
        self.story, self.steps = story, steps

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines."""
        width = min(options.max_width, WIDEST)
        plain = options.ascii_only
        parts = [*self._head(width, plain=plain), _steps(self.steps, width)]
        for part in parts:
            yield from console.render(part, options.update(width=width))

    def _head(self, width: int, *, plain: bool) -> Iterator[RenderableType]:
        if self.story.run is None:
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True, width=5)
        grid.add_column(no_wrap=True, overflow="ellipsis", max_width=width - 7)
        for name, shown in self._lines(plain=plain, drawn=width >= NARROW):
            grid.add_row(name, shown)
        yield Text()
        yield grid

    def _lines(self, *, plain: bool, drawn: bool) -> Iterator[tuple[str, Text]]:
        story = self.story
        yield "rungs", _rungs(story, plain=plain)
        if story.candidate is not None:
            yield "asked", Text(harmless(story.candidate.description, MOST_SHOWN))
        if story.look is not None:
            yield "score", _score(story.look, plain=plain, drawn=drawn)
        if story.spent is not None:
            yield "spent", Text(spent_in_words(story))
        yield "time", Text(time_in_words(story, self.steps.left()))


def _rungs(story: Story, *, plain: bool) -> Text:
    """Return the ladder in a line: what has ended and how, where it is, what is above."""
    signs, line = PLAIN_SIGNS if plain else SIGNS, Text()
    for rung in story.run.rungs if story.run else ():
        line.append(" " if line.plain else "")
        status = story.ended.get(rung)
        if story.rung is not None and story.rung.rung == rung:
            sign = ">" if plain else "▸"
            line.append(f"{sign}{harmless(rung, MOST_SHOWN)}", "bold")
        elif status is not None:
            line.append(f"{signs.get(status, '?')}{rung}", STYLES.get(status, "dim"))
        else:
            line.append(rung, "dim")
    if story.rung is not None:
        line.append(f"  {story.rung.number} of {story.rung.of}")
    return line


def _score(look: Look, *, plain: bool, drawn: bool) -> Text:
    """Return a score with its interval, in figures and drawn where there is room, and the gate."""
    line = interval(look, plain=plain).append(" ") if drawn else Text()
    line.append(f"{look.score:.2f} ({look.low:.2f}–{look.high:.2f}) gate {look.min_score:g}")
    line.append(f" · look {look.number} of {look.of}, {look.rows} rows")
    return line


def interval(look: Look, *, plain: bool) -> Text:
    """Return the line from 0 to 1 with the interval, the score and the gate on it."""
    thin, thick, mean, gate = ("-", "=", "o", "|") if plain else ("·", "━", "●", "┃")

    def cell(value: float) -> int:
        return min(INTERVAL_CELLS - 1, max(0, int(value * INTERVAL_CELLS)))

    cells = [(thin, "dim")] * INTERVAL_CELLS
    for at in range(cell(look.low), cell(look.high) + 1):
        cells[at] = (thick, "cyan")
    cells[cell(look.score)] = (mean, "bold cyan")
    cells[cell(look.min_score)] = (gate, "yellow")
    line = Text()
    for sign, style in cells:
        line.append(sign, style)
    return line


def spent_in_words(story: Story) -> str:
    """Return tokens, and money beside its limit where an endpoint is paid."""
    spent = story.spent
    if spent is None:
        return ""
    tokens = f"{spent.tokens:,} tokens"
    if not spent.usd and not spent.usd_all_runs:
        return tokens
    whole = max(spent.usd, spent.usd_all_runs)
    here = f", {spent.usd:.4f} of it in this run" if whole > MORE * spent.usd else ""
    return f"{tokens} · {whole:.4f} of {spent.max_spend_usd:g} USD{here}"


def time_in_words(story: Story, step: float | None) -> str:
    """Return how long the run has taken, and has still to take as far as that is known."""
    words = clock_time(story.elapsed)
    left = story.left(step)
    if left is None:
        return words
    most, least = left
    if_passed = ""
    if story.rung is not None and about(least) != about(most):
        if_passed = f", of it {about(least)} if {story.rung.rung} passes"
    return f"{words} · left: at most {about(most)}{if_passed}"


def _steps(steps: Steps, width: int) -> Table:
    """Return a line for each step under way: its title, how far it is, the time left."""
    now, bars, elapsed = steps.clock(), width >= NARROW, width >= NARROWEST
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    if bars:
        grid.add_column(width=BAR_CELLS)
    grid.add_column(no_wrap=True, justify="right")
    if elapsed:
        grid.add_column(no_wrap=True, justify="right", min_width=5)
    grid.add_column(no_wrap=True, min_width=12 if elapsed else None)
    for depth, step in enumerate(steps):
        title = Text("  " * depth + harmless(step.title, MOST_SHOWN))
        if step.note:
            title.append(f"  {harmless(step.note, MOST_SHOWN)}", "dim")
        bar = [ProgressBar(step.total, step.total * step.reached, width=BAR_CELLS)] if bars else []
        far = f"{step.done:,} of {step.total:,}" if step.total > 1 else ""
        gone = [clock_time(now - step.opened)] if elapsed else []
        grid.add_row(title, *bar, far, *gone, left_in_words(step, now))
    return grid


def left_in_words(step: Step, now: float) -> str:
    """Return the time left of a step, as far as it is known."""
    left = step.left(now)
    if left is None or not left:
        return ""
    return f"{'≤ ' if step.at_most else '~ '}{about(left)} left"
