"""What a system costs in a month, all in, and from which volume another is cheaper. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from ladder.evidence import Bill

MONTHS_PER_QUARTER = 3


def fixed_per_month(once: float, per_quarter: float, months: int) -> float:
    """Return USD a month, whatever the volume.

    Args:
        once: what is paid once: training, a teacher's answers, labelled rows.
        per_quarter: what is paid each quarter: a revalidation.
        months: over which what is paid once is spread.
    """
    return once / months + per_quarter / MONTHS_PER_QUARTER


@dataclass(frozen=True)
class Crossing:
    """The volume from which the dearer to build is the cheaper to own."""

    requests: float | None
    """A month; None: at no volume."""
    low: float
    """Infinite: at no volume, as surely as the interval says."""
    high: float | None
    """None: perhaps at no volume."""


def crossing(dear: Bill, cheap: Bill, confidence: float) -> Crossing:
    """Return from how many requests a month `dear` (fixed cost) is paid back by `cheap` requests.

    Args:
        dear: the system with the higher fixed cost, which hopes to be cheaper per request.
        cheap: the system with the lower fixed cost.
        confidence: of the interval, which carries the error of the costs per request.
    """
    gap = dear.fixed_per_month - cheap.fixed_per_month
    saved = (cheap.per_1k - dear.per_1k) / 1000
    error = math.hypot(dear.per_1k_error, cheap.per_1k_error) / 1000
    reach = float(ndtri(0.5 + confidence / 2)) * error
    most, least = saved + reach, saved - reach
    return Crossing(
        requests=gap / saved if saved > 0 else None,
        low=gap / most if most > 0 else math.inf,
        high=gap / least if least > 0 else None,
    )
