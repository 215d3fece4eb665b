"""How an answer is kept alive: what is measured again, and when."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.candidate import Candidate
from ladder.evidence.values import Estimate, Latency, Record


class Baseline(Record):
    """The measurement that a revalidation compares with."""

    gate_rows: Estimate
    sealed_rows: Estimate | None
    cost_usd_per_1k: float | None
    latency_ms: Latency | None
    hardware: dict[str, str]


class RevalidationPlan(Record):
    """What keeps the answer alive: revalidation.yaml."""

    schema_version: Literal[1] = 1
    task: str
    """Path of task.yaml, relative to the plan's folder where possible."""
    data_root: str | None
    created: str
    candidate: Candidate | None = None
    control: str = ""
    """The way of answering without a language model that was certified; then there is no
    candidate."""
    baseline: Baseline
    proven: bool = True
    """Whether the eval set has proven the gate; else the estimates hold it. Files written before
    do not say."""
    gate: dict[str, float | str | None]
    pinned: dict[str, str]
    """Name -> digest of everything the answer depends on."""
    train: str | None = None
    """Digest of train.jsonl beside the plan: the training examples that the answer reads whenever
    it is asked. None: it reads none, or the plan is of an earlier version."""
    every_days: int
    due: tuple[str, ...]
    """UTC dates of the next four checks."""
    triggers: tuple[str, ...]
    command: str
