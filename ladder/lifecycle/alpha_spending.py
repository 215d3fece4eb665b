"""Alpha spending over the life of a plan: many looks at one answer share one error budget.

A plan lives for two years. In all that time an answer that still holds raises an alarm with a
chance of at most 5 %, for its inputs, its model and its score each. A look spends the share
of that which belongs to the time since the look before it (Lan and DeMets, Biometrika 70 (1983),
with the days as information), so that it does not matter how often one looks.

The checks of a score (`ladder revalidate`) make two claims: that it is below the gate, and that it
fell from what was certified. Where nothing has changed either can only be said if the upper bound
of some check lies below the true score, or if the lower end of the certified interval lies above
it. At the usual confidence of 95 % the latter happens with a chance of 2.5 %; the checks have the
other half of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

LIFE_DAYS = 730
BUDGET = 0.05
OF_CHECKS = BUDGET / 2
SOON = 0.1
"""Of what is left to the checks: what one may spend that is made out of turn, on a trigger."""
LEAST = 1e-9
"""What is left to a check once the budget is spent: it raises hardly any alarm."""


def error_of_look(
    created: date,
    today: date,
    before: Sequence[tuple[date, float]],
    budget: float = BUDGET,
    at_least: float = 0.0,
) -> float:
    """Return what a look may spend of the budget; 0 where nothing is left.

    Args:
        created: the day of the certification.
        today: of the look; a day that is gone by counts as one day.
        before: day of each look so far, and what it spent.
        budget: of the whole life.
        at_least: of what is left, that a look may spend however soon it comes.
    """
    last = max((day for day, _ in before), default=created)
    days = max(1, (today - last).days)
    left = budget - sum(error for _, error in before)
    return max(0.0, min(left, max(budget * days / LIFE_DAYS, at_least * left)))


def error_of_check(
    created: date, today: date, before: Sequence[tuple[date, float | None]]
) -> float:
    """Return what a check of the score may spend; 0 where nothing is left.

    Args:
        created: the day of the certification.
        today: of the check.
        before: day of each check so far, and what it spent; None: it was made before that was
            written down, and counts as if it had spent the share of its days.
    """
    spent: list[tuple[date, float]] = []
    for day, error in before:
        share = error_of_look(created, day, spent, OF_CHECKS, SOON)
        spent.append((day, share if error is None else error))
    return error_of_look(created, today, spent, OF_CHECKS, SOON)
