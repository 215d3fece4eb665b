"""What a system costs in a month, all in, and from which volume another is cheaper. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ladder.evidence import Bill

MONTHS_PER_QUARTER = 3
MOST_REQUESTS = 10**12
"""A month; a break-even beyond it is none."""
LEAST_REQUESTS = 1e-3
VOLUMES = 4_000
"""At which two systems are compared, evenly spaced by ratio: one in a hundred apart."""
MACHINES = 1_000
"""Up to so many, the volumes just before and behind each further machine are compared as well."""
HALVINGS = 60

Volumes = NDArray[np.float64]


def fixed_per_month(once: float, per_quarter: float, months: int) -> float:
    """Return USD a month, whatever the volume.

    Args:
        once: what is paid once: training, a teacher's answers, labelled rows.
        per_quarter: what is paid each quarter: a revalidation.
        months: over which what is paid once is spread.
    """
    return once / months + per_quarter / MONTHS_PER_QUARTER


def owned(bill: Bill, requests: ArrayLike) -> Volumes:
    """Return USD a month, all in, at each of some volumes (requests a month)."""
    volumes = np.asarray(requests, dtype=float)
    if bill.capacity is None:
        return bill.fixed_per_month + volumes * bill.per_1k / 1000
    machines = np.maximum(1, np.ceil(volumes / bill.capacity))
    return bill.fixed_per_month + machines * bill.rent_per_month


@dataclass(frozen=True)
class Crossing:
    """The volume from which on the dearer system at few requests is the cheaper one."""

    requests: float | None
    """A month; None: at no volume."""
    low: float | None
    """None: at no volume, as surely as the interval says."""
    high: float | None
    """None: perhaps at no volume."""


def crossing(dear: Bill, cheap: Bill, confidence: float) -> Crossing:
    """Return from how many requests a month on `dear` costs less than `cheap`.

    Whole machines make steps, so that one may be ahead and behind again: what is returned is the
    volume from which on it stays ahead.

    Args:
        dear: the system that costs more at few requests, and hopes to cost less at many.
        cheap: the other one.
        confidence: of the interval, which carries the error of what a request takes.
    """
    reach = float(ndtri(0.5 + confidence / 2))
    both = math.hypot(dear.per_1k_error, cheap.per_1k_error) or 1.0
    # The errors are independent: together they reach as far as the likeliest pair of shifts.
    ends = [
        (
            _shifted(dear, -sign * reach * dear.per_1k_error / both),
            _shifted(cheap, sign * reach * cheap.per_1k_error / both),
        )
        for sign in (1, -1)
    ]
    low, high = (_stays_ahead(*pair) for pair in ends)
    return Crossing(requests=_stays_ahead(dear, cheap), low=low, high=high)


def _shifted(bill: Bill, errors: float) -> Bill:
    """Return a bill whose requests take more by so many standard errors; less where negative."""
    if bill.capacity is None:
        return bill.but(per_1k=max(0.0, bill.per_1k + errors * bill.per_1k_error))
    relative = bill.capacity_error / bill.capacity
    return bill.but(capacity=bill.capacity / max(1 + errors * relative, 1e-9))


def _stays_ahead(dear: Bill, cheap: Bill) -> float | None:
    """Return the volume from which on `dear` costs less; None where it never does for good."""
    volumes = _volumes(dear, cheap)
    behind = np.flatnonzero(owned(dear, volumes) >= owned(cheap, volumes))
    if not len(behind):
        return float(volumes[0])
    if behind[-1] == len(volumes) - 1:
        return None
    low, high = float(volumes[behind[-1]]), float(volumes[behind[-1] + 1])
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        ahead = owned(dear, middle) < owned(cheap, middle)
        low, high = (low, middle) if ahead else (middle, high)
    return high


def _volumes(*bills: Bill) -> Volumes:
    spaced = np.geomspace(LEAST_REQUESTS, MOST_REQUESTS, VOLUMES)
    steps = [np.arange(1, MACHINES) * bill.capacity for bill in bills if bill.capacity]
    there = np.concatenate([spaced, *steps, *(np.nextafter(step, np.inf) for step in steps)])
    return np.unique(there[there <= MOST_REQUESTS])
