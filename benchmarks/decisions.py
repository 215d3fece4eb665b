"""How often is a climb's verdict wrong, how often is it right, and what does deciding spare?

    python benchmarks/decisions.py [--climbs 2000] [--only clean|dirt|student|choice]

By simulation, with the program's own race, looks, bounds and budgets: the control is judged first,
twelve prompts race on 120 dev examples and the winner is judged, then the other rungs. Answers are
drawn from known true scores; rows differ in difficulty, so the systems' answers hang together.

*Wrong pass*: a system below the gate passes. *Wrong fail*: one that holds it fails, or the prompt
rung does after a prompt that holds it left the race early, as one that cannot. *Not chosen*: the
prompt rung fails since another prompt looked better on the dev examples, which no verdict can see.
*Right*: the climb ends in a proof of the first system that holds the gate, or that none does. The
rest is undecided. Every rate is printed with its 95 % interval (Wilson).

Then the same with what rows are like in life: wrong labels, groups that nobody declared (and the
same ones declared), scores that fall from the first row of the file to the last.

Then students that answer much like their teacher, which is one of the three rungs below: always the
last one, the one that is best on the dev set (as the program chooses it), and the one that was best
on the eval set (as it did before). There the climb goes on at every undecided rung, so that as many
students as possible are judged.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import cycle

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ladder.evidence import LimitVerdict
from ladder.gate.bounds import estimate
from ladder.gate.budget import budget_of
from ladder.gate.looks import judge_in_looks, looks
from ladder.gate.paired import group_means, mcnemar, paired
from ladder.progress import Quiet
from ladder.samples.rows import Rows, Sample
from ladder.samples.splits import split
from ladder.selection.race import Standing, best_of
from ladder.task import GateLimits, Task

GATE = GateLimits(min_score=0.85)
LIMIT = GATE.min_score
SYSTEMS = 5
"""The control, the prompt rung, and three more."""
SEALED_SHARE = 0.5
DEV, PROMPTS = 120, 12
SIZES = (50, 200, 400)
ALIKE = (0.9, 0.95)
"""Correlation of a student's answers with its teacher's, on the latent scale."""
TEACHERS = ("always lora", "best on dev", "best on eval")
CORRELATION = 0.5
"""Of the systems' answers to one row, on the scale of a latent normal variable."""
GRADES = 20
"""A graded score is a mean of so many parts; its spread is far below a coin's."""
SPLITS = 40
"""Ways in which the program mixes a file, over and over."""


