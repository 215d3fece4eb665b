"""How often is a climb's verdict wrong, and what does deciding spare? By simulation.

    python benchmarks/decisions.py [--climbs 2000]

Each climb draws the answers of four rungs to the same rows from known true scores and decides with
the program's own looks, bounds and budgets. Rows differ in difficulty, so the rungs' answers hang
together. Every rate is printed with its 95 % interval (Wilson).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ladder.gate.bounds import estimate
from ladder.gate.paired import mcnemar, paired
from ladder.gate.verdict import error_of_limit, judge_in_looks, looks
from ladder.progress import Quiet
from ladder.selection.race import Standing, best_of
from ladder.task import GateLimits

GATE = GateLimits(min_score=0.85)
RUNGS = 4
SEALED_SHARE = 0.5
TRUTHS = {
    "prompt clearly passes": (0.95, 0.95, 0.96, 0.96),
    "rag clearly passes": (0.40, 0.95, 0.95, 0.96),
    "lora clearly passes": (0.30, 0.60, 0.95, 0.95),
    "none passes": (0.30, 0.50, 0.65, 0.70),
    "all a hair below": (0.8499, 0.8499, 0.8499, 0.8499),
    "all at the limit": (0.85, 0.85, 0.85, 0.85),
}
SIZES = (50, 200, 500, 2000)
CORRELATION = 0.5
"""Of the rungs' answers to one row, on the scale of a latent normal variable."""
GRADES = 20
"""A graded score is a mean of so many parts; its spread is far below a coin's."""


@dataclass
class Tally:
    """What happened over all climbs of a cell."""

    climbs: int = 0
    wrong_pass: int = 0
    wrong_fail: int = 0
    wrong: int = 0
    undecided: int = 0
    calls: int = 0


def draw_scores(
    truth: Sequence[float], rows: int, graded: bool, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Return scores [rung, row] whose expectation is the truth, correlated within a row."""
    shared = draw.standard_normal(rows)
    own = draw.standard_normal((len(truth), rows))
    ease = ndtr(CORRELATION**0.5 * shared + (1 - CORRELATION) ** 0.5 * own)  # uniform
    if not graded:
        return (ease < np.array(truth)[:, None]).astype(float)
    # A beta-like score: the share of parts answered right, each part with its own luck.
    level = ndtr(ndtri(np.array(truth))[:, None] * 1.5**0.5 + ndtri(ease) * 0.5**0.5)
    return draw.binomial(GRADES, level) / GRADES


def simulate(name: str, rows: int, graded: bool, climbs: int, seed: int) -> Tally:
    """Climb many times over drawn answers."""
    draw = np.random.default_rng(seed)
    truth = TRUTHS[name]
    tally = Tally(climbs=climbs)
    budget, counts = error_of_limit(GATE, RUNGS), looks(rows)
    for _ in range(climbs):
        scores = draw_scores(truth, rows, graded, draw)
        passed_wrongly = failed_wrongly = decided = False
        for rung, own in enumerate(scores):
            verdict, seen = judge_in_looks(
                lambda count, own=own: (own[:count].tolist(), None), counts, GATE.min_score, budget
            )
            tally.calls += seen[-1]
            good = truth[rung] >= GATE.min_score
            failed_wrongly |= verdict.verdict == "fail" and good
            if verdict.verdict == "pass":
                passed_wrongly, decided = not good, True
                break
            if verdict.verdict == "undecided" and (verdict.distance or 0) >= 0:
                break  # leans, leans_to_pass
        else:
            decided = verdict.verdict == "fail"
        tally.calls += round(SEALED_SHARE * rows) if decided else 0
        tally.wrong_pass += passed_wrongly
        tally.wrong_fail += failed_wrongly
        tally.wrong += passed_wrongly or failed_wrongly
        tally.undecided += not decided
    return tally


def false_improvements(times: int, candidates: int = 20, dev: int = 120, gate: int = 400) -> None:
    """Race equal candidates and count how often the winner is called better than the first."""
    draw = np.random.default_rng(9)
    on_dev = on_gate = 0
    flattered = 0.0
    for _ in range(times):
        truth = [0.7] * candidates
        seen = draw_scores(truth, dev, False, draw)
        winner, standings = best_of(
            candidates,
            dev,
            GATE.min_score,
            lambda at, count, s=seen: Standing(s[at, :count].tolist(), 1.0),
            Quiet(),
        )
        unseen = draw_scores(truth, gate, False, draw)
        won = int(((seen[winner] == 1) & (seen[0] == 0)).sum())
        lost = int(((seen[winner] == 0) & (seen[0] == 1)).sum())
        on_dev += won > lost and mcnemar(won, lost) < 0.05
        gap, _, _, p_value = paired(unseen[winner].tolist(), unseen[0].tolist(), 0.95)
        on_gate += gap > 0 and p_value < 0.05
        flattered += standings[winner].mean - 0.7
    print(f"\n{candidates} equal candidates, raced on {dev} rows, {times} times")
    print(f"  called better on the rows that chose them   {rate(on_dev, times)}")
    print(f"  called better on fresh training examples (the program)  {rate(on_gate, times)}")
    print(f"  the winner's dev score flatters it by       {flattered / times:.3f}")


def rate(count: int, of: int) -> str:
    """Return a share with its interval, in percent."""
    found = estimate([1.0] * count + [0.0] * (of - count), 0.95)
    return f"{100 * found.mean:5.1f} ({100 * found.low:.1f}–{100 * found.high:.1f}) %"


def main() -> None:
    """Print a line for every cell, then the race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--climbs", type=int, default=2000)
    climbs = parser.parse_args().climbs
    cells = [(name, rows, graded) for graded in (False, True) for name in TRUTHS for rows in SIZES]
    print(f"gate {GATE.min_score}, confidence {GATE.confidence}, {climbs:,} climbs a line")
    print(
        f"{'true scores':24}{'kind':8}{'n':>5}  {'wrong pass':22}{'wrong fail':22}{'wrong':22}"
        f"{'undecided':22}calls, exhaustive / made"
    )
    with ProcessPoolExecutor() as pool:
        jobs = [
            pool.submit(simulate, *cell, climbs, seed) for seed, cell in enumerate(cells, start=1)
        ]
        for (name, rows, graded), job in zip(cells, jobs, strict=True):
            t = job.result()
            exhaustive = RUNGS * (rows + round(SEALED_SHARE * rows)) * climbs
            print(
                f"{name:24}{'graded' if graded else '0/1':8}{rows:5}  "
                f"{rate(t.wrong_pass, climbs):22}{rate(t.wrong_fail, climbs):22}"
                f"{rate(t.wrong, climbs):22}{rate(t.undecided, climbs):22}"
                f"{exhaustive / t.calls:.1f}",
                flush=True,
            )
    false_improvements(climbs)


if __name__ == "__main__":
    main()
