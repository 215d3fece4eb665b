"""Macro-F1, held to what scikit-learn computes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from ladder.engines.base import Completion
from ladder.evaluation.measure import macro_f1
from ladder.inference.outcome import Outcome
from ladder.samples.rows import Sample


def found(pairs: list[tuple[str, str]]) -> float:
    """Return macro-F1 of (target, answer)."""
    outcomes = [
        Outcome(Sample(id=str(at), input="", target=target), text, Completion(), 0.0)
        for at, (target, text) in enumerate(pairs)
    ]
    return macro_f1(outcomes)


def by_scikit_learn(pairs: list[tuple[str, str]]) -> float:
    """Return what another implementation says; labels as numbers, since its arrays cut texts."""
    labels = sorted({target for target, _ in pairs})
    numbers = {label: number for number, label in enumerate(labels)}
    targets = [numbers[target] for target, _ in pairs]
    answers = [numbers.get(text, -1) for _, text in pairs]
    return float(f1_score(targets, answers, labels=range(len(labels)), average="macro"))


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
def test_it_is_what_scikit_learn_computes(pairs: list[tuple[str, str]]) -> None:
    assert found(pairs) == pytest.approx(by_scikit_learn(pairs), abs=1e-12)


def test_of_several_right_labels_the_answered_one_is_the_rows() -> None:
    row = Sample(id="1", input="", target="a", also_right=("b",))
    other = Sample(id="2", input="", target="c")
    right = [Outcome(row, "b", Completion(), 1.0), Outcome(other, "c", Completion(), 1.0)]
    assert macro_f1(right) == 1
    wrong = [Outcome(row, "c", Completion(), 0.0), Outcome(other, "c", Completion(), 1.0)]
    assert macro_f1(wrong) == pytest.approx((0 + 2 / 3) / 2)
