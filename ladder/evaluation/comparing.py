"""Is one system better than another? On the same rows, groups of rows counted once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ladder.evidence import Comparison
from ladder.gate.paired import holm, paired
from ladder.inference.answer import Outcome
from ladder.inference.evaluator import Climb
from ladder.task import RungName


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
        found.append(comparison(other, first, second, confidence, groups))
    return together(found, confidence)


def compare_outcomes(
    other: str, new: Sequence[Outcome], old: Sequence[Outcome], confidence: float
) -> Comparison:
    """Compare two systems on the rows that both answered, given in the same order."""
    both = [(a, b) for a, b in zip(new, old, strict=True) if a.scores and b.scores]
    grouped = any(a.sample.group for a, _ in both)
    groups = [a.sample.witness for a, _ in both] if grouped else ()
    first, second = [a.scores[0] for a, _ in both], [b.scores[0] for _, b in both]
    return comparison(other, first, second, confidence, groups)


def comparison(
    other: str,
    first: Sequence[float],
    second: Sequence[float],
    confidence: float,
    groups: Sequence[Hashable] = (),
) -> Comparison:
    """Compare the scores of two systems, row by row (`gate.paired`)."""
    difference, low, high, p_value = paired(first, second, confidence, groups)
    found = Comparison(
        other=other,
        difference=difference,
        low=low,
        high=high,
        n=len(first),
        p_value=p_value,
        claim="no difference proven",
    )
    (claimed,) = together([found], confidence)
    return claimed


def together(found: Sequence[Comparison], confidence: float) -> tuple[Comparison, ...]:
    """Return comparisons with p-values and claims adjusted for their number (Holm)."""
    adjusted = holm([one.p_value for one in found])
    return tuple(
        one.model_copy(update={"p_value": p_value, "claim": _claim(one, p_value, 1 - confidence)})
        for one, p_value in zip(found, adjusted, strict=True)
    )


def _claim(found: Comparison, p_value: float, error: float) -> str:
    if p_value > error:
        return "no difference proven"
    return "better" if found.difference > 0 else "worse"
