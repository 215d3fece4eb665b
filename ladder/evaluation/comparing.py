"""Is one system better than another? On the same rows, groups of rows counted once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from ladder.evidence import Comparison
from ladder.gate.paired import holm, paired
from ladder.inference.outcome import Outcome, Scores
from ladder.samples.rows import Sample
from ladder.task import RungName


def compare(
    rung: RungName,
    own: Scores,
    measured: Mapping[str, Scores],
    samples: Sequence[Sample],
    confidence: float,
) -> tuple[Comparison, ...]:
    """Compare a measured rung with the control and every rung below it.

    The winners were chosen on the dev set and these are examples of the eval set, so the choice
    among many candidates flatters nobody here.

    Args:
        rung: its name.
        own: its scores.
        measured: rung, or `control` -> its scores.
        samples: the eval set.
        confidence: of the intervals; 1 - confidence is the error of all comparisons together.
    """
    unit = {sample.id: sample.unit for sample in samples}
    grouped = any(sample.group for sample in samples)
    found = []
    for other, scores in measured.items():
        both = [row for row in own if row in scores]
        if other == rung or not both:
            continue
        groups = [unit[row] for row in both] if grouped else ()
        first, second = [own[row] for row in both], [scores[row] for row in both]
        found.append(comparison(other, first, second, confidence, groups))
    return together(found, confidence)


def compare_outcomes(
    other: str, new: Sequence[Outcome], old: Sequence[Outcome], confidence: float
) -> Comparison:
    """Compare two systems on the rows that both answered, given in the same order."""
    pairs = zip(new, old, strict=True)
    both = [(a.sample, a.score, b.score) for a, b in pairs if a.score is not None]
    known = [(sample, a, b) for sample, a, b in both if b is not None]
    grouped = any(sample.group for sample, _, _ in known)
    groups = [sample.unit for sample, _, _ in known] if grouped else ()
    first, second = [a for _, a, _ in known], [b for _, _, b in known]
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
        one.but(p_value=p_value, claim=_claim(one, p_value, 1 - confidence))
        for one, p_value in zip(found, adjusted, strict=True)
    )


def _claim(found: Comparison, p_value: float, error: float) -> str:
    if p_value > error:
        return "no difference proven"
    return "better" if found.difference > 0 else "worse"
