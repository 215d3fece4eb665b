"""Can a task's scorer be fooled? Proved on the task's own targets, before anything is spent. Pure.

A scorer of one's own targets must give each target full marks against itself, an empty answer none,
and unlike targets no full marks against each other: else the score says right of what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from ladder.language.numbers import Mark, decimal_mark, readings, with_values
from ladder.language.words import composed, plain_words
from ladder.samples.answer_schema import parsed
from ladder.samples.rows import Sample
from ladder.scorers.base import Scorer

ALL_PAIRS = 60
"""Distinct targets that are compared all with all."""
MOST_TARGETS = 500
"""Distinct targets of which each is compared with itself, and with its neighbours by words."""

LONG = 400
"""Characters above which a target is prose: how its numbers are written is a part of it."""


class Fooled(NamedTuple):
    """A target that a scorer gets wrong, and the answer that it takes for it."""

    row: str
    target: str
    other_row: str = ""
    answer: str = ""
    """Another row's target, which gets full marks against this one."""


class Findings(NamedTuple):
    """What was found of a scorer on a task's targets."""

    unmatched: tuple[Fooled, ...]
    """Targets that do not get full marks against themselves."""
    empty: tuple[Fooled, ...]
    """Targets against which an empty answer gets full marks."""
    alike: tuple[Fooled, ...]
    """Targets that get full marks against an unlike one."""


def fooled(scorer: Scorer, samples: Sequence[Sample]) -> Findings:
    """Return the targets on which a scorer is fooled, each with its row.

    Unlike are targets that differ in more than white space, case, the way in which accents are
    encoded, and the way in which a number or JSON is written.

    Args:
        scorer: made ready for the task's targets.
        samples: their rows; all right answers of a row are its targets.
    """
    rows = {target: sample for sample in reversed(samples) for target in sample.targets}
    in_order = sorted(rows, key=lambda target: (plain_words(target[:LONG]), target))
    targets = in_order[:: max(1, -(-len(rows) // MOST_TARGETS))]
    unmatched, empty = [], []
    for target in targets:
        row = rows[target]
        if scorer(target, target).value < 1:
            unmatched.append(Fooled(row.id, target))
        if composed(target) and scorer("", target).value == 1:
            empty.append(Fooled(row.id, target))
    mark = decimal_mark(targets)
    said = {target: _said(target, mark) for target in targets}
    alike = [
        Fooled(rows[target].id, target, rows[answer].id, answer)
        for one, other in _pairs(targets)
        if said[one] != said[other] and other not in rows[one].targets
        for target, answer in ((one, other), (other, one))
        if scorer(answer, target).value == 1
    ]
    return Findings(tuple(unmatched), tuple(empty), tuple(alike))


def read_in_two_ways(samples: Sequence[Sample]) -> list[tuple[Sample, tuple[float, ...]]]:
    """Return the rows whose number could be another one with another decimal mark, and its values.

    None where the numbers of the targets show the mark.
    """
    if decimal_mark(target for sample in samples for target in sample.targets):
        return []
    found = ((sample, readings(sample.target)) for sample in samples)
    return [(sample, values) for sample, values in found if len(values) > 1]


def _pairs(targets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs to compare: of an even choice all with all, of the others the neighbours."""
    step = max(1, -(-len(targets) // ALL_PAIRS))
    chosen = targets[::step]
    yield from combinations(chosen, 2)
    if step > 1:
        yield from pairwise(targets)


def _said(target: str, mark: Mark | None) -> object:
    """Return what a target says, however it is written; equal for targets that are alike."""
    value = parsed(target)
    if isinstance(value, dict | list):
        return value
    return "".join((with_values(target, mark) if len(target) <= LONG else target).split())
