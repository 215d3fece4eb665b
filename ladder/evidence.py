"""Every record that is written to disk. Values only: nothing here computes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ladder.task import RungName

VerdictWord = Literal["pass", "fail", "undecided", "none"]


class Record(BaseModel):
    """A frozen value that crosses a file boundary."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(Record):
    """A mean score in 0..1 with its two-sided interval."""

    mean: float
    low: float
    high: float
    n: int


class Latency(Record):
    """Milliseconds of requests after warm-up, at the task's concurrency, queueing included."""

    p50: float
    p95: float
    p99: float
    n: int
    intervals: dict[str, tuple[float | None, float | None]] = {}
    """p50, p95, p99 -> order-statistic interval; none where the requests are too few for an end."""
    clients: int = 1
    """Requests under way at once."""
    first_token_p50: float | None = None
    first_token_p95: float | None = None
    """Until the first token, where the endpoint streams."""
    queue_p95: float = 0.0
    """Of the wait before the model begins, on a machine that answers one request at a time."""


class TokenUse(Record):
    """Mean tokens of a request."""

    input_mean: float
    output_mean: float


class Asked(Record):
    """What models were asked, of which nothing was kept from before."""

    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Of this machine, or of waiting for an endpoint."""
    usd: float = 0.0
    """Paid to endpoints."""
    errors: dict[str, int] = {}
    """Kind of error -> requests that ended with it; they are asked again, then left out."""


class Foreseen(Record):
    """What a training was expected to take, before it began."""

    seconds: float
    memory_mb: float
    there_mb: float
    """Memory that was free."""
    tokens: int = 0
    """That are learnt from, all epochs together."""
    precision: str = ""
    """In which it computes."""


class Build(Record):
    """What it cost to make a candidate, before its first answer."""

    seconds: float = 0.0
    train_tokens: int = 0
    teacher_tokens: int = 0
    usd: float = 0.0
    peak_memory_mb: float = 0.0
    folder: str | None = None
    """Where the trained artefact and its training.json are."""
    foreseen: Foreseen | None = None


Order = Literal["best last", "best first", "best at both ends", "best in the middle"]


class Retrieval(Record):
    """What is put before the question."""

    source: Literal["documents", "examples", "both", "gold"]
    """`gold`: the documents that are known to hold the answer; an arm of the diagnosis."""
    method: Literal["bm25", "dense", "hybrid"] = "bm25"
    k: int = 4
    narrow: bool = False
    """Offer only the labels that the retrieved examples carry."""
    lexical_weight: float = 0.5
    """Of a hybrid search: how much the ranks by words count against those by meaning."""
    unique: bool = False
    """Leave out what a text before it has said."""
    rerank: int = 0
    """How many of the first texts the reranker orders anew."""
    diversity: float = 0.0
    """Weight of being unlike the texts before, against being relevant (MMR)."""
    compress: bool = False
    """Leave out sentences that hardly ever hold an answer."""
    most_tokens: int | None = None
    """Budget of the documents in a prompt."""
    order: Order = "best last"
    """Of the documents; the question stands after them."""
    beside: Literal["nothing", "filler", "distractors"] = "nothing"
    """What stands beside the gold documents, up to `k` in all: arms that measure what length and
    distraction cost."""


class Candidate(Record):
    """One concrete system, written down fully: the same record gives the same system."""

    rung: RungName
    technique: str
    """The candidate in a few words."""
    model: str
    """An engine reference: bundled:…, hf:…, openai:… or head:<folder> (a linear label student)."""
    adapter: str | None = None
    form: Literal["chat", "plain"] = "plain"
    wording: tuple[str, str] = ("Input", "Answer")
    """What the input and the answer are called in a plain prompt."""
    with_goal: bool = True
    instruction: str = ""
    """What stands in the goal's place; empty: the goal itself."""
    shots: tuple[str, ...] = ()
    """Ids of the training samples shown before the question."""
    answer: Literal["free", "scored", "constrained", "json"] = "free"
    """`json`: free, and held to the schema of the answers."""
    calibration: Literal["none", "empty", "batch"] = "none"
    retrieval: Retrieval | None = None
    votes: int = 1
    """Answers drawn for a request at most; the most frequent one is given (`rungs.voting`)."""
    rewrite: bool = False
    """An answer that a check finds fault with is asked for once more (`rungs.rewriting`)."""
    placebo: bool = False
    """One blank line more, and nothing else: how much answers change by chance."""
    build: Build = Build()


