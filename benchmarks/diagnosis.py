"""Is the cause that is named first the one that was injected? Single faults, double ones, none.

    python benchmarks/diagnosis.py FOLDER [--rows 30] [--cases 60] [--store F]

FOLDER holds wiki_rag/ (XQuAD, English) and finance_qa/ (TAT-QA). Three pipelines over a real small
model (`diagnosed.py`): the shipped ferry handbook, the encyclopedia (which of 12 articles answers a
question), and filings (which of 30 companies reports it), on which nothing was tuned. Every fault
of `fault_injection` is injected into each. A fault that the model shrugs off (it holds the gate
all the same) leaves nothing to diagnose, and is said and not counted.

A *case* is 30 rows, drawn with replacement from those that were answered: cases differ as fresh
samples of the same pipeline would. They share rows, so their number says nothing of how sure a
figure is. Intervals are of three kinds:

- *over rows*, of one cell (a fault in a pipeline): the rows themselves are drawn anew, then cases
  of them (bootstrap, percentiles);
- *over pipelines*, of the whole: the exact binomial interval on the effective number of cases
  (Korn and Graubard, 1998): no more than the rows would fill without overlap, no more than the
  variance between pipelines tells, and scaled by Student's t with pipelines - 1 degrees of freedom;
- *exact*, of healthy pipelines: a cause is named only where the 30 rows score below the gate, so
  the chance of that follows from the healthy score, and is at most what its lower bound gives.

A *double fault* is a case of which 30 rows met one fault and 20 another (two services behind one
gate; a climb, too, looks at the first rows until 30 misses are among them): every ordered pair of
the single faults that miss the gate, of rows answered already. *At
once* are two faults in one pipeline: a fault of reading, and half of the labels flipped.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from random import Random
from statistics import fmean, variance

from diagnosed import CONFIDENCE, GATE, PIPELINES, Given, healthy, write
from fault_injection import FAULTS, Fault, Pipeline, flipped_labels
from scipy.stats import beta, binom, t

from ladder.climb.opening import open_bench
from ladder.diagnosis.ablations import run_ablations
from ladder.diagnosis.rules import WRONG_BELOW, Ablations, diagnose
from ladder.evidence import Diagnosis
from ladder.gate.bounds import estimate
from ladder.gate.verdict import combine, judge_score
from ladder.inference.answer import answer
from ladder.inference.outcome import scores_of
from ladder.progress import Quiet
from ladder.retrieval.retriever import Retriever
from ladder.retrieval.search import make_index
from ladder.rungs import fixes
from ladder.rungs.protocol import Bench
from ladder.task import GateLimits, load_task
from ladder.training.prune import pruned_copy

CASE_ROWS = 30
LARGER, SMALLER = 30, 20
"""Rows of a double case that met the one fault and the other."""
RESAMPLED, RESAMPLED_CASES = 200, 10
NONE = "none"
AT_ONCE = ("copies x5", "ranks shuffled", "wrong route")
LIMITS = GateLimits(min_score=GATE, confidence=CONFIDENCE)
CAUSE_OF = {fault.name: fault.cause for fault in FAULTS}

Cells = dict[str, Ablations]
"""Fault -> what the ablations measured on the rows that met it."""


@dataclass(frozen=True)
class Measured:
    """What one pipeline answered."""

    healthy: Mapping[str, float]
    cells: Cells
    at_once: Cells
    """First fault -> the same with half of the labels flipped."""
    flipped: frozenset[str]
    """Rows whose target was made wrong in those."""


def measured(
    given: Given, scratch: Path, runs: Path, faults: Sequence[Fault], rows: int
) -> Measured:
    """Answer with the healthy pipeline and with each fault, and print the scores."""
    bench = open_bench(load_task(write(scratch, given)), runs, Quiet())
    held_out = (*bench.data.gate, *bench.data.sealed)
    bench = replace(
        bench, evaluator=replace(bench.evaluator, data=replace(bench.data, gate=held_out))
    )
    weaker = f"hf:{pruned_copy(bench.trainer.base(), runs)}"
    whole = Pipeline(bench.evaluator.data, healthy(given), make_index, weaker, given.wrapped)
    healthy_scores = scores_of(answer(bench.evaluator, whole.candidate, held_out))
    said(scratch.name, "healthy", healthy_scores, "")
    few = replace(whole, splits=replace(whole.splits, gate=held_out[:rows]))
    cells: Cells = {}
    at_once: Cells = {}
    flipped = flipped_labels(few, Random(0))
    for fault in faults:
        started = time.perf_counter()
        cell = broken(bench, fault.inject(few, Random(0)))
        if cell:
            cells[fault.name] = cell
            if fault.name in AT_ONCE:
                both = broken(bench, fault.inject(flipped, Random(0)))
                at_once |= {fault.name: both} if both else {}
        seconds = time.perf_counter() - started
        scores = cell.production if cell else None
        said(scratch.name, fault.name, scores, f"  {seconds:.0f} s")
    bench.evaluator.models.cache.close()
    pairs = zip(few.splits.gate, flipped.splits.gate, strict=True)
    wrong = frozenset(old.id for old, new in pairs if old.target != new.target)
    return Measured(healthy_scores, cells, at_once, wrong)


def said(pipeline: str, fault: str, scores: Mapping[str, float] | None, more: str) -> None:
    """Print the score of a cell as soon as it is known."""
    score = "holds the gate all the same"
    if scores:
        found = estimate(list(scores.values()), CONFIDENCE)
        score = f"score {found.mean:.2f} ({found.low:.2f}–{found.high:.2f}, n = {found.n})"
    print(f"{pipeline:13}{fault:20}{score}{more}", flush=True)


def broken(bench: Bench, pipeline: Pipeline) -> Ablations | None:
    """Return what the ablations measure once a fault is injected; None: the gate is held."""
    data, cache = pipeline.splits, bench.evaluator.models.cache
    library = Retriever(bench.task, data, cache, Quiet(), pipeline.make_index)
    evaluator = replace(bench.evaluator, data=data, retriever=library)
    outcomes = answer(evaluator, pipeline.candidate, data.gate)
    if fmean(scores_of(outcomes).values()) >= GATE:
        return None
    return run_ablations(evaluator, pipeline.candidate, outcomes, every=True)


def part(ablations: Ablations, rows: Sequence[str]) -> Ablations:
    """Return what was measured on some rows; one that is drawn twice counts twice."""
    named = [(f"{row}#{at}", row) for at, row in enumerate(rows)]

    def of(values: Mapping[str, float]) -> dict[str, float]:
        return {name: values[row] for name, row in named if row in values}

    return replace(
        ablations,
        production=of(ablations.production),
        changed={ablation: of(found) for ablation, found in ablations.changed.items()},
        places={name: ablations.places[row] for name, row in named if row in ablations.places},
        cut_rows=frozenset(name for name, row in named if row in ablations.cut_rows),
    )


def together(one: Ablations, other: Ablations) -> Ablations:
    """Return the rows of both. A place counts as read, or as too low, by its own system's k."""
    k = max(one.k, other.k)

    def marked(ablations: Ablations, mark: str) -> tuple[Ablations, dict[str, int]]:
        rows = {row: f"{row}{mark}" for row in ablations.production}
        places = {
            rows[row]: k + 1 if place > ablations.k else place
            for row, place in ablations.places.items()
        }
        renamed = {
            ablation: {rows[row]: score for row, score in found.items()}
            for ablation, found in ablations.changed.items()
        }
        production = {rows[row]: score for row, score in ablations.production.items()}
        cut = frozenset(rows[row] for row in ablations.cut_rows)
        return replace(ablations, production=production, changed=renamed, cut_rows=cut), places

    (a, places_of_a), (b, places_of_b) = marked(one, "a"), marked(other, "b")
    return Ablations(
        production={**a.production, **b.production},
        changed={
            ablation: {**a.changed.get(ablation, {}), **b.changed.get(ablation, {})}
            for ablation in {**a.changed, **b.changed}
        },
        places={**places_of_a, **places_of_b},
        k=k,
        cut=a.cut or b.cut,
        cut_rows=a.cut_rows | b.cut_rows,
    )


