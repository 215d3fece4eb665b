"""Search for a better prompt within a stated number of calls: instructions x examples shown.

As in MIPROv2 (Opsahl-Ong et al., 2024): instructions and sets of examples are proposed first, then
their combinations are tried on few dev examples at a time. In place of its surrogate model the
search halves (Karnin et al., 2013) and crosses: after the first round the instructions and sets
that did well apart are put together. What it finds is a challenger: it was chosen among many on
the dev examples, so it must still win on fresh training examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from statistics import fmean, stdev
from typing import Literal, NamedTuple

from ladder.evidence import Candidate
from ladder.gate.early import surely_misses
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer
from ladder.selection.demonstrations import Shown, demonstrations
from ladder.selection.instructions import TIPS, Instruction, instructions, proposals, proposer
from ladder.selection.proving import learning_rows

ROUNDS = (12, 36)
"""Dev rows read in the first and in the second round; the finalists then race on all."""
FINALISTS = 3
REACH = 0.25
"""Score that a search may be hoped to add. MIPROv2 and GEPA report less on nearly all tasks."""
LEAST_DEV = 24
"""A choice among many prompts on fewer rows is a lottery."""
FIRST_LOOKS = (8, 16)
FAILURES_READ = 32
"""Training examples that the incumbent answers, so that its mistakes are known."""
EMPTY_INPUT = Sample(id="", input="N/A", target="")
TITLE = "searching for a better prompt"

Calibration = Literal["none", "empty", "batch"]


class Combination(NamedTuple):
    """One prompt of the search space."""

    instruction: Instruction
    shown: Shown

    @property
    def prompt(self) -> tuple[str, bool, tuple[str, ...]]:
        """What the model sees of it."""
        return self.instruction.text, self.instruction.with_goal, self.shown.shots


class Reading(NamedTuple):
    """How good a prompt looks, and with which calibration."""

    value: float
    calibration: Calibration


class Plan(NamedTuple):
    """How many prompts each round reads. Never dearer than the calls that are allowed."""

    first: int
    crossed: int
    second: int
    """The crossed ones among them."""
    calls: int


def better_prompts(evaluator: Evaluator, incumbent: Candidate) -> list[Candidate]:
    """Return the best prompt found; none where none can decide, or none is better.

    The calls of the search are `search.prompt_calls` in the task at most: every row that a prompt
    answers. The winner has then been read on all dev examples, so that its race costs nothing more.
    The incumbent's own dev examples, where no race has read them yet, come on top.

    Raises:
        NoVerdictError: too many requests failed to tell which prompt is better.
    """
    calls, dev = evaluator.task.search.prompt_calls, evaluator.data.dev
    if not calls or len(dev) < LEAST_DEV or not worth_it(evaluator, incumbent):
        return []
    rows = learning_rows(evaluator)
    model = proposer(evaluator) if rows else None
    learnt = min(FAILURES_READ, len(rows))
    price = 1 + sum(isinstance(scorer, ModelScorer) for _, scorer in evaluator.scorers)
    spent = learnt * price + (len(TIPS) if model else 0)
    plan = planned(calls, len(dev), spent, price)
    if plan is None:
        evaluator.watch.say(f"  no search: {calls} calls are too few for {len(dev)} dev examples")
        return []
    outcomes = answer(evaluator, incumbent, rows[:learnt], TITLE) if learnt else []
    require_conclusive(outcomes, evaluator.task.gate, TITLE)
    failures = [outcome for outcome in outcomes if outcome.score is not None and outcome.score < 1]
    options = instructions(evaluator, incumbent, rows)
    if model and failures:
        options += proposals(evaluator, incumbent, model, failures)
    seed = f"{evaluator.task.seed} prompt search"
    plain = [Shown("no rows", ())]
    plain += [Shown("the same rows", incumbent.shots)] if incumbent.shots else []
    wrong = [failure.sample for failure in failures]
    sets = [*plain, *demonstrations(evaluator, rows, wrong, seed)]
    own = (incumbent.instruction, incumbent.with_goal, incumbent.shots)
    every = [c for c in combinations(options, sets, len(plain), seed) if c.prompt != own]
    if not every:
        return []
    return _halve(evaluator, incumbent, every, plan)


def worth_it(evaluator: Evaluator, incumbent: Candidate) -> bool:
    """Tell whether a better prompt could decide: the gate is near, and not held.

    It holds it when its dev score is a standard error above the limit, or more. What a model does
    not know, no wording teaches it: such gaps are for the rungs above.
    """
    limit = evaluator.task.gate.min_score
    for few in FIRST_LOOKS:  # a lost cause costs no more than these rows
        if surely_misses(_dev_scores(evaluator, incumbent, few), limit - REACH):
            return False
    scores = _dev_scores(evaluator, incumbent)
    if len(scores) < 2:
        return False
    mean = fmean(scores)
    return limit - REACH <= mean < limit + stdev(scores) / math.sqrt(len(scores))


def _dev_scores(evaluator: Evaluator, candidate: Candidate, most: int | None = None) -> list[float]:
    """Return the scores of the first dev examples, or of all: of those that were answered."""
    outcomes = answer(evaluator, candidate, evaluator.data.dev[:most], TITLE)
    require_conclusive(outcomes, evaluator.task.gate, TITLE)
    return [outcome.score for outcome in outcomes if outcome.score is not None]


def planned(calls: int, dev: int, spent: int, price: int) -> Plan | None:
    """Return the widest plan that the calls pay for; None where they pay for none.

    Args:
        calls: allowed in all.
        dev: dev examples.
        spent: calls that do not depend on the plan.
        price: calls that one row takes: 1, and 1 for each judge.
    """
    few, more = (min(count, dev) for count in ROUNDS)
    best = None
    for first in range(2 * FINALISTS, calls + 1):
        second = max(FINALISTS, first // 2)
        crossed = second // 2
        rows = first * few + (second - crossed) * (more - few) + crossed * more
        rows += FINALISTS * (dev - more)
        rows += first + crossed  # the empty input of each
        if spent + price * rows > calls:
            break
        best = Plan(first, crossed, second, spent + price * rows)
    return best


def combinations(
    options: Sequence[Instruction], sets: Sequence[Shown], plain: int, seed: str
) -> list[Combination]:
    """Return all combinations in the order in which they are worth a try.

    The first `plain` sets meet every instruction: no rows at all is often best for a small model.
    Then each other set meets one instruction, then the next one, …
    """
    others = list(sets[plain:])
    Random(seed).shuffle(others)
    return [Combination(option, shown) for shown in sets[:plain] for option in options] + [
        Combination(options[(at + turn) % len(options)], shown)
        for turn in range(len(options))
        for at, shown in enumerate(others)
    ]


def _halve(
    evaluator: Evaluator, incumbent: Candidate, every: Sequence[Combination], plan: Plan
) -> list[Candidate]:
    """Return the best on all dev examples, if it is better there than the incumbent."""
    few, more = (min(count, len(evaluator.data.dev)) for count in ROUNDS)
    first = {found: _read(evaluator, incumbent, found, few) for found in every[: plan.first]}
    kept = sorted(first, key=lambda found: -first[found].value)[: plan.second - plan.crossed]
    kept += _crossed(first, every)[: plan.crossed]
    second = {found: _read(evaluator, incumbent, found, more) for found in kept}
    best = sorted(second, key=lambda found: -second[found].value)[:FINALISTS]
    finalists = [_candidate(incumbent, found, second[found].calibration) for found in best]
    won = max([incumbent, *finalists], key=lambda found: _mean(_dev_scores(evaluator, found)))
    return [won] if won is not incumbent else []


def _crossed(read: dict[Combination, Reading], every: Sequence[Combination]) -> list[Combination]:
    """Return prompts not read yet, those first whose two parts did best (their main effects)."""
    parts: dict[Instruction | Shown, list[float]] = {}
    for found, reading in read.items():
        for part in found:
            parts.setdefault(part, []).append(reading.value)
    usual = fmean(reading.value for reading in read.values())
    gain = {part: fmean(values) - usual for part, values in parts.items()}
    new = [found for found in every if found not in read]
    return sorted(new, key=lambda found: -sum(gain.get(part, 0.0) for part in found))


def _read(evaluator: Evaluator, incumbent: Candidate, found: Combination, rows: int) -> Reading:
    """Read a prompt on the first dev examples.

    Where labels are scored the value is the mean probability of the right label: it tells prompts
    apart on fewer rows than right-or-wrong does, and one answer is read with every calibration.
    """
    candidate = _candidate(incumbent, found, "none")
    dev = evaluator.data.dev[:rows]
    if candidate.decoding != "scored":
        outcomes = answer(evaluator, candidate, dev, TITLE)
        require_conclusive(outcomes, evaluator.task.gate, TITLE)
        return Reading(_mean([o.score for o in outcomes if o.score is not None]), "none")
    *outcomes, empty = answer(evaluator, candidate, [*dev, EMPTY_INPUT], TITLE, scored=False)
    require_conclusive([*outcomes, empty], evaluator.task.gate, TITLE)
    values = [outcome.completion.choice_logprobs for outcome in outcomes]
    priors: dict[Calibration, Sequence[float]] = {
        "batch": [fmean(column) for column in zip(*filter(None, values), strict=True)],
        "empty": empty.completion.choice_logprobs,
        "none": (),
    }
    labels = evaluator.data.labels
    places = [[labels.index(target) for target in sample.targets] for sample in dev]
    readings = [
        Reading(right_label(values, places, prior), calibration)
        for calibration, prior in priors.items()
    ]
    return max(readings, key=lambda reading: reading.value)


def right_label(
    values: Sequence[Sequence[float]],
    places: Sequence[int | list[int]],
    prior: Sequence[float] = (),
) -> float:
    """Return the mean probability of the right label, in 0..1, over the rows with an answer.

    Args:
        values: of each row, the log-probability of each label; empty where no answer came.
        places: of each row, which label is right, or which are.
        prior: of each label, the log-probability that it has whatever the input is.
    """
    import numpy as np
    from scipy.special import softmax

    found = [
        np.sum(softmax(np.subtract(row, prior) if prior else np.asarray(row))[place])
        for row, place in zip(values, places, strict=True)
        if row
    ]
    return float(np.mean(found)) if found else 0.0


def _mean(scores: Sequence[float]) -> float:
    """Return the mean; 0 where no row was answered: such a prompt cannot be used."""
    return fmean(scores) if scores else 0.0


def _candidate(incumbent: Candidate, found: Combination, calibration: Calibration) -> Candidate:
    text, with_goal, shots = found.prompt
    return incumbent.but(
        description=f"{found.instruction.name}, {found.shown.name}",
        instruction=text,
        with_goal=with_goal,
        shots=shots,
        calibration=calibration,
    )
