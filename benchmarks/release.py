"""Does a release check let pass what it should, and no more? By simulation.

    python benchmarks/release.py [--draws 4000] [--seed 0] [--only rows|slices|graded|prompts]

Rows are drawn that two systems answer rightly or wrongly, and the very function that decides a
release decides on them (`lifecycle.release_findings.compared`, at 5 % error). n: the rows with
which an equal candidate passes in 80 of 100 cases, by the exact test; beside it the closed form
(normal approximation) of `gate.paired.rows_for_margin`.

First one set of rows. Then three slices of n rows each: a candidate that is worse by the margin on
one slice and equal on the others, and an equal one; n so that an equal one holds all three in 80 of
100. Then graded scores, groups of ten rows, and the forty fixed prompts. Each share with its 95 %
interval (Wilson).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from ladder.engines.base import Completion
from ladder.gate.non_inferiority import Pairs, chance_to_show, least_units, not_worse_by
from ladder.gate.paired import rows_for_margin
from ladder.inference.outcome import Outcome
from ladder.lifecycle.forgetting import FORGETTING_MARGIN
from ladder.lifecycle.plain_prompts import PROMPTS
from ladder.lifecycle.release_findings import compared
from ladder.samples.rows import Sample

ERROR = 0.05
POWER = 0.8
DESIGNS = ((0.05, 0.05), (0.10, 0.05), (0.20, 0.05), (0.10, 0.10), (0.20, 0.10))
"""(share of rows on which the two disagree, margin)."""
SLICES = ("a", "b", "c")
Draw = Callable[[np.random.Generator], bool]


class Rows(NamedTuple):
    """Rows with what a right and a wrong answer to each is."""

    right: tuple[Outcome, ...]
    wrong: tuple[Outcome, ...]


def rows_of(count: int, kinds: Sequence[str] = ("",)) -> Rows:
    """Return so many rows of each kind."""
    samples = [
        Sample(f"{kind}{at}", "", "x", stratum=kind) for kind in kinds for at in range(count)
    ]
    made = (tuple(Outcome(s, "", Completion(), score) for s in samples) for score in (1.0, 0.0))
    return Rows(*made)


def passes(rows: Rows, apart: float, worse: Sequence[float], margin: float) -> Draw:
    """Return a draw of rows, and whether the candidate is let pass on them.

    Args:
        rows: of one slice or of several, as many of each.
        apart: share of rows on which the two disagree; of a worse one at least what it is worse by.
        worse: by how much the candidate is, on each slice.
        margin: that it is held to.
    """

    def drawn(draw: np.random.Generator) -> bool:
        each = len(rows.right) // len(worse)
        kinds = [draw.choice(3, each, p=_shares(max(apart, less), less)) for less in worse]
        at = np.concatenate(kinds)
        new = [rows.wrong[i] if kind == 1 else rows.right[i] for i, kind in enumerate(at)]
        old = [rows.wrong[i] if kind == 2 else rows.right[i] for i, kind in enumerate(at)]
        both = {"candidate": new, "champion": old}
        checks = compared(both, {}, margin=margin, error=ERROR, slices_from=1)
        return all(check.holds for check in checks)

    return drawn


def _shares(apart: float, worse: float) -> list[float]:
    """Return the shares of rows that both have right, the champion alone, and the candidate."""
    return [1 - apart, (apart + worse) / 2, (apart - worse) / 2]


def rows_for_power(apart: float, margin: float, power: float = POWER) -> int:
    """Return the rows with which an equal candidate passes so often, by the exact test."""
    rows = max(rows_for_margin(apart, margin, ERROR), least_units(margin, ERROR, exact=True))
    while chance_to_show(rows, apart, margin, ERROR) < power:
        rows = math.ceil(rows * 1.02)
    return rows


def rate(once: Draw, draws: int, seed: int) -> str:
    """Return how often a draw passes, with its interval."""
    draw = np.random.default_rng(seed)
    hits = sum(once(draw) for _ in range(draws))
    low, high = binomtest(hits, draws).proportion_ci(0.95, "wilson")
    return f"{hits / draws:.3f} ({low:.3f}-{high:.3f})"


def main() -> None:
    """Print how often candidates pass that are worse by the margin, and equal ones."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--draws", type=int, default=4_000)
    given.add_argument("--seed", type=int, default=0)
    given.add_argument("--only", choices=[name for name, _, _ in PARTS])
    options = given.parse_args()
    print("apart  margin  closed form      n  worse by the margin passes  an equal one passes")
    for name, part, share in PARTS:
        if options.only in (None, name):
            part(options.draws // share, options.seed)


def one_set(draws: int, seed: int) -> None:
    """Print it of one set of rows, with the n of the closed form beside the exact one."""
    for apart, margin in DESIGNS:
        n, closed = rows_for_power(apart, margin), rows_for_margin(apart, margin, ERROR)
        rows = rows_of(n)
        worse = rate(passes(rows, apart, [margin], margin), draws, seed)
        equal = rate(passes(rows, apart, [0.0], margin), draws, seed + 1)
        print(f"{apart:5.2f}  {margin:6.2f}  {closed:11} {n:6}  {worse:26}  {equal}", flush=True)


def slices(draws: int, seed: int) -> None:
    """Print it of three slices, where a worse candidate is worse on one of them."""
    print("three slices of n rows each, worse by the margin on one of them:")
    for apart, margin in ((0.10, 0.05), (0.10, 0.10)):
        n = rows_for_power(apart, margin, POWER ** (1 / len(SLICES)))
        rows = rows_of(n, SLICES)
        worse = rate(passes(rows, apart, [margin, 0.0, 0.0], margin), draws, seed)
        equal = rate(passes(rows, apart, [0.0] * 3, margin), draws, seed + 1)
        print(f"{apart:5.2f}  {margin:6.2f}  {'':11} {n:6}  {worse:26}  {equal}", flush=True)


def graded(draws: int, seed: int) -> None:
    """Print the same of graded scores that differ by 0.15 from row to row, and of groups."""
    margin, spread = 0.05, 0.15
    print("graded scores (differences have a standard deviation of 0.15), and groups of ten rows:")

    def once(rows: int, worse: float) -> Draw:
        def drawn(draw: np.random.Generator) -> bool:
            gaps = draw.choice([-spread, spread], rows) - worse
            pairs = Pairs(list(0.5 + gaps / 2), list(0.5 - gaps / 2))
            return not_worse_by("all", pairs, margin, ERROR).holds

        return drawn

    def in_groups(groups: int, apart: float, worse: float) -> Draw:
        def drawn(draw: np.random.Generator) -> bool:
            # All rows of a group share their luck: a group is no more than one row.
            kind = draw.choice(3, groups, p=_shares(max(apart, worse), worse)).repeat(10)
            new, old = (kind != 1).astype(float), (kind != 2).astype(float)
            units = list(np.arange(groups).repeat(10))
            pairs = Pairs(list(new), list(old), units)
            return not_worse_by("all", pairs, margin, ERROR).holds

        return drawn

    for n in (100, 200):
        worse, equal = (rate(once(n, by), draws, seed) for by in (margin, 0.0))
        print(f"graded         {'':11} {n:6}  {worse:26}  {equal}", flush=True)
    for n in (272, 400):
        worse, equal = (rate(in_groups(n, 0.1, by), draws, seed) for by in (margin, 0.0))
        print(f"groups, 0.10   {'':11} {n:6}  {worse:26}  {equal}", flush=True)


def prompts(draws: int, seed: int) -> None:
    """Print the same of the fixed prompts."""
    n, margin = len(PROMPTS), FORGETTING_MARGIN
    rows = rows_of(n)
    print(f"the fixed prompts, margin {margin:g}:")
    for apart in (0.05, 0.10, 0.20):
        worse = rate(passes(rows, apart, [margin], margin), draws, seed)
        equal = rate(passes(rows, apart, [0.0], margin), draws, seed + 1)
        print(f"{apart:5.2f}  {margin:6.2f}  {'':11} {n:6}  {worse:26}  {equal}", flush=True)


PARTS = (
    ("rows", one_set, 1),
    ("slices", slices, 2),
    ("graded", graded, 4),
    ("prompts", prompts, 1),
)
"""Name, what prints it, and by what the draws are divided: some cost more."""


if __name__ == "__main__":
    main()
