"""Every record that is written to disk. Values only: nothing here computes."""

from __future__ import annotations

from typing import Any, Literal

from ladder.evidence.candidate import Candidate
from ladder.evidence.data import DataReport
from ladder.evidence.diagnosis import ContextCosts, Diagnosis, Fix
from ladder.evidence.measurement import (
    AgainstTeacher,
    Comparison,
    Control,
    JudgeAgreement,
    Measurement,
    RaceLine,
    RetrievalHealth,
    Verdict,
    VerdictWord,
)
from ladder.evidence.values import Asked, Estimate, Record
from ladder.task import RungName

Status = Literal["passed", "failed", "undecided", "skipped", "no verdict"]


class Attempt(Record):
    """One rung of the ladder."""

    FORMER = {"mends": "fixes"}

    rung: RungName
    status: Status
    """`no verdict`: too many requests failed to tell; nothing is concluded from it."""
    reason: str
    candidate: Candidate | None = None
    race: tuple[RaceLine, ...] = ()
    measurement: Measurement | None = None
    verdict: Verdict | None = None
    diagnosis: Diagnosis | None = None
    fixes: tuple[Fix, ...] = ()
    """What was changed before the rung was measured, in this order."""
    context: ContextCosts | None = None
    """Where documents are read and the score is missed."""
    retrieval: tuple[RetrievalHealth, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    against_teacher: AgainstTeacher | None = None
    """Of a student."""
    asked: Asked = Asked()
    """In this run, from the race to the diagnosis."""
    seconds: float = 0.0
    """By the clock, in this run: what was kept from before took none."""


TrainingMethodName = Literal["none", "lora", "qlora", "dora", "full", "preference", "distill"]


class TrainingMethod(Record):
    """A way of training, and the measurement that speaks for or against it here."""

    name: TrainingMethodName
    chosen: bool
    reason: str


class Recommendation(Record):
    """The answer."""

    FORMER = {
        "technique": "description",
        "techniques": "training_methods",
        "unproven": "leans_to_pass",
    }

    rung: RungName | None
    description: str
    leans_to_pass: bool = False
    confirmed: Estimate | None = None
    """The score on the sealed rows, read once."""
    confirmed_verdict: VerdictWord | None = None
    """`none`: too many of the requests failed, so nothing is confirmed."""
    tested: RungName | None = None
    """The rung that was put to the sealed rows, or was to be."""
    withheld: str = ""
    """Why there is no verdict: too many requests failed, or the run was stopped."""
    with_leaked_rows: Estimate | None = None
    """The score had the rows that repeat training rows been counted: how much leaks flatter."""
    reasons: tuple[str, ...]
    instead: str = ""
    """Where the control is not proven worse: what speaks for taking it."""
    training_methods: tuple[TrainingMethod, ...] = ()
    """Every way of training; one is chosen where there is an answer, and it may be `none`."""
    cost: dict[str, float | None] = {}
    deployment: dict[str, Any] = {}


class Bill(Record):
    """What a rung's system costs, in USD."""

    rung: RungName
    passed: bool
    build: float
    labels: float
    """The labelled rows that it learns from or shows."""
    revalidation_per_quarter: float
    per_1k: float
    per_1k_error: float = 0.0
    """Standard error of `per_1k`."""
    fixed_per_month: float
    """Build and labels spread over the months, and the share of a revalidation."""
    per_month: float
    """At the task's volume, all in."""


class BreakEven(Record):
    """From which volume one rung's system is cheaper than another's."""

    rung: RungName
    """The one with the higher fixed cost."""
    against: RungName
    requests_per_month: float | None
    low: float | None
    high: float | None
    """none: perhaps at no volume."""
    sentence: str


class Economics(Record):
    """What the measured systems cost to own."""

    requests_per_month: int
    months: int
    bills: tuple[Bill, ...]
    break_evens: tuple[BreakEven, ...]


class Savings(Record):
    """What stopping early spared, against measuring every rung on every held-out row."""

    calls_made: int
    calls_if_exhaustive: int
    tokens_made: int = 0
    tokens_if_exhaustive: int | None = None
    """Rungs that were not climbed are reckoned like the dearest that was."""
    trainings_made: int = 0
    training_avoided: tuple[RungName, ...]


class TaskRecord(Record):
    """The task that was assessed."""

    name: str
    goal: str
    source: str
    digest: str
    base: str
    scorer: str
    gate: dict[str, float | str | None]
    seed: int


class Assessment(Record):
    """The whole climb: what is saved as assessment.json."""

    schema_version: Literal[1] = 1
    ladder_version: str
    created: str
    """UTC, ISO 8601."""
    task: TaskRecord
    data: DataReport
    control: Control | None
    judge: JudgeAgreement | None = None
    """Where a model's opinion is the score that is gated."""
    attempts: tuple[Attempt, ...]
    recommendation: Recommendation
    economics: Economics | None = None
    savings: Savings
    hardware: dict[str, str]
    versions: dict[str, str]
    seconds: float
    stopped: str = ""
    """Why the run ended before its answer: an endpoint that is down, or the spending limit."""
    every_rung: bool = False
    """Whether all rungs were measured on all gate rows (--all)."""
    plan: str | None
    """The revalidation plan beside this file; none where nothing is recommended."""
