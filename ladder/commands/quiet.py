"""`ladder audit quiet`: the table of opt-outs, with what this process has."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.trust.quiet import HUB_OFFLINE, table

HUB = (
    f"{HUB_OFFLINE}=1, too, where a task keeps its data here and names no model, rows or metric of "
    "the hub; in every training; and under --isolated"
)


def quiet_lines() -> Iterator[str]:
    """Yield the table of opt-outs: variable and value, who has set it, whose it is, what it stops.

    A value of the user's own stays where it is as quiet as ours.
    """
    rows = [
        (f"{each.variable}={value}", f"set by {by}", f"{each.library}: {each.sends}")
        for each, value, by in table()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    yield HUB
