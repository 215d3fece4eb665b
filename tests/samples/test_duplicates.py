"""Near-duplicates: what counts as saying the same, against a plain count of shared 5-grams."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.samples.duplicates import GRAM, LIKE, clusters, folded, like_pairs

LONG = "The ferry to the northern island leaves at nine and comes back at six in the evening"
TEXTS = st.lists(st.text("ab .!", min_size=1, max_size=12), max_size=12)


def overlap(left: str, right: str) -> float:
    def grams(text: str) -> set[str]:
        text = folded(text)
        return {text[at : at + GRAM] for at in range(max(1, len(text) - GRAM + 1))}

    return len(grams(left) & grams(right)) / len(grams(left) | grams(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Where is it?", "  where IS it "),
        ("a-b", "a b"),
        ("STRASSE", "straße"),
        (LONG, LONG.replace("nine", "ten")),
        (LONG, LONG + "!"),
        ("ab", "AB."),
    ],
)
def test_like_texts_are_a_pair(left: str, right: str) -> None:
    assert like_pairs([left, right]) == [(0, 1)]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("yes", "no"),
        ("ab", "abc"),
        ("?", "!"),
        (LONG, LONG[: len(LONG) // 2]),
        (LONG, " ".join(reversed(LONG.split()))),
        ("", "a"),
    ],
)
def test_unlike_texts_are_no_pair(left: str, right: str) -> None:
    assert like_pairs([left, right]) == []


def test_no_text_and_one_text_have_no_pairs() -> None:
    assert like_pairs([]) == []
    assert like_pairs([LONG]) == []


def test_each_copy_is_paired_with_the_first() -> None:
    assert like_pairs(["x y", "other words", "X, Y", "x  y!"]) == [(0, 2), (0, 3)]


def test_progress_counts_every_text() -> None:
    seen: list[int] = []
    like_pairs(["a", "a", "b"], seen.append)
    assert seen == [1, 2, 3]


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_every_pair_is_truly_alike_and_equal_texts_share_a_cluster(texts: list[str]) -> None:
    pairs = like_pairs(texts)
    assert all(left < right for left, right in pairs)
    assert all(overlap(texts[left], texts[right]) >= LIKE for left, right in pairs)
    cluster = clusters(len(texts), pairs)
    for left, one in enumerate(texts):
        for right, other in enumerate(texts):
            if folded(one) == folded(other):
                assert cluster[left] == cluster[right]


def test_one_changed_letter_in_a_long_text_is_always_found() -> None:
    draw = random.Random(5)
    texts = []
    for _ in range(60):
        text = "".join(draw.choices(string.ascii_lowercase + " ", k=150))
        at = draw.randrange(150)
        texts += [text, text[:at] + "q" + text[at + 1 :]]
    wanted = {(at, at + 1) for at in range(0, len(texts), 2)}
    assert set(like_pairs(texts)) == wanted


def test_pairs_do_not_change_from_run_to_run() -> None:
    texts = [LONG.replace("nine", word) for word in ("nine", "ten", "noon", "six", "eleven")]
    assert like_pairs(texts) == like_pairs(texts)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert bool(folded(text)) == bool(text.strip())


def test_clusters_follow_chains_and_take_the_first_rows_name() -> None:
    assert clusters(6, [(4, 5), (1, 4), (2, 3)]) == [0, 1, 2, 2, 1, 1]
    assert clusters(0, []) == []


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=20))
def test_clusters_are_the_connected_rows(pairs: list[tuple[int, int]]) -> None:
    found = clusters(15, pairs)
    reach = {row: {row} for row in range(15)}
    for _ in range(15):
        for left, right in pairs:
            joined = reach[left] | reach[right]
            for row in joined:
                reach[row] = reach[row] | joined
    assert found == [min(reach[row]) for row in range(15)]
