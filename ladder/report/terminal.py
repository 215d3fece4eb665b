"""The assessment on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ladder.evidence import Assessment, Happening
from ladder.report.brief import BRIEF
from ladder.report.calibrated import calibration_line
from ladder.report.causes import miss_sentence
from ladder.report.cluster import cluster_line
from ladder.report.control import control_sentence, take_control
from ladder.report.effort import effort_in_short
from ladder.report.frozen import frozen_lines
from ladder.report.isolation import isolation_line
from ladder.report.page import PAGE
from ladder.report.reasons import answer_reasons, openings_sentence
from ladder.report.since import since_lines
from ladder.report.summary import answer_line, assumed, table_rows
from ladder.report.texts import each_text
from ladder.wording import MOST_SHOWN, counted, disturbed_words, harmless

COLOURS = {"pass": "green", "fail": "red", "undecided": "yellow", "no verdict": "magenta"}


def show(
    assessment: Assessment, folder: Path, console: Console, since: Sequence[Happening] = ()
) -> None:
    """Print the table of rungs, the answer, what happened since, and where the files are."""
    assessment = each_text(assessment, lambda text: harmless(text, MOST_SHOWN))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("rung", "score", "p95", "$ per 1k", "build", "verdict"):
        table.add_column(name, overflow="fold")
    for row in table_rows(assessment):
        colour = next((c for word, c in COLOURS.items() if row[-1].startswith(word)), "")
        table.add_row(*map(Text, row[:-1]), Text(row[-1], style=colour))
    console.print()
    console.print(table)
    console.print(Text(assumed(assessment), style="dim"))
    console.print()
    console.print(Text(answer_line(assessment), style="bold"))
    for line in _notes(assessment):
        console.print(Text(line))
    if certainty := calibration_line(assessment):
        console.print(Text(certainty))
    for line in effort_in_short(assessment.effort, assessment.seconds):
        console.print(Text(line))
    for line in _surroundings(assessment):
        console.print(Text(line))
    failed = sum((Counter(a.asked.errors) for a in assessment.attempts), Counter())
    if failed:
        told = "left out, none counts as wrong"
        console.print(Text(f"requests that failed: {counted(failed)}; {told}"))
    for line in since_lines(since):
        console.print(Text(harmless(line, MOST_SHOWN)))
    for name, place in _places(assessment, folder):
        console.print(Text(f"{name:<6} {harmless(str(place))}"), soft_wrap=True)


def _surroundings(assessment: Assessment) -> Iterator[str]:
    """Yield where answers came from beside this machine, and what could have left it."""
    if assessment.cluster:
        yield harmless(cluster_line(assessment.cluster), MOST_SHOWN)
    if assessment.isolation:
        yield isolation_line(assessment.isolation)


def _places(assessment: Assessment, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that the run left, by what they are."""
    yield "report", folder / "report.md"
    if (folder / PAGE).is_file():
        yield "page", folder / PAGE
    if (folder / BRIEF).is_file():
        yield "brief", folder / BRIEF
    if assessment.plan:
        yield "plan", folder / assessment.plan


def _disturbed(a: Assessment) -> Iterator[str]:
    """Say which rungs were timed beside other work."""
    waits = a.disturbed
    if waits:
        most = "up to " if len(waits) > 1 else ""
        yield f"Note: latency of {', '.join(waits)}: {disturbed_words(max(waits.values()), most)}"


def _notes(a: Assessment) -> Iterator[str]:
    """Yield what qualifies the answer."""
    found = a.recommendation
    yield from _disturbed(a)
    if found.rung is None:
        yield from (f"- {reason}" for reason in answer_reasons(a)[len(a.attempts) :])
        return
    if instead := take_control(a):
        yield f"But {instead}"
    elif a.control and not found.control:
        yield f"Note: {control_sentence(a)}"
    if a.chosen and (missed := miss_sentence(a.chosen)):
        yield f"Note: {missed}"
    if read := openings_sentence(found):
        yield f"Note: {read}"
    yield from frozen_lines(a.criteria)
