"""`ladder assess --dry-run`: what a climb would take, before anything is asked or trained."""

from __future__ import annotations

from pathlib import Path

from ladder.assess import describe_data, headline, refuse_untestable
from ladder.economy.cost import machine_usd, tokens_usd_per_1k
from ladder.report.markdown import duration
from ladder.report.watch import Quiet
from ladder.rungs import LADDER
from ladder.rungs.base import Climb, Rung
from ladder.rungs.opening import open_climb
from ladder.rungs.racing import ROUNDS
from ladder.task import Task

CANDIDATES = {"prompt": 40, "rag": 16, "lora": 2, "distill": 2}
"""Candidates that enter the first round, about."""
TOKENS_PER_SECOND = {"answer": 3000, "train": 700}
"""A small model on two CPU cores. Measured: benchmarks/throughput.py."""
TRAINED_TIMES = 4
CHARACTERS_PER_TOKEN = 4
EXAMPLES_SHOWN = 6


def forecast(task: Task, runs: Path, *, every: bool, until: str | None) -> str:
    """Return the most that a climb would take, rung by rung, if no rung passed early."""
    climb, rows = open_climb(task, runs, Quiet())
    climb.engine(task.models.base)  # refuses an endpoint that the rules forbid
    report = describe_data(task, climb.splits, rows)
    refuse_untestable(task, report)
    lines = [headline(report), "", _row("rung", *HEADS)]
    total = [0.0, 0.0, 0.0, 0.0]
    for rung in LADDER:
        if rung.NAME not in task.rungs:
            continue
        missing = rung.unavailable(climb)
        if missing and not (rung.NAME == "distill" and climb.best() is None):
            lines.append(_row(rung.NAME, "-", "-", "-", f"skipped: {missing}"))
        else:
            figures = _figures(climb, rung)
            total = [a + b for a, b in zip(total, figures, strict=True)]
            lines.append(_row(rung.NAME, *_texts(figures)))
        if until == rung.NAME:
            break
    lines.append(_row("at most", *_texts((total[0], total[1], total[2], total[3]))))
    lines.append("The climb stops at the first rung that passes, usually well before this.")
    climb.store.close()
    return "\n".join(lines)


HEADS = ("calls", "tokens", "time", "USD")

Figures = tuple[float, float, float, float]


def _figures(climb: Climb, rung: Rung) -> Figures:
    """Return calls, tokens, seconds and dollars of one rung."""
    splits, task = climb.splits, climb.task
    row_tokens = _mean_length([sample.input for sample in splits.gate])
    shown = row_tokens * EXAMPLES_SHOWN if rung.NAME == "rag" else 0.0
    prompt = row_tokens + shown + len(task.goal) / CHARACTERS_PER_TOKEN
    calls, alive = float(len(splits.gate)), float(CANDIDATES[rung.NAME])
    for count in ROUNDS:
        calls += alive * min(count, len(splits.dev))
        alive /= 2
    tokens = calls * prompt
    trained = 0.0
    if rung.NAME in ("lora", "distill"):
        trained = TRAINED_TIMES * len(splits.train) * row_tokens * 1.5
    seconds = tokens / TOKENS_PER_SECOND["answer"] + trained / TOKENS_PER_SECOND["train"]
    prices = climb.prices(task.models.base)
    if prices is None:
        usd = machine_usd(seconds, task.hardware.usd_per_hour)
    else:
        usd = calls / 1000 * tokens_usd_per_1k(prompt, 16, prices)
    return calls, tokens + trained, seconds, usd


def _mean_length(texts: list[str]) -> float:
    return sum(map(len, texts)) / max(1, len(texts)) / CHARACTERS_PER_TOKEN


def _texts(figures: Figures) -> tuple[str, str, str, str]:
    calls, tokens, seconds, usd = figures
    return f"{calls:,.0f}", f"{tokens:,.0f}", duration(seconds), f"{usd:.4f}"


def _row(*cells: str) -> str:
    return f"{cells[0]:10}{cells[1]:>10}{cells[2]:>14}{cells[3]:>10}  {cells[4]}"
