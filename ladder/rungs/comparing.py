"""Is a rung better than the ones below it, and than no model at all? On the same held-out rows."""

from __future__ import annotations

from typing import Literal

from ladder.evidence import Comparison
from ladder.gate.paired import holm, paired
from ladder.rungs.base import Climb
from ladder.task import RungName

CONTROL = "control"


def compare(climb: Climb, rung: RungName) -> tuple[Comparison, ...]:
    """Compare a measured rung with the control and every rung below it.

    The winners were chosen on the dev rows and these are gate rows, so the choice among many
    candidates flatters nobody here.
    """
    own = climb.gate_scores[rung]
    witness = {sample.id: sample.witness for sample in climb.splits.gate}
    grouped = any(sample.group for sample in climb.splits.gate)
    confidence = climb.task.gate.confidence
    found = []
    for other, scores in climb.gate_scores.items():
        both = [row for row in own if row in scores]
        if other == rung or not both:
            continue
        groups = [witness[row] for row in both] if grouped else ()
        first, second = [own[row] for row in both], [scores[row] for row in both]
        found.append((other, len(both), paired(first, second, confidence, groups)))
    adjusted = holm([p_value for _, _, (_, _, _, p_value) in found])
    return tuple(
        Comparison(
            other=other,
            difference=difference,
            low=low,
            high=high,
            n=n,
            p_value=p_value,
            claim=_claim(difference, p_value, 1 - confidence),
        )
        for (other, n, (difference, low, high, _)), p_value in zip(found, adjusted, strict=True)
    )


def _claim(
    difference: float, p_value: float, error: float
) -> Literal["better", "worse", "no difference proven"]:
    if p_value > error:
        return "no difference proven"
    return "better" if difference > 0 else "worse"
