"""Where models answered that answered on a cluster."""

from __future__ import annotations

from ladder.evidence.values import Record


class Cluster(Record):
    """The Ray cluster that a run's local models answered on (`execution: {engine: ray}`)."""

    address: str
    machines: dict[str, int]
    """Name of a machine -> workers that have answered there, over the whole run."""
    chunks: int
    """Batches that were answered; what was kept from before is in none of them."""
    workers_lost: int
    """Workers that died; what they had in hand was asked anew."""
    given_up: int
    """Requests that two workers died on: they failed, and count as no answer."""
