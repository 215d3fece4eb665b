"""What requests wait for when several clients ask at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence


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
