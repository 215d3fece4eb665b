"""From which chance on may an answer be given, so that few of those given are wrong? Pure.

Fixed-sequence testing (Jung et al., 2024, "Trust or Escalate", §2; Bauer, 1991): the thresholds are
tried from the safest down and the first that fails ends it, so that none has to pay for the others.
A threshold holds where the exact binomial bound (Clopper and Pearson, 1934) on the share of wrong
answers above it is within the wanted error.

Which thresholds are tried is fixed before anything is known of right and wrong: those that the
first so many rows pass, by falling chance, where just so many rows allow one more wrong answer.
Then the error is kept with the wanted confidence wherever a higher chance does not mean more
errors. The proof is short: above the first threshold that is too low there are some rows; given how
many, their wrong answers are a binomial draw at the wanted error or worse, and a binomial draw
passes the bound with at most the probability that the bound allows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ladder.gate.binomial import at_most

SAFEST = 0.2
"""Share of the rows that the first threshold lets pass: of fewer a single wrong answer would end
the walk, and what answers fewer is of little use."""
MOST_NEEDED = 10_000
"""Rows beyond which a number of rows is not worth naming."""


class Certified(NamedTuple):
    """What a threshold lets pass of the rows that it was chosen on."""

    threshold: float
    """Answers with at least this chance are given."""
    answered: int
    wrong: int


def certify(
    chances: Sequence[float], right: Sequence[bool], error: float, confidence: float
) -> Certified | None:
    """Return the lowest threshold above which answers are wrong at most that often; None: none is.

    Args:
        chances: of each row's answer, any scale on which higher is surer; NaN: it has none, and is
            never given.
        right: whether each answer is right.
        error: share of the answers given that may be wrong.
        confidence: with which this is to hold, e.g. 0.95.
    """
    given = np.asarray(chances, dtype=float)
    known = np.isfinite(given)
    order = np.argsort(-given[known], kind="stable")
    falling = given[known][order]
    wrong = np.cumsum(~np.asarray(right, dtype=bool)[known][order])
    best = None
    for rank in _ranks(len(given), len(falling), error, confidence):
        # Rows of the same chance pass together.
        passed = int(np.searchsorted(-falling, -falling[rank - 1], side="right"))
        errors = int(wrong[passed - 1])
        if not holds(errors, passed, error, confidence):
            break
        best = Certified(float(falling[rank - 1]), passed, errors)
    return best


def holds(wrong: int, answered: int, error: float, confidence: float) -> bool:
    """Tell whether so many wrong answers prove that at most that share is wrong.

    The same as a Clopper-Pearson upper bound of at most `error`.
    """
    return answered > 0 and bool(at_most(wrong, answered, error) <= 1 - confidence)


def rows_needed(rate: float, error: float, confidence: float) -> int | None:
    """Return the fewest answered rows that certify an error, if that share of them is wrong.

    Args:
        rate: share of the answers that is wrong, as far as is known.
        error: that is to be certified.
        confidence: with which.

    Returns:
        None: no number of rows would, or it is beyond any use.
    """
    if rate >= error:
        return None
    steps = enumerate(_allowing_one_more(MOST_NEEDED, error, confidence))
    return next((rows for wrong, rows in steps if wrong >= rate * rows), None)


def _ranks(rows: int, known: int, error: float, confidence: float) -> Iterator[int]:
    """Yield how many rows the thresholds let pass, the safest first, all with a chance last."""
    last = 0
    for rank in _allowing_one_more(known, error, confidence):
        if rank >= math.floor(SAFEST * rows):
            last = rank
            yield rank
    if 0 < last < known:
        yield known


def _allowing_one_more(most: int, error: float, confidence: float) -> Iterator[int]:
    """Yield the fewest rows among which none, then one, two, … may be wrong, up to `most`."""
    wrong = 0
    for rows in range(1, most + 1):
        if holds(wrong, rows, error, confidence):
            wrong += 1
            yield rows
