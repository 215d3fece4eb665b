"""`ladder assess --dry-run`: what a climb would take, before anything is asked or trained."""

from __future__ import annotations

from pathlib import Path

from ladder.climb.dry_run import dry_run
from ladder.economy.cost import together
from ladder.engines import is_served
from ladder.evidence import Asked
from ladder.progress import Watch
from ladder.task import RungName, Task
from ladder.wording import MOST_SAID, MOST_SHOWN, duration, harmless

HEADS = ("calls", "tokens", "time", "USD")


def forecast(task: Task, runs: Path, watch: Watch, *, until: RungName | None) -> str:
    """Return what a climb would take, rung by rung, if no rung passed."""
    lines, found = dry_run(task, runs, watch, until=until)
    lines = [*(harmless(line, MOST_SAID) for line in lines), "", _row("rung", *HEADS)]
    total = Asked()
    for name, asked in found.items():
        if isinstance(asked, str):
            lines.append(_row(name, "-", "-", "-", f"skipped: {harmless(asked, MOST_SHOWN)}"))
        else:
            total = together(total, asked)
            lines.append(_row(name, *_texts(asked)))
    lines.append(_row("in all", *_texts(total)))
    limit = task.rules.max_spend_usd
    if is_served(task.models.base) and total.usd > limit:
        lines.append(
            f"That is more than rules.max_spend_usd ({limit:g}): the run would stop there."
        )
    lines.append(
        "Estimated, with every rung measured in full and diagnosed as if half of its answers were "
        "wrong. The climb stops at the first rung that passes. Prompts with examples are several "
        "times longer: where one of them wins early, a rung takes more than this."
    )
    if task.stops_at_control:
        lines.append(
            "A control that holds the gate ends the climb before the first rung; it is measured "
            "first, without a model."
        )
    return "\n".join(lines)


def _texts(asked: Asked) -> tuple[str, str, str, str]:
    time, usd = duration(asked.seconds), f"{asked.usd:.4f}"
    return f"{asked.calls:,}", f"{asked.tokens:,}", time, usd


def _row(*cells: str) -> str:
    return f"{cells[0]:10}{cells[1]:>10}{cells[2]:>14}{cells[3]:>10}  {cells[4]}"
