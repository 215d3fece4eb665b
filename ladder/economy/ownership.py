"""What a system costs in a month, all in, and from which volume another is cheaper. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

MONTHS_PER_QUARTER = 3


@dataclass(frozen=True)
class Bill:
    """What a system costs, in USD."""

    build: float
    """Once: training, and the teacher's answers."""
    labels: float
    """Once: the labelled rows that it learns from or shows."""
    revalidation: float
    """Each quarter: answering the gate rows again."""
    per_request: float
    per_request_error: float = 0.0
    """Standard error of `per_request`."""
    months: int = 12
    """Over which what is paid once is spread."""

    @property
    def fixed(self) -> float:
        """USD a month, whatever the volume."""
        return (self.build + self.labels) / self.months + self.revalidation / MONTHS_PER_QUARTER

    def per_month(self, requests: float) -> float:
        """Return USD a month at a volume."""
        return self.fixed + requests * self.per_request


@dataclass(frozen=True)
class BreakEven:
    """The volume from which the dearer to build is the cheaper to run."""

    requests: float | None
    """A month; None: at no volume."""
    low: float
    high: float | None
    """None: it may be at no volume."""


def break_even(dear: Bill, cheap: Bill, confidence: float) -> BreakEven:
    """Return from how many requests a month `dear` (fixed cost) is paid back by `cheap` requests.

    Args:
        dear: the system with the higher fixed cost, which hopes to be cheaper per request.
        cheap: the system with the lower fixed cost.
        confidence: of the interval, which carries the error of the costs per request.
    """
    gap = dear.fixed - cheap.fixed
    spared = cheap.per_request - dear.per_request
    error = math.hypot(dear.per_request_error, cheap.per_request_error)
    reach = float(ndtri(0.5 + confidence / 2)) * error
    most, least = spared + reach, spared - reach
    return BreakEven(
        requests=gap / spared if spared > 0 else None,
        low=gap / most if most > 0 else math.inf,
        high=gap / least if least > 0 else None,
    )
