"""What is measured: a model, asked in one way, and what building it took."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.values import Record
from ladder.files import digest_of
from ladder.task import ModelRef, RungName


class TrainingEstimate(Record):
    """What a training was expected to take, before it began."""

    FORMER = {"there_mb": "available_mb"}

    seconds: float
    memory_mb: float
    available_mb: float
    """Memory that was free."""
    tokens: int = 0
    """That are learnt from, all epochs together."""
    precision: str = ""
    """In which it computes."""


class Build(Record):
    """What it cost to make a candidate, before its first answer."""

    FORMER = {"foreseen": "estimated"}

    seconds: float = 0.0
    train_tokens: int = 0
    teacher_tokens: int = 0
    usd: float = 0.0
    peak_memory_mb: float = 0.0
    folder: str | None = None
    """Where the trained artefact and its training.json are."""
    estimated: TrainingEstimate | None = None


Order = Literal["best last", "best first", "best at both ends", "best in the middle"]


class Retrieval(Record):
    """What is put before the question."""

    source: Literal["documents", "examples", "both", "gold"]
    """`gold`: the documents that are known to hold the answer; an ablation of the diagnosis."""
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
    """What stands beside the gold documents, up to `k` in all: ablations that measure what length
    and distraction cost."""


Way = Literal["prompted", "retrieving", "trained"]


Decoding = Literal["free", "scored", "constrained", "json"]


Scoring = Literal["sum", "mean", "letter"]


class Candidate(Record):
    """One concrete system, written down fully: the same record gives the same system."""

    FORMER = {"technique": "description", "answer": "decoding", "placebo": "no_op"}

    rung: RungName
    description: str
    """The candidate in a few words."""
    model: ModelRef
    """An engine reference: bundled:…, hf:…, openai:…, head:<folder> (a linear classifier)
    or encoder:<folder> (it fills in fields)."""
    adapter: str | None = None
    form: Literal["chat", "plain"] = "plain"
    wording: tuple[str, str] = ("Input", "Answer")
    """What the input and the answer are called in a plain prompt."""
    with_goal: bool = True
    instruction: str = ""
    """What stands in the goal's place; empty: the goal itself."""
    shots: tuple[str, ...] = ()
    """Ids of the training samples shown before the question."""
    decoding: Decoding = "free"
    """`json`: generated, and constrained to the JSON Schema of the answers."""
    scoring: Scoring = "sum"
    """What of a label is scored. `sum`: the log-likelihood of its text; `mean`: the same by the
    byte, which holds long labels back less; `letter`: that of its letter in a list of options."""
    calibration: Literal["none", "empty", "batch"] = "none"
    retrieval: Retrieval | None = None
    votes: int = 1
    """Answers drawn for a request at most; the most frequent one is given (`inference.voting`)."""
    rewrite: bool = False
    """An answer that a check finds fault with is asked for once more (`inference.rewriting`)."""
    max_tokens: int | None = None
    """Tokens that an answer may have; None: as many as the task says, or its answers need."""
    no_op: bool = False
    """One blank line more, and nothing else: how much answers change by chance."""
    build: Build = Build()

    @property
    def digest(self) -> str:
        """What tells it from every other candidate; the description is for people."""
        unsaid = {"description", "build"}
        if self.scoring == "sum":  # digests of before it could be chosen stay what they were
            unsaid.add("scoring")
        return digest_of(self.model_dump(mode="json", exclude=unsaid))

    @property
    def by_letter(self) -> bool:
        """Whether the labels are listed as options, and their letters are scored."""
        return self.scoring == "letter" and self.decoding == "scored"

    @property
    def is_trained(self) -> bool:
        """Whether something was trained for it."""
        return self.adapter is not None or self.build.folder is not None

    @property
    def way(self) -> Way:
        """How the base model was made to do the task."""
        if self.is_trained:
            return "trained"
        return "prompted" if self.retrieval is None else "retrieving"
