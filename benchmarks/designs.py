"""How many examples does a verdict take, beside the best designs that are known?

    python benchmarks/designs.py

Scores of 0 and 1, every path counted. Each design has the same task: a gate at 0.85 is passed
wrongly at most 5 % of the time, and a true score of 0.90 passes with a power of 80 %. Fixed: one
exact binomial test. Pocock, O'Brien-Fleming: their boundaries, made exact for the binomial, at the
program's looks. Best: the rule that is expected to read the fewest rows at 0.90 with as many rows
as the program, by dynamic programming. SPRT: Wald's approximation; it also ends early without a
proof, which the program does not, and no test takes fewer rows (Wald and Wolfowitz, 1948).

Graded scores by simulation: the program's bets, those of before (the union bound over looks that
double), and those of one who knows the true distribution and bets what is best for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import ndtr
from scipy.stats import binom

from ladder.gate.bounds import lower_bound, upper_bound
from ladder.gate.budget import Budget, budget_of
from ladder.gate.looks import judge_in_looks, looks
from ladder.gate.planning import fixed_rows, rows_needed
from ladder.gate.sequential import chance_to_pass, hits_to_pass, spent_by
from ladder.gate.verdict import error_at_look
from ladder.task import GateLimits

GATE = GateLimits(min_score=0.85)
LIMIT, TRUE, ERROR, POWER = 0.85, 0.90, 0.05, 0.80
TRUTHS = (0.90, 0.95, 0.98)
SYSTEMS = 5
CLIMBS = 300


class Design(NamedTuple):
    """When a test looks, and how many right answers pass there."""

    counts: tuple[int, ...]
    hits: tuple[int, ...]

    def passes(self, truth: float) -> float:
        """Return how often it passes."""
        return chance_to_pass(self.counts, self.hits, truth)

    def rows(self, truth: float) -> float:
        """Return the rows that it reads on average."""
        parts = (Design(self.counts[:k], self.hits[:k]) for k in range(len(self.counts)))
        reached = [1.0 - part.passes(truth) for part in parts]
        return float(np.diff(self.counts, prepend=0) @ np.array(reached))


def ours(counts: tuple[int, ...], errors: Sequence[float] = (ERROR,)) -> Design:
    """Return the program's own."""
    return Design(counts, hits_to_pass(counts, [spent_by(counts, e) for e in errors], LIMIT))


def shaped(counts: tuple[int, ...], exponent: float) -> Design:
    """Return boundaries that are a constant times rows ** exponent on the scale of z.

    0: Pocock (1977); -0.5: O'Brien and Fleming (1979). The least constant that holds the error.
    """
    for scale in np.arange(1.5, 4.0, 0.01):
        z = scale * (np.array(counts) / counts[-1]) ** exponent
        found = Design(counts, tuple(int(h) + 1 for h in binom.isf(ndtr(-z), counts, LIMIT)))
        if found.passes(LIMIT) <= ERROR:
            return found
    raise ValueError("no boundary holds the error")


def with_power(design: Callable[[tuple[int, ...]], Design]) -> Design:
    """Return the design with the fewest rows that has the power, to 2 %, at the program's looks."""
    most = 250
    while (found := design(looks(most))).passes(TRUE) < POWER:
        most += most // 50
    return found


def best(counts: tuple[int, ...]) -> Design:
    """Return the rule with the error and the power that reads the fewest rows at the true score.

    A row costs 1, a pass `wrong` times the likelihood ratio of the limit, and no pass at all
    `missed`: the prices that give the power, and the error, are found by bisection.
    """

    def priced(missed: float) -> Design:
        return _bisected(
            lambda wrong: _cheapest(counts, wrong, missed), lambda d: d.passes(LIMIT) <= ERROR
        )

    return _bisected(priced, lambda design: design.passes(TRUE) >= POWER)


def _bisected(at: Callable[[float], Design], enough: Callable[[Design], bool]) -> Design:
    """Return the design at the least price that is enough."""
    low, high = 1.0, 1e7
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(at(middle)) else (middle, high)
    return at(high)


def _cheapest(counts: tuple[int, ...], wrong: float, missed: float) -> Design:
    """Return the rule with the least expected cost, from the last look back."""
    hits: list[int] = []
    going = np.full(counts[-1] + 1, missed)
    for look in reversed(range(len(counts))):
        n = counts[look]
        right = np.arange(n + 1)
        ratio = right * math.log(LIMIT / TRUE) + (n - right) * math.log((1 - LIMIT) / (1 - TRUE))
        passing = wrong * np.exp(ratio)
        passes = np.flatnonzero(passing <= going)
        hits.append(int(passes[0]) if len(passes) else n + 1)
        if look:
            new = n - counts[look - 1]
            step = binom.pmf(np.arange(new + 1), new, TRUE)
            going = new + np.convolve(np.minimum(passing, going), step[::-1], mode="valid")
    return Design(counts, tuple(reversed(hits)))


def sprt_rows(truth: float) -> float:
    """Return the rows of Wald's test on average; above the true score it hardly ever misses."""
    up, down = math.log(POWER / ERROR), math.log((1 - POWER) / (1 - ERROR))
    drift = truth * math.log(TRUE / LIMIT) + (1 - truth) * math.log((1 - TRUE) / (1 - LIMIT))
    passing = POWER if truth == TRUE else 1.0
    return (passing * up + (1 - passing) * down) / drift


