"""The tables of results and their figures, from the assessments in a folder of runs.

    python benchmarks/table.py RUNS [--json benchmarks/figures.json]

`make figures DATA=FOLDER` assesses every task first; RUNS is then runs/figures. The tables of the
README and of benchmarks/README.md are held to that file by a test. A task that RUNS has no decision
on keeps the row that the file has of it: each row names the commit and the processor that it is of.
For each task the newest decision (a climb that stopped); rungs that it did not climb are not
measured. Seconds are those of the longest decision, the one that had to ask: a repeated one finds
its answers kept.
The answer is what the report says to take: a rung, the control where that is to be taken instead,
or none. Beside it stands its score on the held-out test set, with a mark where that confirms it; a
control that is taken in the place of a rung that passed was not put to that set.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from ladder.economy.cost import together
from ladder.evidence import Asked, Assessment, Attempt, Recommendation
from ladder.hardware import BF16_UNITS, processor_flags
from ladder.report.control import replaced_by_control
from ladder.task import RUNGS
from ladder.wording import span

FLAGS = BF16_UNITS | {"avx2"}
HEADS = (
    *("task", "gate", "control", *RUNGS, "answer", "test"),
    *("seconds", "calls", "tokens", "commit", "flags"),
)


def newest(runs: Path) -> dict[str, dict[bool, Assessment]]:
    """Return task name -> {whether every rung was measured: newest assessment}."""
    found: dict[str, dict[bool, Assessment]] = {}
    for path in sorted(runs.glob("*/*/assessment.json")):
        assessment = Assessment.model_validate_json(path.read_text())
        kinds = found.setdefault(assessment.task.name, {})
        before = kinds.get(assessment.every_rung, assessment)
        seconds = max(before.seconds, assessment.seconds)
        kinds[assessment.every_rung] = assessment.but(seconds=seconds)
    return found


def answer_of(found: Assessment) -> str:
    """Return what the report says to take."""
    chosen = found.recommendation
    if chosen.control or replaced_by_control(found):
        return "control"
    word = chosen.rung or "none"
    return f"{word}, leans to pass" if chosen.leans_to_pass else word


def figures_of(found: Assessment) -> dict[str, Any]:
    """Return a decision's figures, as the tables show them."""
    lines = found.control.lines if found.control else ()
    asked = reduce(together, found.effort.by_purpose.values(), Asked())
    rungs = {attempt.rung: _shown(attempt) for attempt in found.attempts}
    return {
        "gate": _gate(found.task.gate),
        "control": f"{max((line.score.mean for line in lines), default=0):.2f}",
        **{rung: rungs.get(rung, "–") for rung in RUNGS},
        "answer": answer_of(found),
        "test": "–" if replaced_by_control(found) else _confirmed(found.recommendation),
        "seconds": f"{found.seconds:.0f}",
        "calls": f"{asked.calls:,}",
        "tokens": f"{asked.tokens:,}",
        "plans": {name: plan.tokens for name, plan in found.effort.plans.items()},
        "ladder": found.ladder_version,
        "processor": found.hardware["processor"],
    }


def _gate(gate: Mapping[str, Any]) -> str:
    late = gate.get("max_p95_ms")
    return f"{gate['min_score']:g}" + (f", {late:g} ms" if late else "")


def _shown(attempt: Attempt) -> str:
    if attempt.measurement is None:
        return "–"
    return span(attempt.measurement.score) + (" ✓" if attempt.status == "passed" else "")


def all_figures(runs: Path, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return task -> figures of every task that there is a decision on.

    Args:
        runs: the folder of runs; this checkout and this processor made them.
        kept: figures of earlier, for tasks that the folder has no decision on.
    """
    made = {"commit": _commit(), "flags": " ".join(sorted(FLAGS & processor_flags()))}
    decisions = {task: kinds.get(False) for task, kinds in newest(runs).items()}
    found = {task: {**figures_of(one), **made} for task, one in decisions.items() if one}
    return dict(sorted({**kept, **found}.items()))


def _confirmed(found: Recommendation) -> str:
    if found.confirmed is None:
        return "–"
    return span(found.confirmed) + (" ✓" if found.confirmed_verdict == "pass" else "")


def _commit() -> str:
    """Return the commit that is checked out here, and `-dirty` where files differ from it."""
    said = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(said, check=True, capture_output=True, text=True).stdout.strip()


def table(tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield f"| {' | '.join(HEADS)} |"
    yield "|---" * len(HEADS) + "|"
    for task, figures in tasks.items():
        yield f"| {task} | {' | '.join(figures[head] for head in HEADS[1:])} |"


def main() -> None:
    """Print the table; write its figures where that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    kept = options.json is not None and options.json.exists()
    found = all_figures(options.runs, json.loads(options.json.read_text()) if kept else {})
    print("\n".join(table(found)))
    if options.json:
        text = json.dumps(found, indent=2, ensure_ascii=False)
        options.json.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
