"""How long does a verdict take, and how much memory, when there are many rows?

    python benchmarks/verdict.py

Scores of a system just above its limit, so that every look is taken and none is clear before the
last. Memory is what Python and NumPy hold at the peak beyond the scores themselves. The goal is a
verdict on 1,000,000 rows in less than a second and in flat memory.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence

import numpy as np

from ladder.gate.budget import Budget
from ladder.gate.looks import judge_in_looks, looks
from ladder.gate.verdict import judge_score

ROWS = (10_000, 100_000, 1_000_000)
LIMIT, BUDGET = 0.80, Budget((0.0125,))


def scores_of(kind: str, rows: int) -> list[float]:
    """Return scores with a mean of about 0.8."""
    draw = np.random.default_rng(rows)
    found = draw.random(rows) < LIMIT if kind == "0/1" else draw.beta(4, 1, rows)
    return [float(score) for score in found]


def all_looks(scores: Sequence[float]) -> None:
    """Take the verdict as a climb does, look by look."""
    counts = looks(len(scores))
    judge_in_looks(lambda count: (scores[:count], None), counts, LIMIT, BUDGET)


def main() -> None:
    """Print seconds and megabytes for each kind of score and number of rows."""
    ways = {
        "one verdict": lambda scores: judge_score(scores, LIMIT, BUDGET.levels[0]),
        "all looks": all_looks,
    }
    print(f"{'scores':8}{'rows':>10}  {'':12}{'seconds':>8}{'MB':>7}")
    for kind in ("0/1", "graded"):
        for rows in ROWS:
            scores = scores_of(kind, rows)
            for name, way in ways.items():
                started = time.perf_counter()
                way(scores)
                seconds = time.perf_counter() - started
                tracemalloc.start()
                way(scores)
                peak = tracemalloc.get_traced_memory()[1] / 1e6
                tracemalloc.stop()
                print(f"{kind:8}{rows:10,}  {name:12}{seconds:8.2f}{peak:7.1f}")


if __name__ == "__main__":
    main()