def compare_designs() -> None:
    """Print what each design reads on average."""
    program = with_power(ours)
    fixed = fixed_rows(TRUE, GATE, 1)
    lines: list[tuple[str, int | None, Sequence[float]]] = [
        ("fixed exact test, first to reach the power", fixed, [float(fixed or 0)] * 3),
        ("fixed exact test, with the power from there on", 304, [304.0] * 3),
    ]
    designs = {
        "ladder's looks": program,
        "Pocock, the same looks": with_power(lambda counts: shaped(counts, 0.0)),
        "O'Brien-Fleming, the same looks": with_power(lambda counts: shaped(counts, -0.5)),
        "best at the same looks": best(program.counts),
        "best at every row, as many rows": best(tuple(range(25, program.counts[-1] + 1))),
    }
    for name, design in designs.items():
        lines.append((name, design.counts[-1], [design.rows(truth) for truth in TRUTHS]))
    lines.append(("SPRT (Wald's approximation)", None, [sprt_rows(truth) for truth in TRUTHS]))
    print(f"gate {LIMIT}, error {ERROR}, power {POWER} at {TRUE}: rows on average at a true score")
    print(f"{'':48}{'most':>6}" + "".join(f"{truth:8.2f}" for truth in TRUTHS) + "  ladder / it")
    own = [program.rows(truth) for truth in TRUTHS]
    for name, most, rows in lines:
        ratios = " ".join(f"{a / b:5.2f}" for a, b in zip(own, rows, strict=True))
        print(f"{name:48}{most or 'any':>6}" + "".join(f"{n:8.0f}" for n in rows) + "  " + ratios)


def compare_shares() -> None:
    """Print what a system reads whose predecessors failed clearly, and what its share would be."""
    print(f"\n{SYSTEMS} systems share the error of 5 %; 400 eval examples")
    print(
        f"{'':48}{'error':>6}"
        + "".join(f"{truth:8.2f}" for truth in TRUTHS)
        + "  power at 0.90, at 0.95 of 50"
    )
    for many in range(SYSTEMS):
        budget = budget_of(GATE, SYSTEMS, many)
        design = ours(looks(400), budget.passing)
        rows = "".join(f"{design.rows(truth):8.0f}" for truth in TRUTHS)
        name = f"after {many} that failed clearly"
        few = ours(looks(50), budget.passing).passes(0.95)
        powers = f"{100 * design.passes(TRUE):.0f} %, {100 * few:.0f} %"
        print(f"{name:48}{budget.levels[0]:6.3f}{rows}  {powers}")
    planned, fixed = (f(TRUE, GATE, SYSTEMS) for f in (rows_needed, fixed_rows))
    print(f"for a power of 80 % at 0.90 with one share: {planned} rows at most, fixed {fixed}")


def graded(kind: str, mean: float, draw: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield the scores of 400 rows, over and over."""
    for _ in range(CLIMBS):
        if kind == "beta":
            yield draw.beta(4 * mean, 4 * (1 - mean), 400)
        elif kind == "mixed":  # four of five are right or wrong
            yield np.where(draw.random(400) < 0.8, draw.random(400) < mean, mean)
        elif kind == "skew":  # nearly all alike, and one in twenty nothing
            yield np.where(draw.random(400) < 0.05, 0.0, mean / 0.95)
        else:
            yield draw.binomial(4, mean, 400) / 4


def by_bets(scores: NDArray[np.float64]) -> tuple[int, bool]:
    """Return the rows of the program's verdict, and whether it is a pass."""
    row = scores.tolist()
    found, seen = judge_in_looks(lambda n: (row[:n], None), looks(400), LIMIT, Budget((ERROR,)))
    return seen[-1], found.verdict == "pass"


def by_union(scores: NDArray[np.float64]) -> tuple[int, bool]:
    """Return the same of a verdict by a bound of its own at each look, as it was before."""
    counts = (25, 50, 100, 200, 400)
    for look, count in enumerate(counts):
        error, seen = error_at_look(look, len(counts), ERROR), scores[:count]
        if lower_bound(seen, error) >= LIMIT:
            return count, True
        if upper_bound(seen, error) < LIMIT:
            return count, False
    return counts[-1], False


def by_oracle(scores: NDArray[np.float64], stake: float) -> tuple[int, bool]:
    """Return the same, at the program's looks, of one who always bets a stake."""
    capital = np.maximum.accumulate(np.cumsum(np.log1p(stake * (scores - LIMIT))))
    clear = (count for count in looks(400) if capital[count - 1] >= math.log(1 / ERROR))
    rows = next(clear, 0)
    return rows or 400, rows > 0


def best_stake(kind: str, mean: float) -> float:
    """Return the stake that makes the capital grow fastest (Kelly, 1956)."""
    sample = np.concatenate(list(graded(kind, mean, np.random.default_rng(1))))
    growth = minimize_scalar(
        lambda stake: -float(np.log1p(stake * (sample - LIMIT)).mean()),
        bounds=(0.0, 0.99 / LIMIT),
        method="bounded",
    )
    return float(growth.x)


def compare_graded() -> None:
    """Print the rows of a verdict on graded scores above the gate, and how often they pass."""
    print(f"\ngraded scores, gate {LIMIT}, error {ERROR}, {CLIMBS} simulations: rows, and passes")
    print(f"{'':30}{'union':>14}{'bets':>14}{'oracle':>14}  rows, bets / oracle")
    for kind in ("parts", "beta", "mixed", "skew"):
        for mean in TRUTHS[:2]:
            drawn, stake = (
                list(graded(kind, mean, np.random.default_rng(2))),
                best_stake(kind, mean),
            )
            found = [
                np.mean([way(scores) for scores in drawn], axis=0)
                for way in (by_union, by_bets, lambda scores, s=stake: by_oracle(scores, s))
            ]
            shown = "".join(f"{rows:8.0f}{100 * passes:4.0f} %" for rows, passes in found)
            print(f"{f'{kind}, true mean {mean}':30}{shown}  {found[1][0] / found[2][0]:.2f}")


if __name__ == "__main__":
    compare_designs()
    compare_shares()
    compare_graded()
