"""The slice table: how accurate for which kind of row, with intervals, as CSV."""

from __future__ import annotations

import csv
import io

from ladder.audit.pack.certified import certified, level, slices
from ladder.evidence import Assessment, Estimate
from ladder.wording import harmless

HEAD = ("rung", "slice", "examples", "score", "low", "high", "interval", "set")
FORMULA = ("=", "+", "-", "@")


def slice_table(a: Assessment) -> str:
    """Return every score by kind of row, and the whole of each rung and of the test set."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(HEAD)
    for attempt in a.attempts:
        if m := attempt.measurement:
            rows.writerow(_row(a, attempt.rung, "all", m.score, "eval"))
            for name, one in slices(attempt).items():
                rows.writerow(_row(a, attempt.rung, name, one, "eval"))
    if (found := certified(a)) is not None:
        rung = a.recommendation.rung or "control"
        rows.writerow(_row(a, rung, "all", found.score, "held-out test"))
    return file.getvalue()


def _row(a: Assessment, rung: str, name: str, one: Estimate, of: str) -> tuple[str, ...]:
    shown = harmless(name)
    shown = f"'{shown}" if shown.startswith(FORMULA) else shown  # no cell is a formula
    figures = (f"{figure:.4f}" for figure in (one.mean, one.low, one.high))
    return (rung, shown, str(one.n), *figures, level(a), of)
