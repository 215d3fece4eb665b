"""The README's table of rungs, from the assessments in a folder of runs.

    python benchmarks/table.py runs

For each task: the newest decision (a climb that stopped) beside the newest `--all` run. Seconds are
those of the longest decision, the one that had to ask: a repeated one finds its answers kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ladder.evidence import Assessment
from ladder.task import RUNGS
from ladder.wording import span


def newest(runs: Path) -> dict[str, dict[bool, Assessment]]:
    """Return task name -> {whether every rung was measured: newest assessment}."""
    found: dict[str, dict[bool, Assessment]] = {}
    for path in sorted(runs.glob("*/*/assessment.json")):
        assessment = Assessment.model_validate_json(path.read_text())
        kinds = found.setdefault(assessment.task.name, {})
        before = kinds.get(assessment.every_rung, assessment)
        seconds = max(before.seconds, assessment.seconds)
        kinds[assessment.every_rung] = assessment.model_copy(update={"seconds": seconds})
    return found


def row(decided: Assessment | None, every: Assessment | None) -> str:
    """Return one line of the table."""
    shown = every or decided
    if shown is None:
        return ""
    best = max((line.score.mean for line in shown.control.lines), default=0) if shown.control else 0
    cells = [shown.task.name, f"{shown.task.gate['min_score']:g}", f"{best:.2f}"]
    for rung in RUNGS:
        attempt = next((a for a in shown.attempts if a.rung == rung), None)
        if attempt is None or attempt.measurement is None:
            cells.append("–")
        else:
            cells.append(
                span(attempt.measurement.score) + (" ✓" if attempt.status == "passed" else "")
            )
    if decided:
        chosen = decided.recommendation
        word = "none" if chosen.rung is None else chosen.rung
        cells.append(f"**{word}**{', unproven' if chosen.leans_to_pass else ''}")
        asked = decided.effort.by_purpose.values()
        calls, tokens = sum(each.calls for each in asked), sum(each.tokens for each in asked)
        cells += [f"{decided.seconds:.0f}", f"{calls:,}", f"{tokens:,}"]
    else:
        cells += ["–", "–", "–", "–"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    heads = ("task", "gate", "control", *RUNGS, "chosen", "seconds", "calls", "tokens")
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")
    for _, kinds in sorted(newest(Path(sys.argv[1])).items()):
        print(row(kinds.get(False), kinds.get(True)))


if __name__ == "__main__":
    main()
