"""A score in looks: more and more rows until the verdict is clear. Pure.

All looks at a limit share its budget, row by row: scores of 0 and 1 by an exact count of all paths
(`gate.sequential`), graded ones by bets that may be looked at any time (`gate.bounds`), weighted
ones by the union bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ladder.evidence import LimitVerdict
from ladder.gate.bounds import (
    bets_for,
    is_binary,
    lower_bound,
    lower_bound_in_looks,
    upper_bound,
    upper_bound_in_looks,
)
from ladder.gate.budget import Budget
from ladder.gate.sequential import chance_to_pass, hits_to_pass, nominal_error, spent_by
from ladder.gate.verdict import score_between, too_many_failed

FIRST_LOOK = 25
GROWTH = 2**0.5
"""Of the rows, from look to look: twice as many at every second one."""


def looks(rows: int) -> tuple[int, ...]:
    """Return the row counts at which to look: 25, 35, 50, 71, 100, … and all rows."""
    counts: list[int] = []
    while (count := round(FIRST_LOOK * GROWTH ** len(counts))) < rows:
        counts.append(count)
    return (*counts, rows)


def judge_in_looks(
    read: Callable[[int], tuple[Sequence[float], Sequence[float] | None]],
    counts: Sequence[int],
    limit: float,
    budget: Budget,
    failed: Callable[[], int] = lambda: 0,
    most_failed: float = 0.0,
    tell: Callable[[int, LimitVerdict], object] = lambda count, verdict: None,
) -> tuple[LimitVerdict, tuple[int, ...]]:
    """Look at more and more rows until the score's verdict is clear.

    A clear verdict stands (all looks together spend the budget), but rows are read on while too
    many of those read so far have failed: among more rows the same failures may be few.

    Args:
        read: row count -> the scores of that many first rows, and their weights if they have any.
        counts: row counts at which to look.
        limit: the least score wanted.
        budget: the error that all looks together may spend.
        failed: how many of the rows read so far gave no score.
        most_failed: share of the rows that may fail; where all rows together cannot come below it
            any more, no further ones are read.
        tell: is told of every look: the count of rows, and the verdict by now.

    Returns:
        the verdict, and the counts that were looked at.
    """
    decided = None
    seen = Seen(tuple(counts), limit, budget)
    for count in counts:
        scores, weights = read(count)
        bounds = seen.bounds(scores, weights)
        verdict = score_between(bounds, scores, weights, limit, budget.levels[0])
        if decided is None and verdict.verdict in ("pass", "fail"):
            clearly = verdict.verdict == "fail" and weights is None and seen.clearly_bad()
            decided = verdict.but(clear=clearly)
        tell(count, decided or verdict)
        hopeless = too_many_failed(failed(), counts[-1], most_failed)
        if hopeless or (decided and failed() <= most_failed * count):
            break
    return decided or verdict, seen.counts[: len(seen.units)]


@dataclass
class Seen:
    """What the looks at a score have seen so far, and how sure that makes it."""

    counts: tuple[int, ...]
    """Rows at each look, as planned."""
    limit: float
    budget: Budget
    units: tuple[int, ...] = ()
    """Scores at each look so far: fewer than rows where some failed, or came in groups."""
    scores: tuple[float, ...] = ()
    """As they were when first seen: a group that grows later has a mean that was bet on."""
    binary_looks: int = 0
    """Looks at which all scores were 0 and 1, up to the first at which some were not."""

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the error, one for each look: it is spent row by row."""
        return tuple((b - a) / self.counts[-1] for a, b in pairwise((0, *self.counts)))

    def bounds(
        self, scores: Sequence[float], weights: Sequence[float] | None
    ) -> tuple[float, float]:
        """Take the next look; return the bounds of the true score."""
        look = len(self.units)
        self.units = (*self.units, len(scores))
        self.scores += tuple(scores[len(self.scores) :])
        passing, failing = self.budget.passing, self.budget.failing
        if weights is not None:
            share = self.shares[look]
            low = lower_bound(scores, passing[0] * share, weights)
            return low, upper_bound(scores, failing[0] * share, weights)
        if self.binary_looks == look and is_binary(scores):
            self.binary_looks += 1
            low = lower_bound(scores, self._nominal(passing, self.limit))
            return low, upper_bound(scores, self._nominal(failing, 1.0 - self.limit))
        left = math.fsum(self.shares[self.binary_looks :])
        most = round(self.counts[-1] * self.units[0] / self.counts[0])
        bets = bets_for(self.units, most, failing[-1])
        low = lower_bound_in_looks(self.scores, bets, passing[0] * left)
        return low, upper_bound_in_looks(self.scores, bets, failing[0] * left)

    def clearly_bad(self) -> bool:
        """Tell whether, as low as the score is, it would hardly have passed (`gate.budget`)."""
        kept, look = self.budget.kept, len(self.units)
        if not kept or self.binary_looks < look:
            return False
        highest = upper_bound(self.scores, kept / 2**look)
        counts = (*self.units, *self.counts[look:])
        hits = hits_to_pass(counts, [spent_by(self.counts, self.budget.passing[-1])], self.limit)
        return chance_to_pass(counts, hits, highest) <= kept

    def _nominal(self, errors: Sequence[float], chance: float) -> float:
        """Return the error of the last bound: what crosses with an error does so with more, too."""
        planned = [spent_by(self.counts, error)[: len(self.units)] for error in errors]
        return min(nominal_error(self.units, spent, chance) for spent in planned)
