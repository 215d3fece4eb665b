"""The assessment on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from ladder.evidence import Assessment
from ladder.report.markdown import answer_line, table_rows

COLOURS = {"pass": "green", "fail": "red", "undecided": "yellow"}


def show(assessment: Assessment, folder: Path, console: Console) -> None:
    """Print the table of rungs, the answer, and where the files are."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("rung", "score", "p95", "$ per 1k", "build", "verdict"):
        table.add_column(name, overflow="fold")
    for row in table_rows(assessment):
        colour = COLOURS.get(row[-1].split(" ")[0], "")
        table.add_row(*row[:-1], f"[{colour}]{row[-1]}[/{colour}]" if colour else row[-1])
    console.print()
    console.print(table)
    console.print()
    console.print(f"[bold]{answer_line(assessment)}[/bold]", highlight=False)
    if assessment.control and assessment.recommendation.rung:
        console.print(f"Note: {assessment.control.sentence}", highlight=False)
    saved = assessment.savings
    console.print(
        f"{saved.calls_made:,} calls on held-out rows instead of {saved.calls_if_exhaustive:,}, "
        f"{assessment.seconds:.0f} s",
        highlight=False,
    )
    console.print(f"report {folder / 'report.md'}", highlight=False, soft_wrap=True)
    if assessment.plan:
        console.print(f"plan   {folder / assessment.plan}", highlight=False, soft_wrap=True)
