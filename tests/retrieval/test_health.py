"""What a search puts in context: found, said twice, always the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from ladder.retrieval.health import (
    calibrated,
    calibration_error,
    inequality,
    recall,
    redundancy,
)

IDS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), min_size=1, max_size=12)


def test_recall_counts_rows_with_a_right_document():
    found = [["a", "b", "c"], ["b", "a", "c"], ["c", "b"], []]
    wanted = [["a"], ["a", "x"], ["z"], ["a"]]
    assert recall(found, wanted, 1) == [True, False, False, False]
    assert recall(found, wanted, 2) == [True, True, False, False]


@given(IDS, st.integers(1, 6))
def test_more_documents_never_find_less(found, k):
    wanted = [["a", "e"]] * len(found)
    fewer, more = (sum(recall(found, wanted, count)) for count in (k, k + 1))
    assert fewer <= more


def test_a_copy_says_nothing_new():
    text = "the ferry leaves the harbour at nine in the morning"
    assert redundancy([[text]]) == 0
    assert redundancy([[text, text]]) == 0.5
    assert redundancy([[text] * 5]) == 0.8
    assert redundancy([[text, "dogs must be kept on a lead on deck"]]) == 0


def test_an_overlap_counts_its_own_words_only():
    first = "one two three four five six seven eight"
    second = "five six seven eight nine ten eleven twelve"
    assert redundancy([[first, second]]) == 0, "four words in a row are chance"
    longer = "four five six seven eight nine ten eleven"
    assert redundancy([[first, longer]]) == pytest.approx(5 / 16)


def test_short_texts_are_compared_as_a_whole():
    assert redundancy([["yes", "Yes", "no"]]) == pytest.approx(1 / 3)
    assert redundancy([["", " "], []]) == 0


def test_the_same_few_for_every_query():
    assert inequality([[0], [1], [2], [3]], 4) == pytest.approx(0)
    assert inequality([[7]] * 50, 100) == pytest.approx(0.98)
    assert inequality([[7]] * 100, 50) == pytest.approx(0.98)
    assert inequality([], 3) == 0


@given(st.integers(1, 40), st.integers(1, 200))
def test_hits_that_are_as_even_as_they_can_be_are_not_concentrated(hits, texts):
    even = inequality([[hit % texts] for hit in range(hits)], texts)
    if hits <= texts or hits % texts == 0:
        assert even == pytest.approx(0)
    assert even <= inequality([[0]] * hits, texts) + 1e-9


@given(st.lists(st.lists(st.integers(0, 7), max_size=6), max_size=12))
def test_inequality_lies_in_0_to_1(found):
    assert -1e-9 <= inequality(found, 8) < 1


def test_calibration_error_is_the_mean_gap() -> None:
    assert calibration_error([0.0, 0.0, 1.0, 1.0], [False, False, True, True]) == 0
    assert calibration_error([0.75] * 4, [True, True, True, False]) == 0
    assert calibration_error([0.9] * 10, [False] * 10) == pytest.approx(0.9)
    assert calibration_error([0.05, 0.95], [True, False]) == pytest.approx(0.95)
    assert calibration_error([], []) == 0


def test_chances_are_learnt_and_never_fall_with_the_score() -> None:
    scores = [at / 100 for at in range(100)]
    chances = calibrated(scores, [score > 0.5 for score in scores], [0.1, 0.3, 0.52, 0.9, 7.0])
    assert chances == sorted(chances)
    assert chances[0] == 0
    assert chances[-1] == 1


LEVELS = st.sampled_from([0.0, 0.25, 0.5, 0.5001, 2.0, 30.0])


@given(st.lists(st.tuples(LEVELS, st.booleans()), min_size=1, max_size=40), st.lists(LEVELS))
def test_calibration_is_what_scikit_learn_computes(
    known: list[tuple[float, bool]], unseen: list[float]
) -> None:
    scores, right = map(list, zip(*known, strict=True))
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    model.fit(scores, [float(value) for value in right])
    wanted = model.predict([*unseen, 1.0])
    assert calibrated(scores, right, [*unseen, 1.0]) == pytest.approx(list(wanted))