class Measurement(Record):
    """What one candidate does on one set of rows."""

    score: Estimate
    """Over independent units: rows, or groups of rows; weighted where the task knows shares."""
    unweighted: Estimate | None = None
    """Beside a weighted score."""
    slices: dict[str, Estimate] = {}
    """Kind of row (stratum) -> its score."""
    human_score: Estimate | None = None
    """What people would score it, from their labels and the judge's: `gate.judged`, unweighted."""
    human_refusal: str = ""
    """Why a judge's score is given alone: too few human labels."""
    unjudged: int = 0
    """Of the errors: answers that came, and that the judge gave no score."""
    others: dict[str, Estimate] = {}
    macro_f1: float | None = None
    cost_usd_per_1k: float | None = None
    cost_source: str = ""
    cost_error_usd_per_1k: float = 0.0
    """Standard error of the cost, from how much requests differ."""
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
    requests: int = 0
    looks: tuple[int, ...] = ()
    """Row counts at which the gate was looked at."""
    seconds: float = 0.0
    build: Build = Build()
    fingerprint: dict[str, str] = {}


class LimitVerdict(Record):
    """One limit of the gate against what was measured."""

    limit: Literal["min_score", "max_cost_usd_per_1k", "max_p95_ms", "max_error_rate"]
    wanted: float
    got: float | None
    distance: float | None
    """Positive: on the good side of the limit."""
    verdict: VerdictWord
    reason: str
    more_rows: int | None = None
    """Further rows that would settle it if the score stays as observed."""


class Verdict(Record):
    """pass, fail or undecided over all limits; `none` where too many requests failed."""

    status: VerdictWord
    limits: tuple[LimitVerdict, ...]
    unproven: bool = False
    """The estimates hold every limit but the evidence does not prove it."""


class Confirmation(Record):
    """What the sealed rows say of the chosen rung."""

    score: Estimate
    verdict: LimitVerdict
    """`none`: too many requests failed, so nothing is confirmed."""
    rows: int
    leaky: Estimate | None = None
    """The score had the rows that repeat training rows been counted."""


CONTROL = "control"


class Comparison(Record):
    """Two systems on the same held-out rows."""

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
    """The teacher's cost of a request over the student's."""
    faster: float | None = None
    """The teacher's median latency over the student's."""


CauseName = Literal[
    "format",
    "missing",
    "labels",
    "skill",
    "knowledge",
    "retrieval",
    "redundancy",
    "ranking",
    "distraction",
    "position",
    "harm",
    "routing",
    "context",
    "cost",
    "latency",
]


class Cause(Record):
    """One reason for wrong answers."""

    name: CauseName
    share: float
    """Of the wrong answers."""
    recoverable: Estimate | None = None
    """The score had the rows of this cause been right."""
    sample_ids: tuple[str, ...] = ()
    sentence: str


class Diagnosis(Record):
    """Why a rung did not pass, and what would mend it."""

    causes: tuple[Cause, ...]
    refuses: tuple[RungName, ...] = ()
    """Rungs that cannot mend these causes."""
    sentence: str
    arms: dict[str, Estimate] = {}
    """Arm -> score of the same rows with one thing changed."""
    untold: tuple[str, ...] = ()
    """What could not be told apart, and why."""
    asked: Asked = Asked()
    """What the arms took, of which nothing was kept from before."""


class Mend(Record):
    """A change that an arm showed to help, tried on the rows that choose."""

    cause: CauseName
    change: str
    """What was changed, in a few words."""
    on_dev: Comparison
    """Against the system without the change; p adjusted for all the changes that were tried."""
    unseen: Comparison | None = None
    """The same on rows that chose nothing."""
    tokens: tuple[float, float]
    """Mean prompt tokens without and with the change."""
    kept: bool


