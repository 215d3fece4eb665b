"""Two runs beside each other: in words on a terminal, and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ladder.evidence.compared import Change, RungsCompared, RunsCompared, Side
from ladder.figures import Bar, Mark, Rule, intervals_svg
from ladder.report.blocks import Block, Bullets, Figure, Folded, Heading, say, tabled
from ladder.report.page import NO_SAMPLES, made_from
from ladder.report.summary import usd
from ladder.report.texts import each_text
from ladder.wording import MOST_SAID, MOST_SHOWN, harmless, latency, span

MOST_NAMED = 10
"""Rows that are named where only one of the runs has them right."""
HEADS = ("rung", "A", "B", "B − A on shared rows", "rows", "p", "claim")
COLOURS = {"better": "green", "worse": "red"}
MARKS: dict[str, Mark] = {"better": "good", "worse": "bad"}
NOTHING_CHANGED = "Nothing changed from A to B that is recorded."


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
        same = same_answers(rung)
        if same:
            yield f"{rung.name}: {same}"
        yield from (f"  {line}" for line in rung_lines(rung))


def same_answers(rung: RungsCompared) -> str:
    """Say how many answers did not change; empty where no rows are shared."""
    if rung.paired is None:
        return ""
    return f"{rung.same_answer:,} of {rung.paired.n:,} answers are the same, to the letter"


def rung_lines(rung: RungsCompared) -> Iterator[str]:
    """Yield what else changed of a rung, and which rows were left out."""
    if rung.paired:
        yield from _costs(rung)
    for said, rows in (("lost in B", rung.lost), ("won in B", rung.won)):
        if rows:
            more = f" and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
            yield f"{said}: {len(rows):,} ({', '.join(rows[:MOST_NAMED])}{more})"
    if rung.apart:
        yield f"left out: {rung.apart:,} rows whose input or target differs in B"


def _costs(rung: RungsCompared) -> Iterator[str]:
    assert rung.first is not None
    assert rung.second is not None
    for what, first, second in (
        ("p95", _ms(rung.first), _ms(rung.second)),
        ("$ per 1k", _usd(rung.first), _usd(rung.second)),
    ):
        if first != second:
            yield f"{what}: {first} → {second}"


def _ms(side: Side) -> str:
    return "not timed" if side.p95_ms is None else latency(side.p95_ms)


def _usd(side: Side) -> str:
    return "unknown" if side.usd_per_1k is None else usd(side.usd_per_1k)


def change_lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield what changed from A to B, by part."""
    parts = dict.fromkeys(change.part for change in changes)
    yield "What changed from A to B:" if parts else NOTHING_CHANGED
    for part in parts:
        yield f"  {part}"
        for one in changes:
            if one.part == part:
                yield f"    {one.what}: {one.first} → {one.second}"


def compared_page(found: RunsCompared, addresses: tuple[str, str] = ("", "")) -> str:
    """Return the comparison as a page that needs no network and no other file.

    Args:
        found: as it was compared.
        addresses: of the pages of both runs, where they are served.
    """
    shown = each_text(found, partial(harmless, most=MOST_SAID))
    sides = zip(
        "AB",
        (shown.first, shown.second),
        (shown.first_answer, shown.second_answer),
        addresses,
        strict=True,
    )
    return made_from(
        "compared.html", sides=tuple(sides), blocks=tuple(_blocks(shown)), samples=NO_SAMPLES
    )


def _blocks(found: RunsCompared) -> Iterator[Block]:
    yield Heading(2, "Rung by rung")
    picture = _differences(found)
    if picture:
        yield picture
    yield tabled(HEADS, *compared_rows(found))
    yield say(rests_on(found))
    for rung in found.rungs:
        yield from _rung_blocks(rung)
    yield Heading(2, "What changed from A to B")
    if not found.changes:
        yield say(NOTHING_CHANGED)
        return
    changes = ((one.part, one.what, one.first, one.second) for one in found.changes)
    yield tabled(("part", "what", "A", "B"), *changes)


def _rung_blocks(rung: RungsCompared) -> Iterator[Block]:
    said = tuple(filter(None, (same_answers(rung), *rung_lines(rung))))
    if said:
        yield Heading(3, rung.name)
        yield Bullets(said)
    for words, rows in (("lost in B", rung.lost), ("won in B", rung.won)):
        if len(rows) > MOST_NAMED:
            yield Folded(f"All {len(rows):,} rows {words}", (say(", ".join(rows)),))


def _differences(found: RunsCompared) -> Figure | None:
    """Draw what B scores more than A on the shared rows; None where no rung shares any."""
    paired = [(rung.name, rung.paired) for rung in found.rungs if rung.paired]
    if not paired:
        return None
    bars = [
        Bar(name, each.difference, each.low, each.high, MARKS.get(each.claim, "open"))
        for name, each in paired
    ]
    most = max(max(abs(bar.low), abs(bar.high)) for bar in bars) or 1.0
    rows = [
        (name, f"{each.difference:+.2f} ({each.low:+.2f} to {each.high:+.2f})", f"{each.n:,}")
        for name, each in paired
    ]
    return Figure(
        f"What B scores more than A on the rows that both measured, with its "
        f"{100 * found.confidence:g} % interval",
        lambda width: intervals_svg(
            bars, [Rule(0, "no difference")], width, "B − A", (-1.1 * most, 1.1 * most)
        ),
        tabled(("rung", "B − A", "rows"), *rows),
    )
