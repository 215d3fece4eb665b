"""Every record that is written to disk. Values only: nothing here computes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from ladder.evidence.calibration import Calibration
from ladder.evidence.candidate import Candidate
from ladder.evidence.cluster import Cluster
from ladder.evidence.data import DataReport
from ladder.evidence.diagnosis import ContextCosts, Diagnosis, Fix, Misses
from ladder.evidence.isolation import Isolation
from ladder.evidence.ledger import CitedFreeze
from ladder.evidence.measurement import (
    CONTROL,
    AgainstTeacher,
    Comparison,
    Control,
    JudgeAgreement,
    LimitName,
    Measurement,
    RaceLine,
    RetrievalHealth,
    Verdict,
    VerdictWord,
)
from ladder.evidence.parity import Parity
from ladder.evidence.sizing import Sizing
from ladder.evidence.values import Asked, Estimate, Failures, Purpose, Record
from ladder.task import RungName

Status = Literal["passed", "failed", "undecided", "skipped", "no verdict"]


class Attempt(Record):
    """One rung of the ladder."""

    FORMER = {"mends": "fixes"}

    rung: RungName
    status: Status
    """`no verdict`: too many requests failed to tell; nothing is concluded from it."""
    reason: str = ""
    """Why the rung was not climbed, or is without a verdict, in the words of the rung or of the
    error; empty: `refused_after` says it, or the verdict's limits."""
    refused_after: RungName | None = None
    """The rung below whose diagnosis shows a gap that this one cannot fix."""
    candidate: Candidate | None = None
    race: tuple[RaceLine, ...] = ()
    measurement: Measurement | None = None
    verdict: Verdict | None = None
    diagnosis: Diagnosis | None = None
    misses: Misses | None = None
    """Where no ablations are run; None: they were, or the file was written before."""
    fixes: tuple[Fix, ...] = ()
    """What was changed before the rung was measured, in this order."""
    context: ContextCosts | None = None
    """Of the last rung that reads documents, where no rung passed."""
    retrieval: tuple[RetrievalHealth, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    against_teacher: AgainstTeacher | None = None
    """Of a student."""
    calibration: Calibration | None = None
    """Where each answer has a chance: a label's; None in files written before, too."""
    asked: Asked = Asked()
    """In this run, from the race to the diagnosis."""
    seconds: float = 0.0
    """By the clock, in this run: what was kept from before took none."""

    @property
    def over_control(self) -> Comparison | None:
        """The comparison with the control; None where the two were not compared."""
        return next((one for one in self.comparisons if one.other == CONTROL), None)


class Need(Record):
    """Memory of one way of training."""

    needed_mb: float
    available_mb: float
    """Free on the machine."""


TrainingMethodName = Literal["none", "lora", "qlora", "dora", "full", "preference", "distill"]


Ground = Literal[
    "training refused",
    "untrained rung chosen",
    "no untrained rung measured",
    "best untrained rung",
    "measured",
    "not measured",
    "weights elsewhere",
    "lora fits",
    "lora does not fit",
    "stronger adapter",
    "rows for all weights",
    "preferences given",
    "no preferences given",
    "limit missed",
    "limits held",
    "no limits",
]
"""What speaks for or against a way of training: its fields are said beside `TrainingMethod`."""


class TrainingMethod(Record):
    """A way of training, and the measurement that speaks for or against it here."""

    RETIRED = frozenset({"reason"})

    name: TrainingMethodName
    chosen: bool
    ground: Ground | None = None
    """None: unknown, in files written before grounds were kept."""
    rung: RungName | None = None
    """Whose attempt it rests on: the one that refuses training, the chosen one, the best, the one
    that trained so (`measured`), or that misses a limit."""
    untrained: tuple[RungName, ...] = ()
    """Rungs that train nothing, where none of them was measured."""
    limit: LimitName | None = None
    """That is missed by `rung`."""
    short: float | None = None
    """Of the score that the gate asks for, by the adapter that was measured: 0 or less holds it."""
    near: float | None = None
    """What a stronger adapter may be expected to close."""
    rows: int | None = None
    """Training examples."""
    least_rows: int | None = None
    """With which all weights learn more than an adapter."""
    file: str | None = None
    """Of preferences."""
    memory: Need | None = None
    """None: it does not matter, or the weights are elsewhere."""


Advice = Literal["fix", "climb on", "stronger base", "lighter"]
"""What to do where no rung passes: fix what the diagnosis names, climb to the rungs that were left
out, try a stronger base model, or serve what holds the score lighter: it misses latency or cost."""


class Recommendation(Record):
    """The answer."""

    RETIRED = frozenset({"reasons", "instead"})
    FORMER = {
        "technique": "description",
        "techniques": "training_methods",
        "unproven": "leans_to_pass",
    }

    rung: RungName | None
    control: bool = False
    """Whether no language model is needed: the control holds the gate (`Control.judged`)."""
    description: str
    leans_to_pass: bool = False
    confirmed: Estimate | None = None
    """The score on the held-out test examples, read once."""
    confirmed_verdict: VerdictWord | None = None
    """`none`: too many of the requests failed, so nothing is confirmed."""
    openings: int = 0
    """Systems that the held-out test examples were read for by now, in this folder of runs; 0 in
    files written before, and where they were not read."""
    tested: RungName | None = None
    """The rung that was put to the held-out test examples, or was to be."""
    withheld: bool = False
    """There is no verdict: the run was stopped (`Assessment.stopped`), too many requests failed on
    the held-out test examples (`sealed_failures`), or a rung has none (`Attempt.status`)."""
    sealed_failures: Failures | None = None
    """Requests on the held-out test set that failed, where they were too many to confirm a rung."""
    with_leaked_rows: Estimate | None = None
    """The score had the rows that repeat training examples been counted: how much leaks flatter."""
    advice: Advice | None = None
    """Where no rung passes and the verdict is not withheld."""
    not_measured: tuple[RungName, ...] = ()
    """Rungs left out of the climb, where the advice is to climb on."""
    holds_score: tuple[RungName, ...] = ()
    """Rungs that miss nothing but latency or cost, where the advice is `lighter`."""
    needs_weights: tuple[RungName, ...] = ()
    """Rungs left out that this base, whose weights are not here, does not allow."""
    training_methods: tuple[TrainingMethod, ...] = ()
    """Every way of training; one is chosen where there is an answer, and it may be `none`."""
    cost: dict[str, float | None] = {}
    deployment: dict[str, Any] = {}
    sizing: Sizing | None = None
    """Machines for the task's volume. None: an endpoint, nothing that is recommended, or a file
    written before; of models without a time of single requests, too."""

    @field_validator("withheld", mode="before")
    @classmethod
    def _was_a_sentence(cls, value: Any, info: ValidationInfo) -> Any:
        """Read files written before, in which the reason stood here: none was empty."""
        return bool(value) if info.mode == "json" and isinstance(value, str) else value


class Bill(Record):
    """What a rung's system costs, in USD."""

    rung: RungName
    passed: bool
    build: float
    labels: float
    """The labelled rows that it learns from or shows."""
    revalidation_per_quarter: float
    per_1k: float
    """What is paid at the task's volume."""
    per_1k_error: float = 0.0
    """Standard error of `per_1k`; where whole machines are paid, of what a busy one's cost."""
    machines: int | None = None
    """Whole machines at the task's volume; None: the price grows with each request."""
    capacity: float | None = None
    """Requests a month that one of them can answer."""
    capacity_error: float = 0.0
    """Standard error of `capacity`."""
    rent_per_month: float = 0.0
    """Of one of them."""
    fixed_per_month: float
    """Build and labels spread over the months, and the share of a revalidation."""
    per_month: float
    """At the task's volume, all in."""


class BreakEven(Record):
    """From which volume one rung's system is cheaper than another's."""

    RETIRED = frozenset({"sentence"})

    rung: RungName
    """The one that costs more at few requests."""
    against: RungName
    requests_per_month: float | None
    low: float | None
    high: float | None
    """none: perhaps at no volume."""


class Economics(Record):
    """What the measured systems cost to own."""

    requests_per_month: int
    months: int
    bills: tuple[Bill, ...]
    break_evens: tuple[BreakEven, ...]


PlanName = Literal["every rung", "every candidate", "fixed rows"]
"""Other ways to the decision: every rung on every eval example (`--all`); every candidate of the
races on every dev example, and all else as it was; the climbed rungs on a number of eval examples
fixed beforehand."""


class Effort(Record):
    """What the decision took, all counted, and what other plans take at least."""

    RETIRED = frozenset(
        {"calls_made", "calls_if_exhaustive", "tokens_made", "tokens_if_exhaustive"}
    )

    by_purpose: dict[Purpose, Asked] = {}
    """Answers that were kept from earlier runs are counted as if they were asked; empty in files
    written before."""
    asked: Asked | None = None
    """What was asked in this run, trainings apart: the rest of the calls was kept from earlier.
    None in files written before."""
    plans: dict[PlanName, Asked] = {}
    """Calls and tokens at least (`advice.effort` says how): of a rung that was not climbed nothing,
    of an example that was not read what the shortest one took. A plan of which nothing is certain
    is left out."""
    trainings_made: int = 0
    training_avoided: tuple[RungName, ...] = ()


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
    rungs: tuple[RungName, ...] = ()
    """That it climbs; none in files written before they were kept."""


ASSESSMENT = "assessment.json"
"""The file of a finished run, in its folder."""


class Assessment(Record):
    """The whole climb: what is saved as assessment.json."""

    FORMER = {"savings": "effort"}

    schema_version: Literal[1] = 1
    ladder_version: str
    created: str
    """UTC, ISO 8601."""
    task: TaskRecord
    data: DataReport
    control: Control | None
    control_calibration: Calibration | None = None
    """Of the linear control of a task of labels; None in files written before, too."""
    judge: JudgeAgreement | None = None
    """Where a model's opinion is the score that is gated."""
    parity: Parity | None = None
    """Of a base that is a GGUF file; None in files written before, too."""
    attempts: tuple[Attempt, ...]
    recommendation: Recommendation
    economics: Economics | None = None
    effort: Effort
    hardware: dict[str, str]
    versions: dict[str, str]
    seconds: float
    stopped: str = ""
    """Why the run ended before its answer: an endpoint that is down, or the spending limit."""
    every_rung: bool = False
    """Whether all rungs were measured on all eval examples (--all)."""
    isolation: Isolation | None = None
    """That nothing left the machine; None: not asked for (`--isolated`), or written before."""
    cluster: Cluster | None = None
    """Where local models answered; None: on this machine, or all was kept from before."""
    criteria: CitedFreeze | None = None
    """What was frozen before the run; None: no ledger is kept beside the runs, or the file was
    written before."""
    plan: str | None
    """The revalidation plan beside this file; none where nothing is recommended."""

    @property
    def disturbed(self) -> dict[RungName, float]:
        """Rungs that were timed beside other work -> the share of the time that it took."""
        timed = {x.rung: x.measurement.latency_ms for x in self.attempts if x.measurement}
        return {rung: one.waited or 0.0 for rung, one in timed.items() if one and one.disturbed}

    @property
    def chosen(self) -> Attempt | None:
        """The attempt at the rung that is recommended; None where no rung is."""
        return next((x for x in self.attempts if x.rung == self.recommendation.rung), None)
