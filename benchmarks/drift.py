"""Are shifts of inputs found, and is nothing found where nothing has changed?

    python benchmarks/drift.py FOLDER [--draws 1000] [--powers 200] [--plans 100] [--first-plan 0]
                               [--only shifts|alarms|power|years]

FOLDER holds support_curekart/, contract_clauses/, review_sentiment/ and banking77/. First real
shifts: live messages beside the reference ones, contracts of two decades, reviews of films beside
those of goods; and two pairs in which nothing has changed. The embedding model is the installed
one.

Then power: a sample of one set beside one that shares no row with it and in which some rows are of
another set. Then false alarms: two such samples of one set are drawn, over and over, at the level
of a whole budget (5 %): the share of draws with any alarm, with its 95 % interval (Wilson), with
the least effects and without them. Then two years of weekly looks at one plan while nothing
changes, on rows that are used once: the share of plans with any alarm in 104 looks, said after
every tenth plan. Plans are numbered, so that they can be done in parts (--first-plan).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from ladder.engines import model_folder
from ladder.engines.embedding import embed, open_embedder
from ladder.lifecycle.alpha_spending import BUDGET, LIFE_DAYS, error_of_look
from ladder.lifecycle.shift import TESTS, Side, shifts
from ladder.training.trainer import INSTALLED_EMBEDDING

ROWS = 150
"""Of either side of a draw."""
SHARES = (0.05, 0.15, 0.40)
"""Of recent rows that are of another kind."""
WEEK = 7
Keep = Callable[[dict[str, Any]], bool]


def main() -> None:
    """Print real shifts, false alarms, power, and two years of looks."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("data", type=Path)
    given.add_argument("--draws", type=int, default=1_000)
    given.add_argument("--powers", type=int, default=200)
    given.add_argument("--plans", type=int, default=100)
    given.add_argument("--first-plan", type=int, default=0)
    given.add_argument("--only", choices=("shifts", "alarms", "power", "years"))
    options = given.parse_args()
    opened = open_embedder(model_folder(INSTALLED_EMBEDDING))

    def side(file: str, keep: Keep = lambda row: True, by: str = "") -> Side:
        lines = (options.data / file).read_text().splitlines()
        rows = [row for row in map(json.loads, lines) if keep(row)]
        texts = tuple(row["input"] for row in rows)
        # Clauses of one contract are no independent rows.
        groups = tuple(row["meta"][by] for row in rows) if by else ()
        return Side(texts, tuple(row["target"] for row in rows), embed(opened, texts), groups)

    if options.only in (None, "shifts"):
        real_shifts(side)
    if options.only in (None, "power"):
        goods = joined(side("review_sentiment/train.jsonl"), side("review_sentiment/test.jsonl"))
        films = side("review_sentiment/shift.jsonl")
        for share in SHARES:
            power(goods, films, share, options.powers)
    if options.only in (None, "alarms", "years"):
        one_traffic = side("banking77/train.jsonl")
        if options.only != "years":
            false_alarms(one_traffic, options.draws)
        if options.only != "alarms":
            two_years(one_traffic, range(options.first_plan, options.first_plan + options.plans))


def real_shifts(side: Callable[..., Side]) -> None:
    """Print what is found between files, of which some differ."""
    goods, films = side("review_sentiment/test.jsonl"), side("review_sentiment/shift.jsonl")
    clauses, reference = "contract_clauses/train.jsonl", side("support_curekart/reference.jsonl")
    earlier = side("review_sentiment/train.jsonl")
    pairs = {
        "support: train, then reference": (side("support_curekart/train.jsonl"), reference),
        "support: reference, then live": (reference, side("support_curekart/test.jsonl")),
        "contracts: before 2010, then after": (
            side(clauses, lambda row: 0 < year_of(row) < 2010, "contract"),
            side(clauses, lambda row: year_of(row) >= 2010, "contract"),
        ),
        "reviews: goods, then goods": (earlier, goods),
        "reviews: goods, then films": (goods, films),
    }
    for name, (before, after) in pairs.items():
        print_shifts(name, before, after)


def year_of(row: dict[str, Any]) -> int:
    """Return the year of a contract; 0 where it is not known."""
    return int(row["meta"].get("year") or 0)


