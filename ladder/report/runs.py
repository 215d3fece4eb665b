"""The list of runs: one line each, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ladder.evidence import Assessment
from ladder.report.headline import facts, verdict_words
from ladder.report.page import made_from
from ladder.report.texts import each_text
from ladder.wording import MOST_SHOWN, harmless


@dataclass(frozen=True)
class RunLine:
    """What the list says of a run."""

    address: str
    task: str
    created: str
    """UTC, ISO 8601; empty: its record cannot be read."""
    answer: str
    score: str
    per_1k: str


def run_line(assessment: Assessment, address: str) -> RunLine:
    """Return the line of a run."""
    a = each_text(assessment, partial(harmless, most=MOST_SHOWN))
    known = {fact.name: fact.value for fact in facts(a, None)}
    return RunLine(
        address,
        a.task.name,
        a.created,
        verdict_words(a),
        known.get("Score, how sure", "–"),
        known.get("Per 1,000", "–"),
    )


def broken_line(name: str, address: str, said: str) -> RunLine:
    """Return the line of a run whose record cannot be read."""
    return RunLine(address, harmless(name, MOST_SHOWN), "", harmless(said, MOST_SHOWN), "–", "–")


def runs_page(folder: str, lines: Sequence[RunLine]) -> str:
    """Return the list as a page, on which two runs can be chosen."""
    shown = harmless(folder, MOST_SHOWN)
    return made_from("runs.html", forms=True, folder=shown, lines=tuple(lines))
