"""Near-duplicates: what counts as the same, and the clusters they form."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.samples.duplicates import clusters, folded, like_pairs

LONG = "please tell me when the next ferry to the island leaves from the north pier"
OTHER = "which of the two bakeries in the village sells rye bread on sunday mornings"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Good  Morning!", "good morning"),
        ("GROẞ", "gross"),
        ("snake_case", "snake case"),
        ("  a\n\tb ", "a b"),
        ("!?", "!?"),
        ("", ""),
    ],
)
def test_case_punctuation_and_space_are_folded(text, same):
    assert folded(text) == same


def test_texts_of_punctuation_alone_stay_apart():
    assert like_pairs([":-)", ":-(", ":-)"]) == [(0, 2)]


def test_equal_texts_pair_with_the_first_of_them():
    assert like_pairs([LONG, OTHER, LONG.upper() + "!", OTHER, LONG]) == [(0, 2), (1, 3), (0, 4)]


def test_one_changed_word_is_a_near_duplicate():
    assert like_pairs([LONG, OTHER, LONG.replace("the next", "the next one")]) == [(0, 2)]


def test_half_the_words_changed_is_not():
    half = " ".join(LONG.split()[:7] + OTHER.split()[7:])
    assert like_pairs([LONG, half]) == []


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["a"], ["a", "b"], ["abcd", "abce"]])
def test_short_texts_are_compared_whole(texts):
    wanted = [(0, 1)] if len(texts) == 2 and texts[0] == texts[1] else []
    assert like_pairs(texts) == wanted


def test_progress_counts_every_text():
    seen = []
    like_pairs([LONG, OTHER, LONG], seen.append)
    assert seen == [1, 2, 3]


def jaccard(left: str, right: str) -> float:
    """The definition, written down a second time."""
    a, b = ({text[at : at + 5] for at in range(len(text) - 4)} for text in (left, right))
    return len(a & b) / len(a | b)


def test_pairs_are_found_as_the_definition_has_them():
    """Variants at many distances; only pairs close to the threshold may be missed by hashing."""
    words = LONG.split()
    texts = [LONG] + [
        " ".join([*words[:at], *["x" * size] * bool(size), *words[at:]])
        for at in range(len(words))
        for size in (1, 5, 30)
    ]
    found = set(like_pairs(texts))
    for left, right in combinations(range(len(texts)), 2):
        if jaccard(texts[left], texts[right]) < 0.8:
            assert (left, right) not in found
        elif jaccard(texts[left], texts[right]) > 0.9:
            assert (left, right) in found or texts[left] == texts[right]


@settings(max_examples=50)
@given(
    st.integers(1, 12).flatmap(
        lambda size: st.tuples(
            st.just(size), st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)))
        )
    )
)
def test_clusters_are_what_can_be_reached(case):
    size, pairs = case
    found = clusters(size, pairs)
    reach = {row: {row} for row in range(size)}
    for _ in range(size):
        for left, right in pairs:
            both = reach[left] | reach[right]
            reach[left] = reach[right] = both
            for row in both:
                reach[row] = reach[row] | both
    assert found == [min(reach[row]) for row in range(size)]
