"""Long documents are read as passages, each with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.language.words import count_words
from ladder.samples.passages import LONG_WORDS, PASSAGE_WORDS, passages

SENTENCE = "The ferry number {} leaves the harbour at nine and returns late in the evening. "
LONG = "".join(SENTENCE.format(at) for at in range(200))


def test_a_short_document_stays_whole():
    text = "one two three"
    assert list(passages(text)) == [(0, len(text))]
    assert list(passages("")) == [(0, 0)]
    assert len(list(passages("word " * LONG_WORDS))) == 1


def test_a_long_document_is_cut_and_nothing_is_lost():
    places = list(passages(LONG))
    assert len(places) > 10
    said = set()
    for start, end in places:
        assert len(LONG[start:end].split()) <= PASSAGE_WORDS
        said |= set(range(start, end))
    assert not [at for at in range(len(LONG)) if at not in said and not LONG[at].isspace()]


def test_neighbours_overlap_so_that_no_sentence_is_only_cut_in_two():
    parts = [LONG[start:end] for start, end in passages(LONG)]
    whole = [any(SENTENCE.format(at).strip() in part for part in parts) for at in range(200)]
    assert sum(whole) / len(whole) > 0.95


def test_a_text_without_spaces_is_cut_too():
    places = list(passages("船" * 5000))
    assert len(places) > 2


@pytest.mark.parametrize("breaks", ["\n\n", "\n", " "])
def test_the_widest_break_is_preferred(breaks):
    block = "word " * 100 + "end."
    text = breaks.join([block] * 6)
    assert all(text[start:end].strip() for start, end in passages(text))
    if breaks == "\n\n":
        assert next(passages(text))[1] in (len(block), 2 * len(block) + 2)


@settings(max_examples=40)
@given(st.text(max_size=4000))
def test_any_text_has_places_inside_it(text):
    for start, end in passages(text):
        assert 0 <= start <= end <= len(text)


@pytest.mark.parametrize("sentence", ["今天的天气很好，我们去公园。", "วันนี้อากาศดีเราไปสวน "])
def test_scripts_without_spaces_are_cut_as_finely_as_others(sentence):
    text = sentence * 200
    places = list(passages(text))
    assert all(count_words(text[start:end]) <= PASSAGE_WORDS for start, end in places)
    assert len(places) >= count_words(text) / PASSAGE_WORDS
    assert len(list(passages(sentence))) == 1
