"""How long requests wait where several machines answer them: an M/G/k queue. Pure.

Requests come independently of each other (a Poisson process), and whichever machine is free first
takes the next one, in the order of arrival. What each takes is drawn from the measured times, so no
distribution of them is assumed. The waits are simulated by the recursion of Kiefer and Wolfowitz
("On the theory of queues with many servers", 1955); that of Lindley in `economy.load` is its case
of one machine. The approximation of Allen and Cunneen (A. O. Allen, "Probability, Statistics, and
Queueing Theory", 2nd ed. 1990, chapter 5) for the mean wait is what the tests compare it with.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ladder.economy.load import SHARE_IN_TIME

ARRIVALS = 20_000
"""Simulated at one rate; more where machines are many."""
ARRIVALS_PER_MACHINE = 50
FILLING = 0.1
"""The first share of them, which meets machines that are still idle, is left out."""
MOST_MACHINES = 1_000
RESAMPLES = 40

Seconds = NDArray[np.float64]


def response_times(
    service: Sequence[float], rate: float, machines: int, seed: int = 0, arrivals: int = ARRIVALS
) -> Seconds:
    """Return seconds from arrival to answer of simulated requests; equal input, equal output.

    Args:
        service: seconds that requests take alone, one or more, each above 0.
        rate: requests a second, above 0 and less than the machines can answer.
        machines: that answer, each one request at a time.
        seed: of the arrivals, and of which request comes when.
        arrivals: requests that are simulated, at least.
    """
    draw = np.random.default_rng(seed)
    count = max(arrivals, ARRIVALS_PER_MACHINE * machines)
    taken = draw.choice(np.asarray(service, dtype=float), count)
    arrived = np.cumsum(draw.exponential(1.0, count)) / rate
    free = [0.0] * machines  # when each machine is free; a heap: the first is free first
    found = np.empty(count)
    for at, (came, seconds) in enumerate(zip(arrived.tolist(), taken.tolist(), strict=True)):
        done = max(free[0], came) + seconds
        heapq.heapreplace(free, done)
        found[at] = done - came
    return found[int(FILLING * count) :]


def p95(service: Sequence[float], rate: float, machines: int) -> float:
    """Return the seconds within which 95 % of the requests are answered.

    Args:
        service: as for `response_times`.
        rate: requests a second.
        machines: that answer; infinite seconds where they cannot keep up.
    """
    if rate * float(np.mean(service)) >= machines:
        return math.inf
    return float(np.quantile(response_times(service, rate, machines), SHARE_IN_TIME))


def p95_interval(
    service: Sequence[float], rate: float, machines: int, confidence: float
) -> tuple[float, float]:
    """Return between which seconds `p95` lies, as few measured times as there are.

    The measured times are drawn anew, with replacement (a percentile bootstrap). That shows none
    that is longer than the longest one, so there is no upper end where the times are too few to
    have met the slowest twentieth: 72 are needed at a confidence of 95 %.
    """
    draw = np.random.default_rng(1)
    values = np.asarray(service, dtype=float)
    found = []
    for number in range(RESAMPLES):
        again = draw.choice(values, len(values))
        if rate * again.mean() >= machines:
            found.append(math.inf)
            continue
        times = response_times(again.tolist(), rate, machines, seed=number, arrivals=ARRIVALS // 10)
        found.append(float(np.quantile(times, SHARE_IN_TIME)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail], method="closest_observation")
    met = 1 - SHARE_IN_TIME ** len(values) >= 1 - tail
    return float(low), float(high) if met else math.inf


def machines_in_time(service: Sequence[float], rate: float, limit: float) -> int | None:
    """Return the fewest machines of which 95 % of the requests are answered in time.

    Args:
        service: as for `response_times`.
        rate: requests a second, at the peak.
        limit: seconds from arrival to answer.

    Returns:
        None: more than 5 % take longer than the limit even alone, or more than `MOST_MACHINES`
        would be needed.
    """
    if float(np.quantile(service, SHARE_IN_TIME)) > limit:
        return None
    low = math.floor(rate * float(np.mean(service)))  # so many cannot keep up
    high, step = low + 1, 1
    while high <= MOST_MACHINES and p95(service, rate, high) > limit:
        low, high, step = high, high + step, 2 * step
    if high > MOST_MACHINES:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if p95(service, rate, middle) <= limit else (middle, high)
    return high


def machines_below(service: Sequence[float], rate: float, utilisation: float) -> int:
    """Return the fewest machines that are busy for at most such a share of the time."""
    return max(1, math.ceil(rate * float(np.mean(service)) / utilisation - 1e-9))


def mean_wait(service: Sequence[float], rate: float, machines: int) -> float:
    """Return the mean wait in seconds by the approximation of Allen and Cunneen.

    It is exact for one machine (Pollaczek and Khinchine) and for exponential times (Erlang).
    """
    mean, spread = float(np.mean(service)), float(np.var(service))
    load = rate * mean
    waiting = erlang_c(load, machines)
    return waiting * mean / (machines - load) * (1 + spread / mean**2) / 2


def erlang_c(load: float, machines: int) -> float:
    """Return the share of requests that wait, of exponential times (Erlang, 1917).

    Args:
        load: requests a second times seconds a request takes; less than `machines`.
        machines: that answer.
    """
    blocked = 1.0  # Erlang's B formula, one machine after the other
    for number in range(1, machines + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / machines * (1 - blocked))
