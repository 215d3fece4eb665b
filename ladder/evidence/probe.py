"""What a look at a certified model finds: probes.jsonl, and probe/reference.json, by the plan."""

from __future__ import annotations

from typing import Any, Literal

from ladder.evidence.artefact import Canaries
from ladder.evidence.drift import Shift
from ladder.evidence.values import Record

ProbeName = Literal["canaries", "digests", "log-probabilities", "border inputs", "outputs"]
"""How a model is probed: what of it is on this machine, then what its endpoint allows."""
Observed = dict[str, float] | str
"""One answer: token -> log-probability of beginning it (nats), or its text."""
Samples = tuple[tuple[Observed, ...], ...]
"""Prompt -> answers to it."""


class ProbeReference(Record):
    """What a model was when its answer was certified: it is written once, and stays."""

    schema_version: Literal[1] = 1
    at: str
    """UTC, ISO 8601."""
    model: str
    probe: ProbeName
    parts: dict[str, str] = {}
    """Part of a local base or adapter -> digest."""
    canaries: Canaries | None = None
    requests: tuple[dict[str, Any], ...] = ()
    """What an endpoint is asked, as fields of `engines.base.Request`."""
    samples: Samples = ()
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0


class ProbeLook(Record):
    """One look."""

    at: str
    """UTC, ISO 8601."""
    model: str
    probe: ProbeName
    verdict: Literal["same", "revalidate", "block"]
    reference: str
    """When the reference was taken; empty: there is none."""
    changed: tuple[str, ...] = ()
    """Names of digests that differ from the certified ones."""
    canaries: int = 0
    """Canary prompts that were asked."""
    moved: int = 0
    """Of those: prompts whose answer is out of tolerance."""
    largest: float = 0.0
    """The most that a canary moved, nats."""
    tolerance: float = 0.0
    effect: float | None = None
    """The most that an adapter moves a canary from its base, nats; None: not tried."""
    refused: str = ""
    """Why the model cannot be loaded any more."""
    error: float = 0.0
    """What this look spends of the plan's error budget (`lifecycle.alpha_spending`)."""
    shifts: tuple[Shift, ...] = ()
    """Against the frozen reference, and against the looks of late."""
    samples: Samples = ()
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    ends: str | None = None
    """ISO date on which the endpoint says that the model is shut down."""
    deprecated: bool = False
    """Whether the endpoint marks the model as deprecated."""
