"""Leaks, look-alikes and shared runs of words, as the report lists them."""

from __future__ import annotations

from ladder.samples.cleanness import leaks_and_look_alikes, overlap_with_known
from ladder.samples.duplicates import like_pairs
from ladder.samples.rows import Document, Rows, Sample
from ladder.samples.splits import all_samples, split
from ladder.task import Task

TASK = Task.model_validate(
    {
        "name": "t",
        "goal": "Sort the mail.",
        "data": {"train": "a", "test": "b"},
        "score": "exact_match",
        "gate": {"min_score": 0.5},
    }
)
WORDS = [
    "amber",
    "basil",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "ivory",
    "jasper",
    "koala",
    "lemon",
    "maple",
]


def sentence(at: int) -> str:
    return " ".join(f"{WORDS[(at * step) % 13]}{at}" for step in (1, 2, 3, 5, 7))


def rows(extra_train: list[str], extra_test: list[str]) -> Rows:
    train = [*map(sentence, range(60)), *extra_train]
    test = [*map(sentence, range(100, 140)), *extra_test]
    return Rows(
        train=tuple(Sample(f"a{at}", text, "x") for at, text in enumerate(train)),
        test=tuple(Sample(f"b{at}", text, "x") for at, text in enumerate(test)),
        documents=(Document("d", "", "So it goes: the ferry to the outer isle leaves at nine"),),
    )


def split_of(found: Rows):
    return split(TASK, found, like_pairs([sample.input for sample in all_samples(found)]))


def test_a_copy_is_a_leak_and_a_filled_template_is_not():
    found = rows(
        ["How do I return my skis?", "please set the kitchen timer for 3 minutes from now on"],
        ["how do i return my skis", "please set the kitchen timer for 5 minutes from now on"],
    )
    leaks, alikes = leaks_and_look_alikes(split_of(found))
    assert leaks == ("b40 ~ a60 (equal, 1.00)",)
    (alike,) = alikes
    assert alike.startswith("b41 ~ a61 (template, 0.")


def test_clean_rows_have_neither():
    found = rows([], [])
    assert leaks_and_look_alikes(split_of(found)) == ((), ())


def test_a_row_that_stands_in_a_document_is_found_and_short_rows_are_unchecked():
    found = rows([], ["the ferry to the outer isle leaves at nine", "too short"])
    overlap = overlap_with_known(split_of(found))
    assert overlap.overlapping == 1
    assert overlap.top == ("b40 ~ d: 100%",)
    assert overlap.rows - overlap.checkable == 1