class Canary(Record):
    """A prompt whose answer's first token shows whether a model still answers as it did."""

    prompt: str | tuple[tuple[str, str], ...]
    """A text to continue, or the (role, content) turns of a chat."""
    digest: str
    """Of the prompt."""
    logprobs: dict[int, float]
    """Token -> log-probability (nats) of beginning the answer: the likeliest ones."""


class Canaries(Record):
    """What a model answered to a few prompts, and how much that varies by itself."""

    prompts: tuple[Canary, ...]
    noise: float
    """The most that a log-probability moved when the same prompts were batched otherwise, nats."""
    tolerance: float
    """What it may move by later, nats: a multiple of the noise."""
    precision: str
    device: str


class Passport(Record):
    """What a trained artefact is, and what it was made of: passport.json in its folder."""

    schema_version: Literal[1] = 1
    ladder_version: str
    created: str
    """UTC, ISO 8601."""
    kind: Literal["adapter", "model", "head", "other"]
    """`head`, a linear label student, and `other` have no canaries: they write no tokens."""
    parts: dict[str, str]
    """Part of the artefact (weights, config, tokenizer, chat template) -> digest."""
    base: str
    """Name of the model that it was trained from."""
    base_folder: str
    """Where that lay."""
    base_parts: dict[str, str]
    data: str
    """Digest of the training rows."""
    recipe: str
    recipe_digests: dict[str, str]
    """Recipe file and programs -> digest."""
    overrides: dict[str, str] = {}
    """Recipe fields that were changed for this training."""
    precision: str = ""
    """In which it was trained: of the weights, and of the arithmetic where that is another."""
    prompt: str = ""
    """What all its prompts share, with {input} in place of what differs; `chat` where they are
    messages under the base's chat template; empty where they share nothing."""
    versions: dict[str, str]
    canaries: Canaries | None = None


class RaceLine(Record):
    """How one candidate did on the dev split."""

    technique: str
    score: float
    """Over the rows that it answered."""
    n: int
    dropped: bool
    errors: int = 0
    """Rows that it gave no answer to."""
    inconclusive: bool = False
    """Too many of its requests failed: it neither won nor lost."""


class RetrievalHealth(Record):
    """What the search handed over for the gate rows."""

    source: Literal["documents", "examples"]
    k: int
    """Texts handed over for a row."""
    recall: dict[int, Estimate] = {}
    """k -> share of the rows with a right document among the first k, where that is known."""
    redundancy: float
    """Share of the words handed over that an earlier text of the same row had said already."""
    inequality: float
    """Gini coefficient of how often each text is handed over; near 1: the same few for all."""
    calibration_error: float | None = None
    """How far off the chances are that one reads from the scores (ECE), where right texts are
    known: 0 is exact."""


class ContextCosts(Record):
    """What reading more costs, on rows whose right document is known."""

    rows: int
    texts: int
    """Handed over in the split, the right document among them."""
    curve: dict[int, Estimate]
    """Texts handed over -> score."""
    knee: int
    """The fewest texts within one standard error of the best."""
    alone: Estimate
    """The right document and nothing else."""
    split: dict[str, Estimate]
    """What stands beside it, and where it stands -> score."""
    length: Comparison
    """Alone, against beside filler."""
    distraction: Comparison
    """Beside filler, against beside real texts."""
    position: Comparison
    """In the best place, against in the worst; beside real texts."""


Status = Literal["passed", "failed", "undecided", "skipped", "no verdict"]


class Attempt(Record):
    """One rung of the ladder."""

    rung: RungName
    status: Status
    """`no verdict`: too many requests failed to tell; nothing is concluded from it."""
    reason: str
    candidate: Candidate | None = None
    race: tuple[RaceLine, ...] = ()
    measurement: Measurement | None = None
    verdict: Verdict | None = None
    diagnosis: Diagnosis | None = None
    mends: tuple[Mend, ...] = ()
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


