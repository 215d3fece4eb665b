"""Rungs against each other and against no model, on the rows that both answered."""

from __future__ import annotations

import pytest

from ladder.evaluation.comparing import compare
from ladder.samples.rows import Sample

GATE = tuple(Sample(id=f"r{at}", input="x", target="y") for at in range(100))


def right(count: int, rows: tuple[Sample, ...] = GATE) -> dict[str, float]:
    """Return scores of rows, the first `count` of them right."""
    return {sample.id: float(at < count) for at, sample in enumerate(rows)}


def test_a_clear_gain_is_called_better_and_a_small_one_is_not_proven():
    measured = {"control": right(80), "prompt": right(30)}
    control, prompt = compare("rag", right(83), measured, GATE, 0.95)
    assert (control.other, control.claim) == ("control", "no difference proven")
    assert (prompt.other, prompt.claim) == ("prompt", "better")
    assert control.difference == pytest.approx(0.03)
    assert prompt.low > 0.4
    (worse,) = compare("prompt", right(30), {"control": right(80)}, GATE, 0.95)
    assert (worse.other, worse.claim) == ("control", "worse")


def test_a_rung_is_not_compared_with_itself():
    measured = {"prompt": right(30), "rag": right(83)}
    assert [found.other for found in compare("rag", right(83), measured, GATE, 0.95)] == ["prompt"]


def test_only_rows_that_both_answered_are_compared():
    (found,) = compare("rag", right(100), {"prompt": right(0, GATE[:25])}, GATE, 0.95)
    assert found.n == 25
    assert compare("rag", right(100), {"prompt": {}}, GATE, 0.95) == ()
