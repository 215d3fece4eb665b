"""What a look at recent rows finds: drift.jsonl beside the plan."""

from __future__ import annotations

from ladder.evidence.values import Record


class Shift(Record):
    """What one two-sample test found."""

    name: str
    effect: float
    least: float
    """Smaller effects are no alarm, however sure they are."""
    p: float
    p_holm: float
    """Over all tests of the look."""
    alarms: bool


class ScoreWatch(Record):
    """The score on labelled recent rows, of all looks so far."""

    mean: float
    n: int
    limit: float
    """The gate's."""
    e_value: float
    """Against a mean of the limit or more (`gate.e_values`)."""
    alarms: bool


class DriftLook(Record):
    """One look."""

    at: str
    data: str
    """Digest of the recent rows."""
    reference: str
    """Digest of the rows that they were compared with."""
    embedder: str | None
    """Digest of the embedding model's files; None: there is none, and two tests are left out."""
    rows: int
    compared: int | None = None
    """Of these, in the tests of inputs: of very many some are drawn. None: an earlier version."""
    reference_rows: int
    error: float
    """What this look spends of the plan's error budget (`lifecycle.alpha_spending`)."""
    shifts: tuple[Shift, ...]
    scores: dict[str, float] = {}
    """Digest of a labelled row -> its score, of rows that no look before has scored."""
    score: ScoreWatch | None = None

    @property
    def alarms(self) -> tuple[str, ...]:
        """Names of what calls for action."""
        found = [shift.name for shift in self.shifts if shift.alarms]
        return (*found, *(["score"] if self.score and self.score.alarms else []))
