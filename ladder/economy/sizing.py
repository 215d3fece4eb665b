"""How many machines a volume needs within a limit of latency, and what owning them costs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from ladder.economy.cost import SECONDS_PER_HOUR, tokens_usd_per_1k, usd_per_1k
from ladder.economy.load import SHARE_IN_TIME, rate_in_time
from ladder.economy.machines import HOURS_PER_MONTH, rent_usd_per_month
from ladder.economy.ownership import crossing
from ladder.economy.queueing import machines_below, machines_in_time, p95, p95_interval
from ladder.evidence import Bill, Latency, Sizing, TokenPrice, TokenUse
from ladder.task import Prices

SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR
MOST_BUSY = 0.8
"""The share of its time in which a machine answers at the peak, where no p95 is asked for."""


@dataclass(frozen=True)
class Wanted:
    """What is to be served, and what a machine costs."""

    requests_per_month: int
    usd_per_hour: float
    peak_per_second: float | None = None
    """None: the mean of the hours in which there is work."""
    limit_ms: float | None = None
    """Of the p95 from arrival to answer."""
    worked: float = 1.0
    """The share of the hours in which there is work (`hardware.utilisation`)."""
    confidence: float = 0.95

    @property
    def mean(self) -> float:
        """Requests a second over the whole month."""
        return self.requests_per_month / SECONDS_PER_MONTH

    @property
    def peak(self) -> float:
        """Requests a second that must be answered in time."""
        return self.peak_per_second or self.mean / self.worked


def size(
    latency: Latency | None,
    wanted: Wanted,
    tokens: TokenUse | None = None,
    bill: Bill | None = None,
    prices: Prices | None = None,
) -> Sizing | None:
    """Return how many machines are needed; None where no request was timed alone.

    Args:
        latency: of requests that were timed on a machine like those to come.
        wanted: what is to be served.
        tokens: of a request; None: no language model reads it, so no endpoint is compared.
        bill: what the system costs beside its machines; None: not known, so nothing.
        prices: of an endpoint that owning is compared with.
    """
    service = latency.service_s if latency else ()
    if not service:
        return None
    limit = wanted.limit_ms and wanted.limit_ms / 1000
    if limit:
        machines = machines_in_time(service, wanted.peak, limit)
    else:
        machines = machines_below(service, wanted.peak, MOST_BUSY)
    found = Sizing(
        requests_per_month=wanted.requests_per_month,
        peak_per_second=wanted.peak,
        peak_assumed=wanted.peak_per_second is None,
        limit_ms=wanted.limit_ms,
        timed=len(service),
        service_ms=1000 * fmean(service),
        service_p95_ms=1000 * float(np.quantile(service, SHARE_IN_TIME)),
        machines=machines,
        usd_per_hour=wanted.usd_per_hour,
    )
    if machines is None:
        return found
    owned = _owned(wanted, machines, bill)
    beside = _per_token(service, tokens, wanted, bill, prices) if prices and tokens else None
    return found.but(**_busy(service, wanted, machines), **owned, per_token=beside)


def _busy(service: tuple[float, ...], wanted: Wanted, machines: int) -> dict[str, Any]:
    """Return the fields that say how busy machines are, and what requests wait for it."""
    low, high = p95_interval(service, wanted.peak, machines, wanted.confidence)
    each = fmean(service) / machines
    return {
        "p95_ms": 1000 * p95(service, wanted.peak, machines),
        "p95_low": 1000 * low,
        "p95_high": 1000 * high if math.isfinite(high) else None,
        "utilisation": wanted.peak * each,
        "utilisation_mean": wanted.mean * each,
    }


def _owned(wanted: Wanted, machines: int, bill: Bill | None) -> dict[str, float]:
    rent = machines * rent_usd_per_month(wanted.usd_per_hour)
    whole = rent + (bill.fixed_per_month if bill else 0.0)
    return {
        "usd_per_month": rent,
        "own_per_month": whole,
        "usd_per_1k": usd_per_1k(whole, wanted.requests_per_month),
    }


def _per_token(
    service: Sequence[float],
    tokens: TokenUse,
    wanted: Wanted,
    bill: Bill | None,
    prices: Prices,
) -> TokenPrice:
    """Return what the same tokens cost at an endpoint, and from which volume owning costs less."""
    per_1k = tokens_usd_per_1k(tokens.input_mean, tokens.output_mean, prices)
    asked = _bill(fixed_per_month=0.0, per_1k=per_1k)
    at = crossing(_own_bill(service, wanted, bill), asked, wanted.confidence)
    return TokenPrice(
        source=prices.source,
        priced=str(prices.priced or ""),
        input_usd_per_1m=prices.input_usd_per_1m,
        output_usd_per_1m=prices.output_usd_per_1m,
        usd_per_1k=per_1k,
        usd_per_month=per_1k * wanted.requests_per_month / 1000,
        own_from=at.requests,
        own_low=at.low,
        own_high=at.high,
    )


def _own_bill(service: Sequence[float], wanted: Wanted, bill: Bill | None) -> Bill:
    """Return the bill of owning: each further machine answers what one alone holds the limit at.

    Machines that share a queue answer somewhat more, so that owning costs no more than this says.
    """
    limit = wanted.limit_ms
    rate = rate_in_time(service, limit / 1000) if limit else MOST_BUSY / fmean(service)
    capacity = max(rate, 1e-12) * wanted.mean / wanted.peak * SECONDS_PER_MONTH
    error = bill.capacity_error / bill.capacity if bill and bill.capacity else 0.0
    return _bill(
        fixed_per_month=bill.fixed_per_month if bill else 0.0,
        per_1k=0.0,
        capacity=capacity,
        capacity_error=error * capacity,
        rent_per_month=rent_usd_per_month(wanted.usd_per_hour),
    )


def _bill(**fields: Any) -> Bill:
    """Return a bill of which only what grows with the volume, and what does not, is asked."""
    rest = {"build": 0.0, "labels": 0.0, "revalidation_per_quarter": 0.0, "per_month": 0.0}
    return Bill.model_validate({"rung": "", "passed": True, **rest, **fields})
