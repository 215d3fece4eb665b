"""Who watches a run: told of every long step and of what is found on the way; or nobody.

What happens is told as small values (`Event`): a screen, a log file and a program read the same
ones. Nothing that is told comes back, so that a decision never hangs on who watches; but for `ask`,
which says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


@dataclass(frozen=True)
class RunStarted:
    """A climb begins: its task, the gate, and the examples that judge."""

    task: str
    base: str
    rungs: tuple[str, ...]
    """Those of the task, the lowest first; where it ends is not known yet."""
    min_score: float
    max_p95_ms: float | None
    max_cost_usd_per_1k: float | None
    eval_rows: int
    test_rows: int
    max_spend_usd: float


@dataclass(frozen=True)
class Forecast:
    """What a dry run foresees, every example read: seconds at most, as far as it can tell."""

    rungs: Mapping[str, float] = field(default_factory=dict)
    """Rung -> seconds; without those that are not climbed."""
    tokens: Mapping[str, float] = field(default_factory=dict)
    """Rung that trains nothing -> tokens, by which seconds are corrected once some are read."""
    confirmation: float = 0.0
    diagnosis: float = 0.0
    """Of one rung that fails, on the average."""


@dataclass(frozen=True)
class RungStarted:
    """A rung is climbed."""

    rung: str
    number: int
    """Among the task's rungs, from 1."""
    of: int


@dataclass(frozen=True)
class CandidateStarted:
    """A candidate is asked: in a round of a race, or on the examples that judge."""

    candidate: str
    """Its digest, as in assessment.json."""
    description: str
    to: str
    """`race` or `measure`."""


@dataclass(frozen=True)
class CandidateLeft:
    """A candidate leaves a race."""

    candidate: str
    description: str
    why: str
    score: float
    """Over the dev examples that it answered."""
    n: int


@dataclass(frozen=True)
class Look:
    """An interim look at a score: the decision rests on wider bounds than this interval's."""

    rung: str
    number: int
    of: int
    """Looks at most: the first that is clear is the last."""
    rows: int
    """Examples that were read so far, those whose requests failed among them."""
    n: int
    """Scores."""
    score: float
    low: float
    high: float
    min_score: float
    decision: str
    """`pass`, `fail` or `undecided`."""


@dataclass(frozen=True)
class Spent:
    """What models were asked in this run so far; completions that were kept are not in it."""

    calls: int
    tokens: int
    usd: float
    usd_all_runs: float
    """Of this task, those before this one included: what the limit holds."""
    max_spend_usd: float


@dataclass(frozen=True)
class RungEnded:
    """A rung has its verdict, or is not climbed."""

    rung: str
    status: str
    """As in assessment.json: passed, failed, undecided, skipped, no verdict."""
    reason: str
    score: float | None
    low: float | None
    high: float | None
    n: int
    seconds: float


@dataclass(frozen=True)
class Confirmed:
    """The answer was put to the held-out test examples."""

    rung: str
    """Or `control`."""
    n: int
    score: float
    low: float
    high: float
    decision: str


Event = (
    RunStarted | Forecast | RungStarted | CandidateStarted | CandidateLeft | Look | Spent
    | RungEnded | Confirmed
)  # fmt: skip


class Work(NamedTuple):
    """How much a step has to do, in a unit whose pace holds for later steps of its kind as well."""

    kind: str
    """Empty: of no kind that comes again."""
    amount: float
    """In any unit that time goes with: tokens, rows."""
    seconds: float | None = None
    """What it is estimated to take, where somebody has estimated it."""


class Worked(NamedTuple):
    """How much of what has to be done anew is done: answers that were kept cost no time."""

    done: float
    of: float


class Advance(Protocol):
    """Tells how many of the step's units are done so far, and how it goes in a word or two."""

    def __call__(
        self, done: int, note: str = "", *, worked: Worked | None = None, part: float | None = None
    ) -> object:
        """Show it.

        Args:
            done: units.
            note: how it goes.
            worked: the same in units that time goes with better; default: as many units.
            part: share of the whole step that what is begun next makes up; default: one unit.
        """
        ...


class Watch(Protocol):
    """What a long step reports to."""

    def step(
        self, title: str, total: int, work: Work | None = None, *, at_most: bool = False
    ) -> AbstractContextManager[Advance]:
        """Open a step of `total` units; one inside another is a part of it.

        Args:
            title: what is done.
            total: units, rows say.
            work: how much that is in units that time goes with better.
            at_most: it may end before all units are done.
        """
        ...

    def say(self, text: str) -> None:
        """Print one line that stays."""
        ...

    def tell(self, event: Event) -> None:
        """Take note of what happened."""
        ...

    def ask(self, question: str, default: bool) -> bool:
        """Ask yes or no; the default where nobody can answer."""
        ...


class Quiet:
    """Nobody watches."""

    @contextmanager
    def step(
        self, title: str, total: int, work: Work | None = None, *, at_most: bool = False
    ) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda done, note="", *, worked=None, part=None: None

    def say(self, text: str) -> None:
        """Print nothing."""

    def tell(self, event: Event) -> None:
        """Take no note."""

    def ask(self, question: str, default: bool) -> bool:
        """Return the default."""
        return default
