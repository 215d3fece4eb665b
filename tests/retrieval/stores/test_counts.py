"""Word counts: a text alone has the score that bm25s gives it among all the others."""

from __future__ import annotations

import bm25s
from hypothesis import given
from hypothesis import strategies as st

from ladder.retrieval.search import K1, B
from ladder.retrieval.stores.counts import WordCounts

WORDS = st.lists(st.sampled_from(["ferry", "deck", "dog", "storm", "ünï", "the"]), max_size=12)


def counted(texts: list[list[str]]) -> WordCounts:
    counts = WordCounts()
    for text in texts:
        counts.add(text)
    return counts


@given(st.lists(WORDS, min_size=1, max_size=10).filter(any), WORDS.filter(bool))
def test_scores_are_those_of_bm25s_to_the_last_bit(texts, query) -> None:
    index = bm25s.BM25(k1=K1, b=B)
    index.index(texts, show_progress=False)
    counts = counted(texts)
    known = counts.known(query)
    assert [counts.score(known, text) for text in texts] == index.get_scores(query).tolist()


@given(st.lists(WORDS, max_size=10), st.lists(WORDS, max_size=10))
def test_what_is_counted_out_leaves_no_trace(stays, goes) -> None:
    counts = counted([*stays, *goes])
    for text in goes:
        counts.remove(text)
    assert counts == counted(stays)
    assert WordCounts.from_json(counts.as_json()) == counts


def test_no_texts_have_no_mean_length() -> None:
    assert WordCounts().mean_words == 0
