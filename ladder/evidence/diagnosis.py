"""Why a candidate did not pass, and which changes helped."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.candidate import Order
from ladder.evidence.measurement import Comparison
from ladder.evidence.values import Asked, Estimate, Record
from ladder.task import RungName

Gap = Literal["context", "skill", "cost", "length"]
"""What a failed rung lacks: what the model is given, what it can do, cost and latency alone, or
tokens to end its answers with, which no rung gives it."""

CauseName = Literal[
    "cut",
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


Ablation = Literal[
    "no-op control",
    "longer",
    "lenient",
    "constrained",
    "no context",
    "oracle",
    "lenient oracle",
    "constrained oracle",
    "unique",
    "rerank",
    "more",
    "fewer",
    "compress",
    "reorder",
    "other source",
    "strong",
    "strong oracle",
]
"""A system with one thing changed."""


class Cause(Record):
    """One reason for wrong answers."""

    RETIRED = frozenset({"sentence"})

    name: CauseName
    share: float
    """Of the wrong answers; 0 of cost and latency."""
    count: int | None = None
    """Wrong answers that it explains; None: of cost and latency, and in files written before."""
    of: int | None = None
    """Wrong answers in all."""
    recoverable: Estimate | None = None
    """The score had the rows of this cause been right."""
    sample_ids: tuple[str, ...] = ()


Unresolved = Literal[
    "no right document",
    "guessed documents",
    "no stronger model",
    "stronger model never right",
    "no reranker",
]
"""What keeps causes from being identifiable: no example names the document with its answer;
passages that hold the answer were taken for it; no stronger model is named, or it is right
nowhere either; no reranker is named."""


class CutAnswers(Record):
    """Answers that reached their limit of tokens, and what came of asking for longer ones."""

    limit: int
    """Tokens that the answers had, thoughts included."""
    count: int
    """Answers that were cut."""
    of: int
    """Answers in all."""
    asked: int
    """Of those that were cut, asked again with a higher limit."""
    tried: int
    """The higher limit."""
    needed: int | None
    """Tokens with which all that were asked again would end, and a quarter more; None: some did
    not end at the higher limit either."""


class Diagnosis(Record):
    """Why a rung did not pass, and what would fix it."""

    FORMER = {"arms": "ablations"}

    RETIRED = frozenset({"sentence", "untold"})

    causes: tuple[Cause, ...]
    gap: Gap | None = None
    """What is lacking, where that is shown; None: it is not, or the file was written before."""
    refuses: tuple[RungName, ...] = ()
    """Rungs that cannot fix that gap."""
    ablations: dict[str, Estimate] = {}
    """Ablation -> score of the same rows with one thing changed."""
    without_oracle: float | None = None
    """The system's own score on the rows of the `oracle` ablation; None: no such one."""
    cut: CutAnswers | None = None
    """None: no answer was cut, or nothing was asked again."""
    unresolved: tuple[Unresolved, ...] = ()
    """Why some causes are not identifiable."""
    asked: Asked = Asked()
    """What the ablations took, of which nothing was kept from before."""


Sign = Literal[
    "other form",
    "cut off",
    "not in the index",
    "not retrieved",
    "wrong beside its document",
    "none",
]
"""What is seen of a wrong answer without a further call: read leniently it is right; it reached its
limit of tokens; no document that the row names is in the index, or none of them was retrieved, or
one was; nothing of this."""


class Misses(Record):
    """Wrong answers of a rung that passed, or whose score holds: no ablation is run for them.

    What is seen of them is a sign, and not proven to be the cause.
    """

    count: int
    of: int
    """Answers that have a score."""
    signs: dict[Sign, tuple[str, ...]] = {}
    """What is seen -> sample ids, each under the first sign that holds."""


class Fix(Record):
    """A change that an ablation showed to help, tried on the dev set."""

    RETIRED = frozenset({"change"})

    cause: CauseName
    ablation: Ablation | None = None
    """What was changed; None: unknown, in files written before it was kept."""
    on_dev: Comparison
    """Against the system without the change; p adjusted for all the changes that were tried."""
    unseen: Comparison | None = None
    """The same on fresh training examples."""
    tokens: tuple[float, float]
    """Mean prompt tokens without and with the change."""
    kept: bool


class ContextCosts(Record):
    """What reading more costs, on rows whose right document is known."""

    rows: int
    texts: int
    """In context in the split, the right document among them."""
    curve: dict[int, Estimate]
    """Texts put in context -> score."""
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
    places: tuple[Order, Order] | None = None
    """The best place and the worst; None: in files written before, `position.other` says them."""
