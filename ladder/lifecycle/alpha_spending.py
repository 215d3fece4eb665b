"""Alpha spending over the life of a plan: many looks at one answer share one error budget.

A plan lives for two years. In all that time an answer that still holds raises an alarm with a
chance of at most 5 %, for its inputs and for its score each. A look at the inputs spends the share
of that which belongs to the time since the look before it (Lan and DeMets, Biometrika 70 (1983),
with the days as information), so that it does not matter how often one looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

LIFE_DAYS = 730
BUDGET = 0.05


def error_of_look(created: date, today: date, before: Sequence[tuple[date, float]]) -> float:
    """Return what a look may spend of the budget; 0 where nothing is left.

    Args:
        created: the day of the certification.
        today: of the look; a day that is gone by counts as one day.
        before: day of each look so far, and what it spent.
    """
    last = max((day for day, _ in before), default=created)
    days = max(1, (today - last).days)
    left = BUDGET - sum(error for _, error in before)
    return max(0.0, min(left, BUDGET * days / LIFE_DAYS))
