"""When so few rows say enough that a choice among candidates may stop. Pure.

A choice is no verdict: whoever is chosen is measured on the eval set, where the error of the climb
is spent. What these bounds can do wrong is to leave out a candidate that would have passed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ladder.gate.bounds import lower_bound, upper_bound

MISSES_ERROR = 0.005
"""At each look: one that holds the gate is taken for one that misses it at most so often."""
HOLDS_ERROR = 0.02
"""At each look: one that misses the gate is taken for one that holds it at most so often."""


def surely_misses(scores: Sequence[float], min_score: float) -> bool:
    """Tell whether a true mean at the limit would hardly ever score so low."""
    return upper_bound(scores, MISSES_ERROR) < min_score


def surely_holds(scores: Sequence[float], min_score: float) -> bool:
    """Tell whether a true mean below the limit would hardly ever score so high."""
    return bool(scores) and lower_bound(scores, HOLDS_ERROR) >= min_score
