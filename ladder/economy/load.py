"""What requests wait for when several clients ask at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SHARE_IN_TIME = 0.95
ARRIVALS = 20_000
"""Simulated, to know how long requests wait at a rate."""
HALVINGS = 30


def waits(service: Sequence[float], clients: int) -> list[float]:
    """Return how long each request queues for a server that answers one at a time.

    Closed loop: each of `clients` sends its next request as soon as the last is answered, so a
    request waits for the services of the `clients - 1` requests before it. The first requests,
    which meet a queue that is still filling, are left out: one value for each full queue.
    Neighbouring waits share services, so with many clients the values hold less evidence than as
    many independent ones: an interval over them is somewhat too narrow.

    Args:
        service: the time that each request takes alone, in the order of arrival.
        clients: how many ask at once.
    """
    ahead = clients - 1
    return [sum(service[at - ahead : at]) for at in range(ahead, len(service))]


def rate_in_time(service: Sequence[float], limit: float) -> float:
    """Return the most requests a second of which 95 % are answered in time by one machine.

    They come independently of each other (a Poisson process) and are answered one at a time, in
    the order of arrival: an M/G/1 queue, simulated by Lindley's recursion (1952) with one seed, so
    that equal times give an equal rate.

    Args:
        service: seconds that requests take alone, one or more, each above 0.
        limit: seconds from arrival to answer.

    Returns:
        requests a second; 0 where more than 5 % take longer than the limit even alone.
    """
    draw = np.random.default_rng(0)
    taken = draw.choice(np.asarray(service, dtype=float), ARRIVALS)
    if np.quantile(taken, SHARE_IN_TIME) > limit:
        return 0.0
    gaps = draw.exponential(1.0, ARRIVALS - 1)
    low, high = 0.0, float(1 / taken.mean())
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        # A request waits for what the ones before it left undone when it came.
        ahead = np.concatenate(([0.0], np.cumsum(taken[:-1] - gaps / rate)))
        waited = ahead - np.minimum.accumulate(ahead)
        in_time = np.quantile(waited + taken, SHARE_IN_TIME) <= limit
        low, high = (rate, high) if in_time else (low, rate)
    return low
