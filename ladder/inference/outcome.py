"""What came of a sample: an answer with its scores, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ladder.engines.base import Completion
from ladder.samples.rows import Sample

Scores = Mapping[str, float]
"""Sample id -> score in 0..1, of the samples that have one."""


@dataclass(frozen=True)
class NoScore:
    """Why a judge gave an answer no score."""

    reason: str
    kind: str
    is_own_fault: bool
    """It replied, and the reply is no grade: asked again it would say the same."""


@dataclass(frozen=True)
class Outcome:
    """One sample answered and scored."""

    sample: Sample
    text: str
    completion: Completion
    score: float | None = None
    """Of the gated scorer, 0..1; None: the engine gave no answer, or the judge no score."""
    others: Mapping[str, float | None] = field(default_factory=dict)
    """Scorer beside the gated one -> its score; None: a judge gave none."""
    unjudged: NoScore | None = None
    """Why an answer has no score: the judge's fault, never the answer's."""

    @property
    def error(self) -> str | None:
        """Why there is no score."""
        return self.completion.error or (self.unjudged.reason if self.unjudged else None)

    @property
    def kind(self) -> str:
        """What errors of this kind have in common; empty where there is a score."""
        if self.unjudged is not None:
            return f"judge: {self.unjudged.kind}"
        return (self.completion.kind or "error") if self.error is not None else ""

    @property
    def failed_externally(self) -> bool:
        """Whether there is no score for a reason that is not this system's own."""
        if self.unjudged is not None:
            return not self.unjudged.is_own_fault
        return self.completion.error is not None and not self.completion.is_own_fault


def scores_of(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the scores by sample id, of the samples that have one."""
    return {o.sample.id: o.score for o in outcomes if o.score is not None}
