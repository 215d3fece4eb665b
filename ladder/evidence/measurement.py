"""What a candidate did on held-out examples, and what the gate says of it."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.candidate import Build
from ladder.evidence.values import Estimate, Failures, Latency, Record, TokenUse

VerdictWord = Literal["pass", "fail", "undecided", "none"]


class CostBasis(Record):
    """What a cost per request rests on."""

    kind: Literal["no answers", "no prices", "prices", "machine"]
    """`no answers` and `no prices`: nothing, so there is no cost."""
    source: str = ""
    """Of prices: who names them."""
    utilisation: float | None = None
    """Of a machine: the share of its paid time in which it works."""
    usd_per_hour: float | None = None
    machines: int | None = None
    """Whole machines that are paid; None: the seconds that an answer takes, of a shared one."""
    capacity: float | None = None
    """Requests a month that one of them can answer, within the limit of latency if there is one."""
    requests_per_month: int | None = None
    """The volume that they are paid for."""
    priced: str = ""
    """The day of the price (ISO 8601); empty: not said."""
    assumed: tuple[Literal["volume", "price"], ...] = ()
    """Of a machine: what the task does not say, so that a default stands for it."""


class CommonMiss(Record):
    """The wrong answer that stands for most of a system's mistakes."""

    answer: str
    """Its beginning; empty: nothing was answered."""
    count: int
    of: int
    """Wrong answers in all."""


class Measurement(Record):
    """What one candidate does on one set of rows."""

    RETIRED = frozenset({"cost_source", "human_refusal"})

    score: Estimate
    """Over independent units: rows, or groups of rows; weighted where the task knows shares."""
    unweighted: Estimate | None = None
    """Beside a weighted score."""
    slices: dict[str, Estimate] = {}
    """Kind of row (stratum) -> its score."""
    human_score: Estimate | None = None
    """What people would score it, from their labels and the judge's: `gate.judged`, unweighted."""
    human_labels: int | None = None
    """Independent units whose answers people labelled; None: no judge is gated."""
    unjudged: int = 0
    """Of the errors: answers that came, and that the judge gave no score."""
    others: dict[str, Estimate] = {}
    macro_f1: float | None = None
    cost_usd_per_1k: float | None = None
    """What is paid at the task's volume."""
    cost_busy_usd_per_1k: float | None = None
    """What it costs on machines that are busy all the time: what is spared where requests are few.
    None in files written before."""
    cost_basis: CostBasis | None = None
    cost_error_usd_per_1k: float = 0.0
    """Standard error of `cost_busy_usd_per_1k`, from how much requests differ."""
    latency_ms: Latency | None = None
    untimed: int = 0
    """Requests that were timed and got no answer."""
    requests_per_second: float | None = None
    """At saturation: what the machine answers when it is kept busy with full batches."""
    tokens: TokenUse
    errors: int = 0
    error_kinds: dict[str, int] = {}
    """Kind -> how many of the errors."""
    commonest_error: str = ""
    """The words of the commonest kind."""
    common_miss: CommonMiss | None = None
    """None: no wrong answer is half of them, there are few, or an earlier version measured."""
    requests: int = 0
    looks: tuple[int, ...] = ()
    """Row counts at which the gate was looked at."""
    seconds: float = 0.0
    build: Build = Build()
    fingerprint: dict[str, str] = {}
    negotiated: tuple[str, ...] = ()
    """What a server refused in this run of how requests are put, and what was sent instead."""
    served_by: tuple[str, ...] = ()
    """The models and builds that the server's answers named in this run, in their order; more than
    one: it changed its model meanwhile."""


LimitName = Literal["min_score", "max_cost_usd_per_1k", "max_p95_ms", "max_error_rate"]


class LimitVerdict(Record):
    """One limit of the gate against what was measured."""

    RETIRED = frozenset({"reason"})

    limit: LimitName
    wanted: float
    got: float | None
    distance: float | None
    """Positive: on the good side of the limit."""
    verdict: VerdictWord
    n: int | None = None
    """Independent units, or requests, that were counted; None: of cost, and in files written
    before."""
    low: float | None = None
    """The true score is at least this, and at most `high`: both at the error of this look."""
    high: float | None = None
    missed: int = 0
    """Of `n`: requests over the limit of latency, or without an answer that could be scored."""
    failed: int = 0
    """Timed requests that got no answer; not among `n`."""
    more_rows: int | None = None
    """Further rows that would settle it if the score stays as observed."""
    clear: bool = False
    """Of a failed score: it is so low that the next system has this one's share of the error."""


class Verdict(Record):
    """pass, fail or undecided over all limits; `none` where too many requests failed."""

    FORMER = {"unproven": "leans_to_pass"}

    status: VerdictWord
    limits: tuple[LimitVerdict, ...]
    leans_to_pass: bool = False
    """The estimates hold every limit but the evidence does not prove it."""


class Confirmation(Record):
    """What the held-out test examples say of the chosen rung."""

    score: Estimate
    verdict: LimitVerdict
    """`none`: too many requests failed, so nothing is confirmed."""
    rows: int
    failures: Failures | None = None
    """Where they are too many for a verdict."""
    leaky: Estimate | None = None
    """The score had the rows that repeat training examples been counted."""
    openings: int = 1
    """Systems that these held-out test examples were read for by now, in this folder of runs."""