def diagnosed(ablations: Ablations) -> Diagnosis | None:
    """Judge and diagnose a case; None: it passes."""
    verdict = combine([judge_score(list(ablations.production.values()), GATE, 1 - CONFIDENCE)])
    if verdict.status == "pass":
        return None
    return diagnose("retrieving", verdict, ablations, LIMITS, fixes())


def first_named(ablations: Ablations) -> str:
    """Return the cause that is named first."""
    found = diagnosed(ablations)
    return found.causes[0].name if found and found.causes else NONE


def draw(rows: Sequence[str], luck: Random, count: int = CASE_ROWS) -> list[str]:
    """Draw rows with replacement."""
    return luck.choices(rows, k=count)


def cases(ablations: Ablations, count: int, luck: Random) -> Iterator[str]:
    """Yield what is named first in so many cases."""
    rows = sorted(ablations.production)
    for _ in range(count):
        yield first_named(part(ablations, draw(rows, luck)))


def over_rows(ablations: Ablations, cause: str) -> tuple[float, float]:
    """Return the interval of how often a cause comes first, had other rows been answered."""
    luck, rows, found = Random(1), sorted(ablations.production), []
    for _ in range(RESAMPLED):
        pool = draw(rows, luck, len(rows))
        named = [
            first_named(part(ablations, draw(pool, luck))) == cause for _ in range(RESAMPLED_CASES)
        ]
        found.append(fmean(named))
    found.sort()
    tail = round((1 - CONFIDENCE) / 2 * RESAMPLED)
    return found[tail], found[-1 - tail]