class JudgeAgreement(Record):
    """The model that scores the answers, and how far people agree with it."""

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
    sentence: str


class ControlLine(Record):
    """One way to answer without a language model."""

    name: str
    score: Estimate
    latency_ms: float
    cost_usd_per_1k: float


class Control(Record):
    """The reference that is always printed and never a rung."""

    lines: tuple[ControlLine, ...]
    sentence: str


class WordOverlap(Record):
    """Runs of words that held-out rows share with training rows and documents."""

    words: int
    """In a run."""
    rows: int
    checkable: int
    """Rows long enough to hold such a run: the others are unchecked, not clean."""
    overlapping: int
    top: tuple[str, ...]
    """The rows that share most, as `row ~ row or document: share`."""


class DataReport(Record):
    """What the rows are, and what they can tell."""

    train: int
    synthetic: int = 0
    """Of the training rows: those that a teacher wrote."""
    dev: int
    gate: int
    witnesses: int = 0
    """Independent ones among the gate rows: a group counts once."""
    sealed: int
    reserve: int
    documents: int
    passages: int = 0
    """What the documents are read as: long ones are cut."""
    unlabeled: int
    duplicates: int
    """Rows set aside because a like row stands in an earlier split."""
    set_aside: tuple[str, ...] = ()
    """The first of them, as `row ~ row`."""
    contaminated: tuple[str, ...]
    """Held-out rows that repeat a training row, as `row ~ row`; they are not counted."""
    look_alikes: tuple[str, ...] = ()
    """Held-out rows that are a training row with another number or name in it: a person should
    look at them. Not counted either, but not called leaks."""
    overlap: WordOverlap | None = None
    detectable: float | None
    """The smallest true score that these gate rows can be expected to prove."""
    rows_needed: dict[str, int | None] = {}
    """True score -> gate rows that prove the gate with it, at 80 % power."""
    shared_groups: int = 0
    """Groups with rows in training and in held-out rows: what was learnt of one helps the other."""
    digests: dict[str, str]


TechniqueName = Literal["none", "lora", "qlora", "dora", "full", "preference", "distill"]


class Memory(Record):
    """What each technique needs on a machine, and what there is."""

    needed_mb: dict[str, float]
    there_mb: float


class Technique(Record):
    """A way of training, and the measurement that speaks for or against it here."""

    name: TechniqueName
    chosen: bool
    reason: str


class SyntheticCounts(Record):
    """What became of the rows that a teacher was asked to write; each is counted once."""

    asked: int
    unanswered: int
    """The engine gave an error."""
    form: int
    """Empty, cut off, or an answer that is not of the task's form."""
    duplicates: int
    """Near-duplicates of training rows, or of a row written before."""
    held_out: int
    """Too near a held-out row."""
    disagreed: int
    """The check of the answer came to another one."""
    kept: int


class SyntheticRecord(Record):
    """What is known of a file of synthetic rows: stands beside it, and carries no date."""

    schema_version: Literal[1] = 1
    task: str
    """The name of the task that the rows were written for."""
    teacher: str
    """Kind and name."""
    fingerprint: dict[str, str]
    """What the teacher's words depend on."""
    seed: int
    counts: SyntheticCounts
    check: str
    """How answers were checked."""
    measured: str = ""
    """What was built with the rows and without them; empty: no row was left to measure."""
    scores: tuple[float, float] | None = None
    """Mean scores on the dev rows, with and without."""
    gain: Comparison | None = None
    """With, against without."""
    accepted: bool
    """The gain is proven, so a task may train on the rows."""
    reason: str
    digest: str
    """The sha256 of the file."""


class Recommendation(Record):
    """The answer."""

    rung: RungName | None
    technique: str
    unproven: bool = False
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
    techniques: tuple[Technique, ...] = ()
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
    candidate: Candidate
    baseline: Baseline
    gate: dict[str, float | str | None]
    pinned: dict[str, str]
    """Name -> digest of everything the answer depends on."""
    every_days: int
    due: tuple[str, ...]
    """UTC dates of the next four checks."""
    triggers: tuple[str, ...]
    command: str
