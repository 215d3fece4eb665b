"""Two runs beside each other, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ladder.evidence import Comparison
from ladder.evidence.compared import Change, RungsCompared, RunsCompared, Side
from ladder.report.summary import usd
from ladder.report.texts import each_text
from ladder.wording import MOST_SHOWN, harmless, span

MOST_NAMED = 10
"""Rows that are named where only one of the runs has them right."""
HEADS = ("rung", "A", "B", "B − A on shared rows", "rows", "p", "claim")
COLOURS = {"better": "green", "worse": "red"}


def show_compared(found: RunsCompared, console: Console) -> None:
    """Print the two answers, the table of rungs, the rows that differ, and what changed."""
    found = each_text(found, lambda text: harmless(text, MOST_SHOWN))
    for name, run, answer in zip(
        "AB",
        (found.first, found.second),
        (found.first_answer, found.second_answer),
        strict=True,
    ):
        console.print(Text(f"{name}  {run}"), soft_wrap=True)
        console.print(Text(f"   {answer}"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in HEADS:
        table.add_column(head, overflow="fold")
    for row in compared_rows(found):
        table.add_row(*map(Text, row[:-1]), Text(row[-1], style=COLOURS.get(row[-1], "")))
    console.print()
    console.print(table)
    console.print(Text(rests_on(found), style="dim"))
    for line in (*row_lines(found.rungs), *change_lines(found.changes)):
        console.print(Text(line))


def compared_rows(found: RunsCompared) -> Iterator[tuple[str, ...]]:
    """Yield the cells of the table."""
    for rung in found.rungs:
        paired = rung.paired
        yield (
            rung.name,
            _score(rung.first),
            _score(rung.second),
            f"{paired.difference:+.2f} ({paired.low:+.2f} to {paired.high:+.2f})"
            if paired
            else "–",
            f"{paired.n:,}" if paired else "–",
            f"{paired.p_value:.3f}" if paired else "–",
            paired.claim if paired else _why_none(rung),
        )


def _paired(found: Comparison) -> tuple[str, str, str, str]:
    between = f"{found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
    return between, f"{found.n:,}", f"{found.p_value:.3f}", found.claim


def _why_none(rung: RungsCompared) -> str:
    if rung.first is None or rung.second is None:
        return f"not measured in {'A' if rung.first is None else 'B'}"
    return "no shared rows"


def _score(side: Side | None) -> str:
    return span(side.score) if side else "–"


def rests_on(found: RunsCompared) -> str:
    """Say what the figures rest on."""
    return (
        f"A, B: mean on the rows of each run ({100 * found.confidence:g} % interval) · B − A: the "
        "same rows in both, paired; p two-sided, Holm over all lines · rows: the first ones of the "
        "eval set, until a gate was decided"
    )


def row_lines(rungs: Sequence[RungsCompared]) -> Iterator[str]:
    """Yield which rows only one of the runs has right, and what was left out."""
    for rung in rungs:
        if rung.paired:
            same = f"{rung.same_answer:,} of {rung.paired.n:,} answers are the same, to the letter"
            yield f"{rung.name}: {same}"
            yield from _costs(rung)
        for said, rows in (("lost in B", rung.lost), ("won in B", rung.won)):
            if rows:
                more = f" and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
                yield f"  {said}: {len(rows):,} ({', '.join(rows[:MOST_NAMED])}{more})"
        if rung.apart:
            yield f"  left out: {rung.apart:,} rows whose input or target differs in B"


def _costs(rung: RungsCompared) -> Iterator[str]:
    assert rung.first is not None
    assert rung.second is not None
    for what, first, second in (
        ("p95", _ms(rung.first), _ms(rung.second)),
        ("$ per 1k", _usd(rung.first), _usd(rung.second)),
    ):
        if first != second:
            yield f"  {what}: {first} → {second}"


def _ms(side: Side) -> str:
    return "not timed" if side.p95_ms is None else f"{side.p95_ms:.0f} ms"


def _usd(side: Side) -> str:
    return "unknown" if side.usd_per_1k is None else usd(side.usd_per_1k)


def change_lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield what changed from A to B, by part."""
    parts = dict.fromkeys(change.part for change in changes)
    yield "What changed from A to B:" if parts else "Nothing changed from A to B that is recorded."
    for part in parts:
        yield f"  {part}"
        for one in changes:
            if one.part == part:
                yield f"    {one.what}: {one.first} → {one.second}"