def exact(hits: float, of: float) -> tuple[float, float]:
    """Return the binomial interval of Clopper and Pearson (1934); counts may be effective ones."""
    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, hits, of - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def over_pipelines(rates: Sequence[float], without_overlap: float) -> tuple[float, float]:
    """Return the interval of a mean over pipelines, for pipelines like these.

    Args:
        rates: of each pipeline.
        without_overlap: cases that all the rows would fill.
    """
    mean, effective = fmean(rates), without_overlap
    between = variance(rates) / len(rates) if len(rates) > 1 else 0.0
    if between and 0 < mean < 1:
        effective = min(effective, mean * (1 - mean) / between)
    if len(rates) > 1:
        tail = 1 - (1 - CONFIDENCE) / 2
        own, few = t.ppf(tail, max(1.0, without_overlap - 1)), t.ppf(tail, len(rates) - 1)
        effective *= float((own / few) ** 2)
    return exact(mean * effective, effective)


def report_healthy(found: Mapping[str, Measured], count: int) -> None:
    """Print how often a healthy pipeline is below its gate, where a cause is always named."""
    below = _most(lambda hits: hits < GATE * CASE_ROWS)
    fails = _most(lambda hits: _judged([1.0] * hits + [0.0] * (CASE_ROWS - hits)) == "fail")
    print(
        f"\nhealthy: below the gate, so that a cause is named, in … of {count} cases; failed in …"
    )
    for name, one in found.items():
        luck, rows = Random(f"{name} healthy"), sorted(one.healthy)
        drawn = [[one.healthy[row] for row in draw(rows, luck)] for _ in range(count)]
        named = sum(fmean(scores) < GATE for scores in drawn)
        failed = sum(_judged(scores) == "fail" for scores in drawn)
        score = estimate(list(one.healthy.values()), CONFIDENCE)
        (is_below, low_below), (_, low_fails) = (
            [float(binom.cdf(most, CASE_ROWS, p)) for p in (score.mean, score.low)]
            for most in (below, fails)
        )
        print(
            f"  {name:13}{named:3}, {failed}; score {score.mean:.2f} ({score.low:.2f}–"
            f"{score.high:.2f}, n = {score.n}): chance to be below {is_below:.3f} (at most"
            f" {low_below:.3f}), to fail at most {low_fails:.4f}"
        )


def _most(holds: Callable[[int], bool]) -> int:
    """Return the most right answers of a case for which something holds; -1: none."""
    return max((hits for hits in range(CASE_ROWS + 1) if holds(hits)), default=-1)


def _judged(scores: Sequence[float]) -> str:
    return judge_score(scores, GATE, 1 - CONFIDENCE).verdict


def report_single(found: Mapping[str, Measured], count: int) -> None:
    """Print what is named first where one fault was injected, over all and in the worst cell."""
    rates: dict[str, list[float]] = defaultdict(list)
    worst: tuple[float, str, Ablations, str] | None = None
    print(f"\nsingle faults: what is named first in {count} cases")
    for name, one in found.items():
        for fault, ablations in one.cells.items():
            named = Counter(cases(ablations, count, Random(f"{name} {fault}")))
            rate = named[CAUSE_OF[fault]] / count
            rates[name].append(rate)
            print(f"  {name:13}{fault:20}{dict(named.most_common())}", flush=True)
            if worst is None or rate < worst[0]:
                worst = rate, f"{fault} in {name}", ablations, CAUSE_OF[fault]
    if worst is None:
        return
    means = [fmean(found) for found in rates.values()]
    rows = sum(len(cell.production) for one in found.values() for cell in one.cells.values())
    low, high = over_pipelines(means, rows / CASE_ROWS)
    by_name = ", ".join(f"{name} {mean:.2f}" for name, mean in zip(rates, means, strict=True))
    print(
        f"the injected cause comes first in {fmean(means):.3f} of cases ({low:.2f}–{high:.2f} over"
        f" pipelines; {by_name}; {sum(map(len, rates.values()))} cells; goal 0.90)"
    )
    low, high = over_rows(worst[2], worst[3])
    print(f"worst cell: {worst[0]:.2f} ({low:.2f}–{high:.2f} over rows), {worst[1]}")


