"""Sentences that hardly ever hold an answer are left out."""

from __future__ import annotations

import math
import random

import pytest

from ladder.retrieval.compress import (
    KEPT,
    LEAST_KNOWN,
    cut_for,
    rarity,
    sentences,
    share_of_words,
    shortened,
)
from ladder.samples.rows import Document


def test_sentences_lose_no_word() -> None:
    text = "First one. Is this 2.5 km away? Yes!\nA list:\n- item; another"
    assert list(sentences(text)) == [
        "First one.", "Is this 2.5 km away?", "Yes!", "A list:", "- item;", "another",
    ]  # fmt: skip
    assert " ".join(sentences(text)).split() == text.split()


def test_too_few_known_sentences_set_no_cut() -> None:
    assert cut_for([0.5] * (LEAST_KNOWN - 1)) is None


def test_the_cut_keeps_what_it_promises() -> None:
    """Over many draws the mean share of unseen useful sentences above the cut is at least KEPT."""
    luck = random.Random(0)
    shares = []
    for _ in range(400):
        cut = cut_for([luck.gauss(1, 1) for _ in range(80)])
        assert cut is not None
        shares.append(sum(luck.gauss(1, 1) >= cut for _ in range(200)) / 200)
    assert KEPT - 0.005 < sum(shares) / len(shares) < KEPT + 0.03


def test_nothing_may_be_left() -> None:
    document = Document("d", "", "One. Two. Three.")
    scores = {"One.": 0.1, "Two.": 0.9, "Three.": 0.2}
    (found,) = shortened([document], scores, 0.5)
    assert found.text == "Two."
    assert shortened([document], scores, 1.0) == []
    assert shortened([document], scores, -math.inf) == [document]


def test_rare_words_weigh_more() -> None:
    idf = rarity([["ferry", "ferry"]] * 50 + [["ferry", "anchor"]])
    with_rare = share_of_words({"ferry", "anchor"}, {"anchor"}, idf)
    with_common = share_of_words({"ferry", "anchor"}, {"ferry"}, idf)
    assert with_rare > 0.9 > 0.1 > with_common > 0
    assert share_of_words({"unknown"}, {"unknown"}, idf) == 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("今天很好。明天呢？「再见。」走了", ["今天很好。", "明天呢？", "「再见。」走了"]),
        ("नमस्ते। ठीक है।", ["नमस्ते।", "ठीक है।"]),
        ("مرحبا؟ نعم.", ["مرحبا؟", "نعم."]),
        ("It costs 1.5 euros. Yes!", ["It costs 1.5 euros.", "Yes!"]),
    ],
)
def test_sentences_end_as_their_script_ends_them(text: str, parts: list[str]) -> None:
    assert list(sentences(text)) == parts
