"""Macro-F1 by scikit-learn, held to its definition."""

from __future__ import annotations

import warnings
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.engines.base import Completion
from ladder.evaluation.measure import macro_f1
from ladder.inference.outcome import Outcome
from ladder.samples.rows import Sample


def found(pairs: list[tuple[str, str]]) -> float:
    """Return macro-F1 of (target, answer); a warning fails the test."""
    outcomes = [
        Outcome(Sample(id=str(at), input="", target=target), text, Completion(), 0.0)
        for at, (target, text) in enumerate(pairs)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return macro_f1(outcomes)


def defined(pairs: list[tuple[str, str]]) -> float:
    """Return the mean over the targets' labels of 2 TP / (2 TP + FP + FN)."""
    values = []
    for label in {target for target, _ in pairs}:
        hits = sum(target == text == label for target, text in pairs)
        wanted = sum(target == label for target, _ in pairs)
        answered = sum(text == label for _, text in pairs)
        values.append(2 * hits / (wanted + answered))
    return fmean(values)


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([("a", "a"), ("b", "b")], 1.0),
        ([("a", "b"), ("b", "a")], 0.0),
        ([("a", "a"), ("a", "a"), ("a", "a"), ("b", "a")], (6 / 7 + 0) / 2),
        ([("a", "a"), ("b", "no label")], 0.5),
        ([("a", "a\0")], 0.0),
        ([("a", "a")], 1.0),
    ],
)
def test_every_label_counts_alike(pairs: list[tuple[str, str]], wanted: float) -> None:
    assert found(pairs) == pytest.approx(wanted)


LABELS = st.sampled_from(["yes", "no", "", "perhaps"])


@given(st.lists(st.tuples(LABELS, LABELS | st.text(max_size=3)), min_size=1, max_size=40))
def test_it_is_its_definition(pairs: list[tuple[str, str]]) -> None:
    assert found(pairs) == pytest.approx(defined(pairs), abs=1e-12)


def test_as_many_labels_as_rows_are_no_regression() -> None:
    """Where labels are many and rows few, scikit-learn must not warn."""
    assert found([(f"label {at}", f"label {at // 2}") for at in range(60)]) < 0.5


def test_of_several_right_labels_the_answered_one_is_the_rows() -> None:
    row = Sample(id="1", input="", target="a", also_right=("b",))
    other = Sample(id="2", input="", target="c")
    right = [Outcome(row, "b", Completion(), 1.0), Outcome(other, "c", Completion(), 1.0)]
    assert macro_f1(right) == 1
    wrong = [Outcome(row, "c", Completion(), 0.0), Outcome(other, "c", Completion(), 1.0)]
    assert macro_f1(wrong) == pytest.approx((0 + 2 / 3) / 2)
