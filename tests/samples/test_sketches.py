"""Near-duplicates of very many texts: what sketches find, against the exact search."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from ladder.samples import duplicates, sketches
from ladder.samples.duplicates import GRAM, like_pairs

WORDS = [f"{at * 7919 % 99991:x}{at % 7:x}" * (1 + at % 2) for at in range(3_000)]


def drawn(count: int, seed: int = 0) -> list[str]:
    """Texts of which every third repeats the one before but for a word."""
    draw, texts = random.Random(seed), list[str]()
    for at in range(count):
        words = draw.choices(WORDS, k=draw.randint(6, 18))
        if at % 3 == 0 and texts:
            words = texts[-1].split()
            words[draw.randrange(len(words))] = draw.choice(WORDS)
        texts.append(" ".join(words))
    return texts


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MANY", 10)


def pairs_of(texts: Sequence[str]) -> set[tuple[int, int]]:
    return set(like_pairs(texts))


def test_they_find_what_the_exact_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = drawn(600)
    exact = pairs_of(texts)
    monkeypatch.setattr(duplicates, "MANY", 10)
    found = pairs_of(texts)
    assert len(exact) > 100
    assert found <= exact, "each candidate is compared exactly"
    assert len(exact - found) <= 1


def test_the_recall_is_that_of_the_bands() -> None:
    assert sketches.recall(1.0) == 1
    assert 0.9997 < sketches.recall(duplicates.LIKE) < 0.9999
    assert sketches.recall(0.3) < 0.03


def test_a_sketch_depends_on_its_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*drawn(40), "abcde", "abcdef", "four", "", "naïve ✓ 漢字かな交じり文です"]
    together = sketches._sketches(texts, GRAM)
    for at, text in enumerate(texts):
        assert (sketches._sketches([text], GRAM)[0] == together[at]).all()
    whole = list(sketches.candidates(texts, GRAM))
    monkeypatch.setattr(sketches, "AT_ONCE", 7)
    assert list(sketches.candidates(texts, GRAM)) == whole


@pytest.mark.usefixtures("sketched")
def test_texts_shorter_than_a_gram_are_like_equal_ones_alone() -> None:
    texts = ["yes", "no", "yes", "ja", "oui", "", "a", "b", "c", "d", "e", "f", "g"]
    assert like_pairs(texts) == [(0, 2)]


@pytest.mark.usefixtures("sketched")
def test_many_rows_of_one_template_are_all_found() -> None:
    texts = [
        f"please move the meeting with the whole team of the second floor to room {at}"
        for at in range(40)
    ]
    assert len(like_pairs(texts)) == 40 * 39 // 2