CONTROL = "control"


class Comparison(Record):
    """Two systems on the same held-out examples."""

    other: str
    """A lower rung, or `control`."""
    difference: float
    """This one's mean score minus the other's."""
    low: float
    high: float
    n: int
    p_value: float
    """Two-sided, adjusted for the number of comparisons (Holm)."""
    claim: Literal["better", "worse", "no difference proven"]


class AgainstTeacher(Record):
    """A student beside the system whose answers it learnt: both measured on the same machine."""

    teacher: str
    """A lower rung, or the task's `models.teacher`."""
    kept: float
    """The student's mean score over the teacher's, on the rows that both answered."""
    low: float
    """Of the interval of the paired difference, over the teacher's mean as it was measured."""
    high: float
    n: int
    cheaper: float | None = None
    """What is paid for the teacher's requests over what is paid for the student's."""
    cheaper_busy: float | None = None
    """The same on machines that are busy all the time; None in files written before."""
    faster: float | None = None
    """The teacher's median latency over the student's."""
    over_control: Comparison | None = None
    """The teacher against the control, on the rows that both answered. None: there are no training
    examples to make a control of; and in files written before."""

    @property
    def worth_having(self) -> bool:
        """Whether the teacher is proven better than what needs no language model.

        Of a teacher that is not, nothing that a student saves is worth saying.
        """
        return self.over_control is not None and self.over_control.claim == "better"


Settled = Literal["holds", "misses"]
"""What few rows tell of the gate beyond reasonable doubt (`gate.early`)."""


class RaceLine(Record):
    """How one candidate did on the dev split."""

    FORMER = {"technique": "description", "inconclusive": "unheard"}

    description: str
    candidate: str = ""
    """The candidate's digest."""
    score: float
    """Over the rows that it answered."""
    n: int
    dropped: bool
    tokens: float = 0.0
    """Of a request, on average; 0 in files written before."""
    least: int = 0
    """Of the shortest request that was answered; 0 in files written before."""
    asks: str = ""
    """A digest of how it asks: candidates that only read the same answers otherwise share it."""
    settled: Settled | None = None
    """What its dev rows told of the gate; None: nothing, or a file written before."""
    errors: int = 0
    """Rows without a score: it gave no answer to them, or a judge no grade to its answer."""
    unheard: bool = False
    """Too many of its requests failed: it neither won nor lost."""


class RetrievalHealth(Record):
    """What the search put in context for the eval examples."""

    source: Literal["documents", "examples"]
    k: int
    """Texts put in context for a row."""
    language: str = ""
    """Whose stems a search by words went by: an ISO 639-1 code, or none; empty: not by words."""
    recall: dict[int, Estimate] = {}
    """k -> share of the rows with a right document among the first k, where that is known."""
    redundancy: float
    """Share of the words put in context that an earlier text of the same row had said already."""
    inequality: float
    """Gini coefficient of how often each text is put in context; near 1: the same few for all."""
    calibration_error: float | None = None
    """How far off the chances are that one reads from the scores (ECE), where right texts are
    known: 0 is exact."""


class JudgeAgreement(Record):
    """The model that scores the answers, and how far people agree with it."""

    RETIRED = frozenset({"sentence"})

    model: str
    """Kind and name."""
    n: int
    """Answers that both a person and the judge graded; 0: the agreement is unknown."""
    unjudged: int = 0
    """Answers that a person graded and the judge could not."""
    agree: Estimate | None = None
    """Share of answers that both call right, or both wrong; graded scores are right from 0.5 on."""
    kappa: Estimate | None = None
    """Cohen's kappa of the same, -1..1: 0 is what chance alone agrees on."""
    fingerprint: dict[str, str] = {}
    is_base: bool = False
    """Whether it is the base model itself: models favour their own answers."""


class ControlLine(Record):
    """One way to answer without a language model."""

    name: str
    score: Estimate
    latency_ms: float
    """Mean of a row, of rows that were answered together."""
    cost_usd_per_1k: float
    """What is paid at the task's volume."""
    cost_busy_usd_per_1k: float | None = None
    """On a machine that is busy all the time; None in files written before."""
    cost_basis: CostBasis | None = None
    """None in files written before."""


class Control(Record):
    """The reference that is always printed and never a rung."""

    RETIRED = frozenset({"sentence"})

    lines: tuple[ControlLine, ...]
    judged: str = ""
    """Name of the line that the gate judges: the best on the dev set."""
    verdict: Verdict | None = None
    """On the whole eval set in one look, at a share of the climb's error; None where the control
    does not end a climb, and in files written before."""
    latency: Latency | None = None
    """Single requests of the judged line, where the gate let it through; None in files written
    before."""

    @property
    def best(self) -> ControlLine:
        """The way that scores best on the eval set."""
        return max(self.lines, key=lambda line: line.score.mean)

    @property
    def judged_line(self) -> ControlLine:
        """The way that the gate judged; where it judged none, the best."""
        return next((line for line in self.lines if line.name == self.judged), self.best)
