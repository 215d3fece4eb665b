"""How often do two years of checks of one plan raise an alarm where nothing has changed?

    python benchmarks/budget.py [--plans 2000] [--rows 200]

A plan is certified on an eval set and checked every quarter for two years, by the functions that
decide in `ladder revalidate`. Its true score never changes; the hardest is the gate's own limit.
Each line: how many of the eval examples are fresh at a check, and the share of plans with an alarm
(with its 95 % interval, Wilson), as it is and as if each check was judged by itself at 5 %. Then
the power: the share of plans whose fall by so many points is found within four quarters.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ladder.evidence import Baseline, Estimate, Measurement, RevalidationPlan, TokenUse
from ladder.gate.bounds import estimate
from ladder.gate.verdict import combine, judge_score
from ladder.lifecycle.alpha_spending import BUDGET, LEAST, error_of_check
from ladder.lifecycle.revalidate import findings

QUARTERS, QUARTER = 8, 91
CREATED = date(2026, 1, 1)
LIMIT = 0.8
NO_TOKENS = TokenUse(input_mean=0, output_mean=0)
Scores = NDArray[np.float64]


def main() -> None:
    """Print false alarms of two years, and the power."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--plans", type=int, default=2_000)
    given.add_argument("--rows", type=int, default=200)
    options = given.parse_args()
    plans = f"{options.plans:,} plans of {options.rows} eval examples"
    print(f"{plans}, limit {LIMIT}; promised {BUDGET:.0%}")
    for score in (LIMIT, LIMIT + 0.05):
        for part in (1.0, 0.25, 0.0):
            budgeted, alone = (
                share_of_alarms(options, (score, score), part, by_budget=way)
                for way in (True, False)
            )
            said = f"true score {score:.2f}, {part:4.0%} fresh at each check"
            print(f"  {said}: {budgeted}; each check by itself {alone}", flush=True)
    for fall in (0.05, 0.10, 0.15):
        score = LIMIT + 0.08
        falls = share_of_alarms(options, (score, score - fall), 0.25, by_budget=True, quarters=4)
        print(f"  fell from {score:.2f} by {fall:.2f}, found in four quarters: {falls}", flush=True)


def share_of_alarms(
    options: argparse.Namespace,
    score: tuple[float, float],
    part: float,
    *,
    by_budget: bool,
    quarters: int = QUARTERS,
) -> str:
    """Return how many plans see an alarm, with the interval.

    Args:
        options: how many plans, of how many rows.
        score: the true one at the certification, and after it.
        part: of the rows, fresh at each check.
        by_budget: as the program does; else each check at 5 %.
        quarters: that are checked.
    """
    hits = sum(
        alarms(np.random.default_rng(number), options.rows, score, part, by_budget, quarters)
        for number in range(options.plans)
    )
    low, high = binomtest(hits, options.plans).proportion_ci(0.95, "wilson")
    return f"{hits / options.plans:.3f} ({low:.3f}-{high:.3f})"


def alarms(
    draw: np.random.Generator,
    rows: int,
    score: tuple[float, float],
    part: float,
    by_budget: bool,
    quarters: int,
) -> bool:
    """Tell whether a plan sees an alarm; each example has luck of its own, and keeps it."""
    luck = draw.random(rows)
    plan = planned(estimate([*(luck < score[0]).astype(float)], 0.95))
    before: list[tuple[date, float | None]] = []
    fresh = round(part * rows)
    for quarter in range(1, quarters + 1):
        luck = np.r_[luck[fresh:], draw.random(fresh)]  # the oldest go out
        today = CREATED + timedelta(days=QUARTER * quarter)
        error = error_of_check(CREATED, today, before) if by_budget else BUDGET
        before.append((today, error))
        if found(plan, (luck < score[1]).astype(float), max(error, LEAST), by_budget):
            return True
    return False


def found(plan: RevalidationPlan, scores: Scores, error: float, by_budget: bool) -> list[str]:
    """Return what a check would name."""
    values = [*map(float, scores)]
    verdict = combine([judge_score(values, LIMIT, error)])
    if not by_budget:  # it was judged by the ends of the 95 % interval
        verdict = verdict.but(limits=[limit.but(high=None) for limit in verdict.limits])
    measured = Measurement(score=estimate(values, 0.95), tokens=NO_TOKENS)
    return findings(plan, measured, verdict, ())


def planned(score: Estimate) -> RevalidationPlan:
    """Return a plan that was certified with a score."""
    baseline = Baseline(
        gate_rows=score, sealed_rows=None, cost_usd_per_1k=None, latency_ms=None, hardware={}
    )
    return RevalidationPlan(
        task="task.yaml", data_root=None, created=CREATED.isoformat(), control="majority",
        baseline=baseline, gate={"min_score": LIMIT}, pinned={}, every_days=QUARTER, due=(),
        triggers=(), command="ladder revalidate",
    )  # fmt: skip


if __name__ == "__main__":
    main()
