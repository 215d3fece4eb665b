"""What will be served, sized for a volume."""

from __future__ import annotations

from ladder.evidence.values import Record


class InFlight(Record):
    """What keys and values take where so many of the longest requests are under way at once."""

    requests: int
    kv_mb: float
    total_mb: float
    """With the weights; the engine's own memory is not measured."""


class ServingMemory(Record):
    """What a served model holds in memory, in the precision that was measured."""

    precision: str
    weights_mb: float
    kv_bytes_per_token: int
    tokens_p50: int
    """Of prompt and answer, in whole blocks."""
    tokens_p95: int
    tokens_longest: int
    in_flight: tuple[InFlight, ...]


class TokenPrice(Record):
    """What the same volume costs at an endpoint that charges per token."""

    source: str
    priced: str = ""
    """The day of the price (ISO 8601); empty: not said."""
    input_usd_per_1m: float
    output_usd_per_1m: float
    usd_per_1k: float
    usd_per_month: float
    own_from: float | None
    """Requests a month from which on owning costs less; None: at no volume."""
    own_low: float | None = None
    own_high: float | None = None
    """None: perhaps at no volume."""


class Sizing(Record):
    """Machines for a volume, by the times that single requests took alone."""

    requests_per_month: float
    peak_per_second: float
    peak_assumed: bool
    """No peak was named: the mean of the hours in which there is work."""
    limit_ms: float | None
    """Of the p95; None: there is none, and machines are counted by how busy they may be."""
    timed: int
    """Requests whose times it rests on."""
    service_ms: float
    """Mean, alone."""
    service_p95_ms: float
    machines: int | None
    """None: the limit is held by no number of them."""
    p95_ms: float | None = None
    """Predicted at the peak, waits included."""
    p95_low: float | None = None
    p95_high: float | None = None
    """None: too few requests were timed to tell, or perhaps they cannot keep up."""
    utilisation: float | None = None
    """At the peak: the share of the time in which a machine answers."""
    utilisation_mean: float | None = None
    """Over the month."""
    usd_per_hour: float = 0.0
    usd_per_month: float | None = None
    """Of the machines."""
    own_per_month: float | None = None
    """With what is paid once and for revalidations, spread over the months."""
    usd_per_1k: float | None = None
    per_token: TokenPrice | None = None