@dataclass
class Doubles:
    """What was named where two faults were injected, in one pipeline."""

    first: list[bool]
    """The cause of more misses comes first."""
    both: list[bool]
    off: list[float]
    """How far a named share is from the true one."""

    def add(self, found: Diagnosis, shares: Mapping[str, float]) -> None:
        """Count a case, given the true shares of its misses."""
        named = {cause.name: cause.share for cause in found.causes}
        larger = max(shares, key=shares.__getitem__)
        self.first.append(bool(found.causes) and found.causes[0].name == larger)
        self.both.append(all(cause in named for cause in shares))
        self.off += [abs(named.get(cause, 0.0) - share) for cause, share in shares.items()]


def mixed(one: Measured, count: int, seed: str) -> Iterator[tuple[str, Doubles]]:
    """Yield what is named in cases of which most rows met one fault and the others another."""
    for more, fewer in permutations(one.cells, 2):
        luck, found = Random(f"{seed} {more} {fewer}"), Doubles([], [], [])
        for _ in range(count):
            a, b = (
                part(one.cells[fault], draw(sorted(one.cells[fault].production), luck, rows))
                for fault, rows in ((more, LARGER), (fewer, SMALLER))
            )
            misses = {
                CAUSE_OF[fault]: sum(score < WRONG_BELOW for score in cell.production.values())
                for fault, cell in ((more, a), (fewer, b))
            }
            whole = diagnosed(together(a, b))
            if whole and sum(misses.values()):
                shares = {name: n / sum(misses.values()) for name, n in misses.items()}
                found.add(whole, shares)
        yield f"{more} + {fewer}", found


def at_once(one: Measured, count: int, seed: str) -> Iterator[tuple[str, Doubles]]:
    """Yield what is named where a fault of reading and flipped labels are in one pipeline."""
    for fault, ablations in one.at_once.items():
        luck, found = Random(f"{seed} {fault} at once"), Doubles([], [], [])
        for _ in range(count):
            drawn = part(ablations, draw(sorted(ablations.production), luck))
            wrong = [row for row, score in drawn.production.items() if score < WRONG_BELOW]
            labels = sum(row.split("#")[0] in one.flipped for row in wrong) / max(1, len(wrong))
            whole = diagnosed(drawn)
            if whole and wrong:
                found.add(whole, {"labels": labels, CAUSE_OF[fault]: 1 - labels})
        yield f"{fault} + labels flipped", found


def report_doubles(title: str, found: Mapping[str, list[tuple[str, Doubles]]], rows: float) -> None:
    """Print how often the larger of two faults comes first, and how often both are named."""
    print(f"\n{title}")
    for words, of in (("the larger comes first", "first"), ("both are named", "both")):
        rates = {
            name: [(fmean(getattr(d, of)), pair) for pair, d in pairs if d.first]
            for name, pairs in found.items()
        }
        means = [fmean(rate for rate, _ in cells) for cells in rates.values()]
        low, high = over_pipelines(means, rows)
        by_name = ", ".join(f"{name} {mean:.2f}" for name, mean in zip(rates, means, strict=True))
        rate, pair, name = min((r, p, n) for n, cells in rates.items() for r, p in cells)
        print(f"  {words} in {fmean(means):.2f} ({low:.2f}–{high:.2f} over pipelines; {by_name})")
        print(f"    worst pair: {rate:.2f}, {pair} in {name}")
    off = [value for pairs in found.values() for _, d in pairs for value in d.off]
    print(f"  a named share is off by {fmean(off):.2f} on average")


def main() -> None:
    """Print what is named, over all and where it is worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=30, help="answered for each fault")
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--sets", nargs="+", default=list(PIPELINES))
    parser.add_argument("--faults", nargs="+", default=list(CAUSE_OF))
    parser.add_argument("--store", type=Path, help="keep the model's answers in this folder")
    options = parser.parse_args()
    started = time.perf_counter()
    found: dict[str, Measured] = {}
    faults = [fault for fault in FAULTS if fault.name in options.faults]
    with tempfile.TemporaryDirectory() as scratch:
        runs = options.store or Path(scratch)
        for name in options.sets:
            folder = Path(scratch) / name
            folder.mkdir()
            given = PIPELINES[name](options.data)
            found[name] = measured(given, folder, runs, faults, options.rows)
    report_healthy(found, options.cases)
    report_single(found, options.cases)
    rows = sum(len(one.cells) for one in found.values()) * options.rows / CASE_ROWS
    pairs = {name: list(mixed(one, options.cases // 3, name)) for name, one in found.items()}
    report_doubles(f"two faults, one in {LARGER} rows and one in {SMALLER} others", pairs, rows)
    pairs = {name: list(at_once(one, options.cases, name)) for name, one in found.items()}
    if any(pairs.values()):
        report_doubles("two faults at once", {n: p for n, p in pairs.items() if p}, rows)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