def forms(best: float, least: float, most: float) -> tuple[float, ...]:
    """Return the true scores of the prompts of a race: the best of them stands in the middle."""
    others = np.linspace(least, most, PROMPTS - 1).tolist()
    return (*others[: PROMPTS // 2], best, *others[PROMPTS // 2 :])


Truth = tuple[float, tuple[float, ...], float, float, float]
"""True scores of the control, the prompts, and the rungs rag, lora and distill."""
TRUTHS: dict[str, Truth] = {
    "prompt clearly passes": (0.40, forms(0.95, 0.30, 0.80), 0.95, 0.96, 0.96),
    "rag clearly passes": (0.10, forms(0.30, 0.05, 0.25), 0.95, 0.95, 0.96),
    "lora clearly passes": (0.30, forms(0.50, 0.10, 0.40), 0.60, 0.95, 0.95),
    "none passes": (0.30, forms(0.50, 0.10, 0.40), 0.60, 0.65, 0.70),
    "all a hair below": (0.8499, (0.8499,) * PROMPTS, 0.8499, 0.8499, 0.8499),
    "all at the limit": (0.85, (0.85,) * PROMPTS, 0.85, 0.85, 0.85),
    "a hair below, after hopeless": (0.10, forms(0.20, 0.05, 0.15), 0.30, 0.8499, 0.8499),
    "one prompt at the limit": (0.40, forms(0.85, 0.30, 0.80), 0.60, 0.70, 0.70),
}


@dataclass(frozen=True)
class Dirt:
    """What is wrong with the rows."""

    name: str = "clean"
    noise: float = 0.0
    """Share of rows whose label is wrong: who is right there is counted as wrong."""
    alike: float = 0.0
    """Intraclass correlation of rows of one group, on the latent scale."""
    group: int = 1
    """Rows of a group."""
    declared: bool = False
    """Whether the task names the group."""
    drift: float = 0.0
    """What the true score is above its mean at the first row of the file, and below at the last."""
    mixed: bool = True
    """Whether rows are read as the program mixes them, or in the order of the file."""


CLEAN = Dirt()
GRADED = Dirt("graded")
DIRTS = (
    Dirt("labels, 2 % wrong", noise=0.02),
    Dirt("labels, 5 % wrong", noise=0.05),
    Dirt("groups, undeclared", alike=0.5, group=5),
    Dirt("groups, declared", alike=0.5, group=5, declared=True),
    Dirt("drift, mixed", drift=0.1),
    Dirt("drift, not mixed", drift=0.1, mixed=False),
)


@dataclass
class Tally:
    """What happened over all climbs of a cell."""

    climbs: int = 0
    wrong_pass: int = 0
    wrong_fail: int = 0
    wrong: int = 0
    not_chosen: int = 0
    right: int = 0
    rows: int = 0


def draw_scores(
    truth: Sequence[float], rows: int, dirt: Dirt, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Return scores [system, row] whose expectation is the truth, but for wrong labels."""
    return _scored(truth, ndtr(_leaning(len(truth), rows, dirt, draw)), dirt, draw)


def _leaning(systems: int, rows: int, dirt: Dirt, draw: np.random.Generator) -> NDArray[np.float64]:
    """Return standard normal variables [system, row]: the lower, the likelier a right answer."""
    groups = np.arange(rows) // dirt.group
    own = _latent(systems, rows, draw)
    shared = _latent(systems, int(groups[-1]) + 1, draw)[:, groups]
    return np.asarray(dirt.alike**0.5 * shared + (1 - dirt.alike) ** 0.5 * own)


def _scored(
    truth: Sequence[float], ease: NDArray[np.float64], dirt: Dirt, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Return scores [system, row] by how hard each row is for each system, uniform in 0..1."""
    rows = ease.shape[1]
    level = np.array(truth)[:, None]
    if dirt == GRADED:  # the share of parts answered right, each part with its own luck
        parts = ndtr(ndtri(level) * 1.5**0.5 + ndtri(ease) * 0.5**0.5)
        return np.asarray(draw.binomial(GRADES, parts) / GRADES)
    reach = np.minimum(dirt.drift, np.minimum(level, 1 - level))
    scores = ease < level + reach * np.linspace(1, -1, rows)
    return np.asarray((scores & (draw.random(rows) >= dirt.noise)).astype(float))


def _latent(systems: int, count: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Return normal variables [system, count] that hang together across systems."""
    shared, own = draw.standard_normal(count), draw.standard_normal((systems, count))
    return np.asarray(CORRELATION**0.5 * shared + (1 - CORRELATION) ** 0.5 * own)


@cache
def orders(rows: int, dirt: Dirt) -> tuple[tuple[int, ...], ...]:
    """Return places in the file of the eval examples, as the program's splits mix them."""
    file = round(rows / 0.6)
    if not dirt.mixed:
        return (tuple(range(rows)),)
    groups = [str(at // dirt.group) if dirt.declared else "" for at in range(file)]
    test = tuple(Sample(f"t{at}", f"test {at}", "a", group=groups[at]) for at in range(file))
    train = tuple(Sample(f"l{at}", f"train {at}", "a") for at in range(4 * DEV))
    found = []
    for seed in range(SPLITS):
        task = Task.model_validate(
            {
                "name": "simulated",
                "goal": "none",
                "data": {"train": "train.jsonl", "test": "test.jsonl"},
                "score": "exact_match",
                "gate": {"min_score": LIMIT},
                "seed": seed,
            }
        )
        gate = split(task, Rows(train=train, test=test), ()).gate
        found.append(tuple(int(sample.id[1:]) for sample in gate[:rows]))
    return tuple(found)


def raced(truth: Sequence[float], dirt: Dirt, draw: np.random.Generator) -> tuple[float, bool]:
    """Race prompts on drawn dev examples.

    Returns:
        the winner's true score, and whether one that holds the gate left as one that cannot.
    """
    seen = draw_scores(truth, DEV, dirt, draw)[:, draw.permutation(DEV)]

    def read(at: int, count: int) -> Standing:
        return Standing(seen[at, :count].tolist(), 1.0)

    winner, standings = best_of(len(truth), DEV, LIMIT, read, Quiet())
    left = (at for at, standing in standings.items() if standing.settled(LIMIT) == "misses")
    return truth[winner or 0], any(truth[at] >= LIMIT for at in left if at != winner)


def climb(
    name: str, rows: int, dirt: Dirt, order: Sequence[int], draw: np.random.Generator
) -> Tally:
    """Climb once over drawn answers."""
    control, prompts, *rungs = TRUTHS[name]
    won, left_early = raced(prompts, dirt, draw)
    truth = (control, won, *rungs)
    holds = [best >= LIMIT for best in (control, max(prompts), *rungs)]
    scores = draw_scores(truth, round(rows / 0.6), dirt, draw)[:, list(order)]
    groups = [at // dirt.group for at in order]
    tally, failed_clearly, end = Tally(climbs=1), 0, "none"
    for system, own in enumerate(scores):
        counts = looks(len(order)) if system else (len(order),)
        verdict, seen = judge_in_looks(
            _reader(own.tolist(), groups if dirt.declared else ()),
            counts,
            LIMIT,
            budget_of(GATE, SYSTEMS, failed_clearly),
        )
        failed_clearly = failed_clearly + 1 if verdict.clear else 0
        tally.rows += seen[-1] if system else 0
        if verdict.verdict == "fail" and holds[system]:
            wrongly = truth[system] >= LIMIT or left_early
            tally.wrong_fail |= wrongly
            tally.not_chosen |= not wrongly
        if verdict.verdict == "pass":
            tally.wrong_pass = int(truth[system] < LIMIT)
            end = "pass" if not any(holds[:system]) else "late"
            break
        if verdict.verdict == "undecided":
            end = "undecided"
            if system and (verdict.distance or 0) >= 0:
                break  # leans, leans_to_pass
    tally.wrong = int(tally.wrong_pass or tally.wrong_fail)
    decided = end == "pass" or (end == "none" and not any(holds))
    tally.right = int(decided and not tally.wrong and not tally.not_chosen)
    tally.rows += round(SEALED_SHARE * rows) if end in ("pass", "late", "none") else 0
    return tally


def _reader(
    scores: list[float], groups: Sequence[int]
) -> Callable[[int], tuple[Sequence[float], None]]:
    """Return what reads scores: row by row, or a group as one."""
    if not groups:
        return lambda count: (scores[:count], None)
    return lambda count: (group_means(scores[:count], groups[:count]), None)


def simulate(name: str, rows: int, dirt: Dirt, climbs: int, seed: int) -> Tally:
    """Climb many times over drawn answers."""
    draw, total = np.random.default_rng(seed), Tally()
    for _, order in zip(range(climbs), cycle(orders(rows, dirt)), strict=False):
        one = climb(name, rows, dirt, order, draw)
        for field, value in vars(one).items():
            setattr(total, field, getattr(total, field) + int(value))
    return total


@dataclass
class Students:
    """What happened to students over all climbs of a cell."""

    judged: int = 0
    wrong_pass: int = 0
    any_wrong_pass: int = 0
    """Climbs that end in a wrong pass, of a student or of what is below it."""


def students(teacher: str, alike: float, rows: int, climbs: int, seed: int) -> Students:
    """Climb many times to a student of one of three systems, all a hair below the gate."""
    draw, total, below = np.random.default_rng(seed), Students(), LIMIT - 0.0001
    truth = (below,) * 3
    for _ in range(climbs):
        on_dev = draw_scores(truth, DEV, CLEAN, draw).mean(axis=1)
        leaning = _leaning(3, rows, CLEAN, draw)
        scores, failed_clearly, seen_means = _scored(truth, ndtr(leaning), CLEAN, draw), 1, []
        passed = False
        for own in scores:  # a hopeless control is below them: its share is handed on
            verdict, seen = _judged(own.tolist(), failed_clearly)
            failed_clearly = failed_clearly + 1 if verdict.clear else 0
            seen_means.append(float(own[: seen[-1]].mean()))
            passed = verdict.verdict == "pass"
            if passed:
                break
        if not passed:
            by_rule = (2, int(on_dev.argmax()), int(np.argmax(seen_means)))
            taught = leaning[by_rule[TEACHERS.index(teacher)]]
            own_luck = draw.standard_normal(rows)
            student = ndtr(alike * taught + (1 - alike**2) ** 0.5 * own_luck)[None, :]
            answers = _scored((below,), student, CLEAN, draw)[0]
            verdict, _ = _judged(answers.tolist(), failed_clearly)
            total.judged += 1
            total.wrong_pass += verdict.verdict == "pass"
        total.any_wrong_pass += passed or verdict.verdict == "pass"
    return total


def _judged(scores: list[float], failed_clearly: int) -> tuple[LimitVerdict, tuple[int, ...]]:
    """Judge a rung's scores in looks, as the program does."""
    budget = budget_of(GATE, SYSTEMS, failed_clearly)
    return judge_in_looks(lambda n: (scores[:n], None), looks(len(scores)), LIMIT, budget)


def print_students(climbs: int, pool: ProcessPoolExecutor) -> None:
    """Print a line for each way to choose a teacher."""
    todo = [(teacher, alike) for alike in ALIKE for teacher in TEACHERS]
    jobs = [pool.submit(students, *each, SIZES[-1], climbs, 77) for each in todo]
    print(
        f"\n{'students of three systems a hair below':40}{'correlation':12}{'judged':>7}  "
        f"{'student passes wrongly':24}any wrong pass"
    )
    for (teacher, alike), job in zip(todo, jobs, strict=True):
        t = job.result()
        print(
            f"{'teacher: ' + teacher:40}{alike:<12}{t.judged:7,}  "
            f"{rate(t.wrong_pass, climbs):24}{rate(t.any_wrong_pass, climbs)}",
            flush=True,
        )


def false_improvements(times: int, candidates: int = 20, dev: int = 120, gate: int = 400) -> None:
    """Race equal candidates and count how often the winner is called better than the first."""
    draw = np.random.default_rng(9)
    on_dev = on_gate = 0
    flattered = 0.0
    for _ in range(times):
        truth = [0.7] * candidates
        seen = draw_scores(truth, dev, CLEAN, draw)
        winner, standings = best_of(
            candidates,
            dev,
            GATE.min_score,
            lambda at, count, s=seen: Standing(s[at, :count].tolist(), 1.0),
            Quiet(),
        )
        unseen = draw_scores(truth, gate, CLEAN, draw)
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


def cells(part: str) -> Iterator[tuple[str, int, Dirt]]:
    """Yield what is simulated: true scores, rows, what the rows are like."""
    if part == "clean":
        yield from ((name, rows, CLEAN) for name in TRUTHS for rows in SIZES)
        yield from ((name, 200, GRADED) for name in (*list(TRUTHS)[1:2], *list(TRUTHS)[4:6]))
    if part == "dirt":
        named = ("prompt clearly passes", "lora clearly passes", "none passes", *list(TRUTHS)[4:6])
        yield from ((name, 400, dirt) for dirt in DIRTS for name in named)


def main() -> None:
    """Print a line for every cell, then the race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--climbs", type=int, default=2000)
    parser.add_argument("--only", choices=("clean", "dirt", "student", "choice"))
    parser.add_argument("--processes", type=int)
    asked = parser.parse_args()
    climbs = asked.climbs
    print(f"gate {LIMIT}, confidence {GATE.confidence}, {climbs:,} climbs a line")
    with ProcessPoolExecutor(asked.processes) as pool:
        for part in ("clean", "dirt"):
            if asked.only not in (None, part):
                continue
            print(
                f"\n{'true scores':30}{'rows':20}{'n':>4}  {'wrong pass':18}{'wrong fail':18}"
                f"{'wrong':18}{'not chosen':18}{'right':22}all rows / read"
            )
            todo = list(cells(part))
            jobs = [pool.submit(simulate, *cell, climbs, seed) for seed, cell in enumerate(todo, 1)]
            for (name, rows, dirt), job in zip(todo, jobs, strict=True):
                print(line(name, rows, dirt, job.result()), flush=True)
        if asked.only in (None, "student"):
            print_students(climbs, pool)
    if asked.only in (None, "choice"):
        false_improvements(climbs)


def line(name: str, rows: int, dirt: Dirt, t: Tally) -> str:
    """Return what is printed of a cell."""
    exhaustive = (SYSTEMS - 1) * (rows + round(SEALED_SHARE * rows)) * t.climbs
    shown = (t.wrong_pass, t.wrong_fail, t.wrong, t.not_chosen)
    rates = "".join(f"{rate(count, t.climbs):18}" for count in shown)
    return (
        f"{name:30}{dirt.name:20}{rows:4}  {rates}{rate(t.right, t.climbs):22}"
        f"{exhaustive / t.rows:.1f}"
    )


if __name__ == "__main__":
    main()
