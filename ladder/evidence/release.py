"""Whether a candidate may take a champion's place: releases.jsonl beside the candidate's plan."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.calibration import Reliability
from ladder.evidence.measurement import LimitVerdict
from ladder.evidence.values import Estimate, Record


class System(Record):
    """A certified answer, by its plan."""

    task: str
    """Name of its task."""
    plan: str
    """Digest of its revalidation.yaml."""
    folder: str
    """Name of the run's folder."""
    created: str
    """When it was certified; UTC, ISO 8601."""


class NotWorse(Record):
    """Is the candidate not worse than the champion by a margin, on some rows?"""

    name: str
    """Of the rows: `all`, the slice, or the task."""
    rows: int
    n: int
    """Independent units: rows, or groups of rows."""
    won: int
    """Rows that the candidate answers better."""
    lost: int
    margin: float
    error: float
    """Chance, at most, that a candidate that is worse by the margin is let pass."""
    difference: float = 0.0
    """Mean score of the candidate minus the champion's."""
    low: float = -1.0
    """The true difference is at least this, at `error`."""
    p_value: float | None = None
    """Exact, against "worse by the margin or more"; None where a bound decides: graded scores,
    groups, weights."""
    verdict: Literal["not worse", "not shown", "too few rows"] = "not shown"
    """`too few rows`: not even equal answers would have shown it."""
    power: float | None = None
    """Chance that a candidate as good as the champion shows it, where both disagree as seen; None
    where a bound decides."""
    shows: float | None = None
    """The margin that so many rows show with 80 % power (normal approximation)."""
    wants: int | None = None
    """Units that would show this margin with 80 % power, about (normal approximation)."""
    decides: bool = True
    """Whether the release hangs on it."""

    @property
    def holds(self) -> bool:
        """Whether it was shown."""
        return self.verdict == "not worse"


class Regression(Record):
    """A row that the champion answers better."""

    id: str
    input: str
    target: str
    champion: str
    candidate: str
    slice: str = ""


class Side(Record):
    """What one of the two does with the rows."""

    score: Estimate | None = None
    p95_ms: float | None = None
    usd_per_1k: float | None = None
    failed: int = 0
    """Requests that got no answer, or none that could be scored."""
    own_fault: int = 0
    """Of these: the system's own fault; they count as wrong."""


class LostPrompt(Record):
    """A fixed prompt that was answered rightly before, and is not now."""

    name: str
    skill: str
    prompt: str
    wanted: str
    before: str
    after: str


class Forgetting(Record):
    """What a model can still do that no row of the task asks for."""

    against: Literal["champion", "base"]
    prompts: str
    """Digest of the fixed prompts and what is wanted of them."""
    before: int
    """Prompts answered rightly."""
    after: int
    check: NotWorse
    p_worse: float
    """One-sided exact McNemar: of losses as large from a model that forgot nothing."""
    lost: tuple[LostPrompt, ...] = ()


What = Literal[
    "a difference",
    "forgetting",
    "calibration",
    "latency",
    "cost",
    "rows known to a training",
    "slices",
]


class Unmeasured(Record):
    """What the check could not look at, and why."""

    what: What
    why: str


class ReleaseRecord(Record):
    """One release check. A promotion cites it by the digest of its values."""

    schema_version: Literal[1] = 1
    at: str
    """UTC, ISO 8601."""
    candidate: System
    champion: System
    passed: bool
    rows: str = ""
    """Digest of the rows that both answered."""
    own_rows: bool = True
    """They are the eval examples of the champion's task; else a file that was named."""
    margin: float = 0.0
    error: float = 0.0
    slices_from: int = 1
    """Slices of fewer units are shown and do not decide."""
    checks: tuple[NotWorse, ...] = ()
    """All rows, then every slice, then other tasks: all that decide must hold."""
    sides: dict[Literal["champion", "candidate"], Side] = {}
    limits: tuple[LimitVerdict, ...] = ()
    """The candidate's latency, cost and errors, measured for this check."""
    regressions: tuple[Regression, ...] = ()
    """The first of the rows that were lost; all of them are `checks[0].lost`."""
    forgetting: tuple[Forgetting, ...] = ()
    calibration: dict[Literal["champion", "candidate"], Reliability] = {}
    unmeasured: tuple[Unmeasured, ...] = ()

    @property
    def refusals(self) -> tuple[str, ...]:
        """Names of what must hold and does not."""
        told = [check.name for check in self.checks if check.decides and not check.holds]
        told += [limit.limit for limit in self.limits if limit.verdict != "pass"]
        forgot = (found.check for found in self.forgetting)
        return (*told, *("forgetting" for one in forgot if one.decides and not one.holds))
