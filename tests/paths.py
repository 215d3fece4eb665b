"""All paths of a coin over the looks at it: how likely each verdict is, exactly."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.stats import binom

from ladder.evidence import LimitVerdict
from ladder.gate.budget import Budget
from ladder.gate.looks import Seen
from ladder.gate.verdict import score_between


def coins(hits: int, n: int) -> list[float]:
    """Return scores with so many hits."""
    return [1.0] * hits + [0.0] * (n - hits)


class Paths:
    """What the looks make of every count of right answers, without asking the gate twice."""

    def __init__(self, counts: tuple[int, ...], limit: float, budget: Budget) -> None:
        self.counts, self.limit, self.budget = counts, limit, budget
        self.found = cache(self.judged)

    def judged(self, look: int, hits: int) -> LimitVerdict:
        """Judge at a look as a climb does; of the looks before only the counts matter."""
        state, scores = Seen(self.counts, self.limit, self.budget), coins(hits, self.counts[look])
        for count in self.counts[:look]:
            state.bounds(scores[:count], None)
        bounds = state.bounds(scores, None)
        found = score_between(bounds, scores, None, self.limit, self.budget.levels[0])
        return found.but(clear=found.verdict == "fail" and state.clearly_bad())

    def chances(self, truth: float) -> tuple[float, float, float]:
        """Return how likely a pass is, a fail, and a clear one, of a coin."""
        alive, before = {0: 1.0}, 0
        ends = {"pass": 0.0, "fail": 0.0, "clear": 0.0}
        for look, count in enumerate(self.counts):
            steps = binom.pmf(np.arange(count - before + 1), count - before, truth)
            now: dict[int, float] = {}
            for hits, chance in alive.items():
                for more, step in enumerate(steps):
                    now[hits + more] = now.get(hits + more, 0.0) + chance * float(step)
            alive, before = {}, count
            for hits, chance in now.items():
                found = self.found(look, hits)
                if found.verdict == "undecided":
                    alive[hits] = chance
                    continue
                ends[found.verdict] += chance
                ends["clear"] += chance * found.clear
        return ends["pass"], ends["fail"], ends["clear"]
