"""What answers cost. Pure: numbers in, dollars out."""

from __future__ import annotations

from collections import Counter

from ladder.evidence import Asked
from ladder.task import Prices

SECONDS_PER_HOUR = 3600


def machine_usd(seconds: float, usd_per_hour: float) -> float:
    """Return the price of machine time."""
    return seconds / SECONDS_PER_HOUR * usd_per_hour


def machine_usd_per_1k(
    seconds_per_request: float, usd_per_hour: float, utilisation: float = 1.0
) -> float:
    """Return the price of 1,000 requests on a machine that works for a share of its paid time."""
    return machine_usd(1000 * seconds_per_request, usd_per_hour) / utilisation


def tokens_usd_per_1k(input_mean: float, output_mean: float, prices: Prices) -> float:
    """Return the price of 1,000 requests at an endpoint that charges per token."""
    per_request = input_mean * prices.input_usd_per_1m + output_mean * prices.output_usd_per_1m
    return 1000 * per_request / 1e6


def usd_per_month(per_1k: float, requests_per_month: int) -> float:
    """Return the price of a month at the user's volume."""
    return per_1k * requests_per_month / 1000


def usd_per_1k(per_month: float, requests_per_month: int) -> float:
    """Return the price of 1,000 requests at the user's volume."""
    return per_month / requests_per_month * 1000


def together(first: Asked, second: Asked) -> Asked:
    """Return both."""
    return _each(first, second, 1)


def since(before: Asked, now: Asked) -> Asked:
    """Return what was asked after `before`."""
    return _each(now, before, -1)


def _each(first: Asked, second: Asked, sign: int) -> Asked:
    errors = Counter(first.errors)
    for kind, count in second.errors.items():
        errors[kind] += sign * count
    return Asked(
        calls=first.calls + sign * second.calls,
        tokens=first.tokens + sign * second.tokens,
        seconds=first.seconds + sign * second.seconds,
        usd=first.usd + sign * second.usd,
        errors={kind: count for kind, count in errors.items() if count},
    )