def print_shifts(name: str, before: Side, after: Side) -> None:
    """Print what each test finds."""
    print(f"{name} ({len(before.inputs)}, {len(after.inputs)} rows)")
    for each in shifts(before, after):
        size = f"effect {each.effect:.3f} (from {each.least:g})"
        word = "  ALARM" if each.alarms else ""
        print(f"  {each.name:11} {size:27} p {each.p_holm:.5f}{word}", flush=True)


def part(whole: Side, rows: Sequence[int]) -> Side:
    """Return some rows of a side."""
    inputs, labels = (tuple(of[at] for at in rows) for of in (whole.inputs, whole.labels))
    return Side(inputs, labels, whole.vectors[list(rows)] if whole.vectors is not None else None)


def joined(left: Side, right: Side) -> Side:
    """Return the rows of both."""
    vectors = np.vstack([left.vectors, right.vectors])
    return Side((*left.inputs, *right.inputs), (*left.labels, *right.labels), vectors)


def drawn(whole: Side, draw: np.random.Generator) -> tuple[Side, Side]:
    """Return two samples of one set that share no row."""
    order = draw.permutation(len(whole.inputs))
    return part(whole, order[:ROWS]), part(whole, order[ROWS : 2 * ROWS])


def rate(hits: int, of: int) -> str:
    """Return a rate with its interval."""
    low, high = binomtest(hits, of).proportion_ci(0.95, "wilson")
    return f"{hits / of:.3f} ({low:.3f}-{high:.3f}, n = {of:,})"


def false_alarms(whole: Side, draws: int) -> None:
    """Print how often anything is found between two samples of one set."""
    alarms = significant = 0
    singles = dict.fromkeys(TESTS, 0)
    for number in range(draws):
        found = shifts(*drawn(whole, np.random.default_rng(number)), error=BUDGET, seed=number)
        alarms += any(each.alarms for each in found)
        significant += any(each.p_holm <= BUDGET for each in found)
        for each in found:
            singles[each.name] += each.p <= BUDGET
    print(f"false alarms at {BUDGET:.0%}, {ROWS} rows beside {ROWS}: {rate(alarms, draws)}")
    print(f"  without the least effects: {rate(significant, draws)}")
    for name, hits in singles.items():
        print(f"  {name:11} alone, not adjusted: {rate(hits, draws)}", flush=True)


def power(whole: Side, other: Side, share: float, draws: int) -> None:
    """Print how often a share of rows of another kind is found, in one look of a week."""
    error, found = BUDGET * WEEK / LIFE_DAYS, 0
    for number in range(draws):
        draw = np.random.default_rng(number)
        before, after = drawn(whole, draw)
        strange = round(share * ROWS)
        some = part(other, draw.permutation(len(other.inputs))[:strange])
        mixed = joined(part(after, range(ROWS - strange)), some)
        found += any(each.alarms for each in shifts(before, mixed, error=error, seed=number))
    said = f"power of a weekly look, {share:.0%} of {ROWS} rows of another kind"
    print(f"{said}: {rate(found, draws)}", flush=True)


def two_years(whole: Side, plans: range) -> None:
    """Print how many plans see an alarm in two years of weekly looks without a change."""
    said = "two years of weekly looks while nothing changes, plans with an alarm"
    alarmed = 0
    for done, plan in enumerate(plans, start=1):
        alarmed += is_alarmed(whole, plan)
        if done % 10 == 0 or done == len(plans):
            print(f"{said}: {rate(alarmed, done)}, the first is number {plans[0]}", flush=True)


def is_alarmed(whole: Side, plan: int) -> bool:
    """Tell whether a plan sees an alarm in two years of weekly looks without a change."""
    weeks = LIFE_DAYS // WEEK
    order = np.random.default_rng([plan, 1]).permutation(len(whole.inputs))
    reference, recent = part(whole, order[:ROWS]), order[ROWS:]
    created, spent = date(2026, 1, 1), list[tuple[date, float]]()
    for week, rows in enumerate(np.array_split(recent, weeks), start=1):
        today = created + timedelta(days=WEEK * week)
        spent.append((today, error_of_look(created, today, spent)))
        found = shifts(reference, part(whole, rows), error=spent[-1][1], seed=week)
        if any(each.alarms for each in found):
            return True
    return False


if __name__ == "__main__":
    main()
