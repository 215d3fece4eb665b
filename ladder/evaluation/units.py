"""What the gate may count: independent units, each kind of row by its share in production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from ladder.evidence import Estimate
from ladder.gate.bounds import estimate, stratum_weights
from ladder.samples.rows import Sample


@dataclass(frozen=True)
class Units:
    """Scores of rows, or means of groups of rows."""

    scores: tuple[float, ...]
    strata: tuple[str, ...]
    weights: tuple[float, ...] | None

    def estimate(self, confidence: float) -> Estimate:
        """Return the score with its interval, weighted where shares are known."""
        return estimate(self.scores, confidence, self.weights)

    def unweighted(self, confidence: float) -> Estimate | None:
        """Return the score without the weights; None where there are none."""
        return estimate(self.scores, confidence) if self.weights else None

    def slices(self, confidence: float) -> dict[str, Estimate]:
        """Return the score of each kind of row; nothing where there are no kinds."""
        kinds = sorted({kind for kind in self.strata if kind})
        pairs = list(zip(self.scores, self.strata, strict=True))
        return {
            kind: estimate([score for score, own in pairs if own == kind], confidence)
            for kind in kinds
        }


def as_units(scored: Iterable[tuple[Sample, float]], shares: Mapping[str, float]) -> Units:
    """Return the units among scored rows: a group is one, with the mean of its rows.

    Args:
        scored: rows and their scores.
        shares: kind of row -> its share in production; empty: every unit counts alike.
    """
    members: dict[tuple[str, str], list[tuple[Sample, float]]] = {}
    for sample, score in scored:
        members.setdefault(sample.unit, []).append((sample, score))
    scores = tuple(fmean(score for _, score in rows) for rows in members.values())
    strata = tuple(rows[0][0].stratum for rows in members.values())
    weights = tuple(stratum_weights(strata, shares)) if shares and strata else None
    return Units(scores, strata, weights)
