"""Every setting is made from what one search found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.evidence import Retrieval
from ladder.retrieval.pool import Pool, in_order

TEXTS = [
    "the ferry leaves the harbour at nine in the morning",
    "The ferry leaves the harbour at nine in the morning",  # says what the first has said
    "the ferry leaves the harbour at ten in the evening on sundays",
    "dogs must be kept on a lead",
    "bicycles travel free",
]
FOUND = {"bm25": [(at, 5.0 - at) for at in range(5)]}


def select(found, how, text_of, reranked=None) -> list[int]:
    pool = Pool(found, text_of)
    pool.reranked = reranked or {}
    return pool.select(how)


def chosen(**how) -> list[int]:
    retrieval = Retrieval(source="documents", **{"k": 3, **how})
    return select(FOUND, retrieval, TEXTS.__getitem__, how.pop("reranked", None))


def test_the_first_k_in_their_order() -> None:
    assert chosen() == [0, 1, 2]
    assert chosen(k=99) == [0, 1, 2, 3, 4]


def test_repeats_make_room_for_others() -> None:
    assert chosen(unique=True) == [0, 2, 3]


def test_every_text_five_times_is_the_same_as_once_each() -> None:
    copies = {"bm25": [(at, 5.0 - at // 5) for at in range(25)]}
    how = Retrieval(source="documents", k=3, unique=True)
    found = select(copies, how, lambda at: TEXTS[at // 5])
    assert [at // 5 for at in found] == chosen(unique=True)


def test_texts_without_words_are_no_repeats_of_each_other() -> None:
    found = {"bm25": [(0, 1.0), (1, 1.0)]}
    how = Retrieval(source="documents", k=2, unique=True)
    assert select(found, how, lambda at: "") == [0, 1]


def test_a_reranker_orders_the_first_few_and_no_more() -> None:
    how = Retrieval(source="documents", k=4, rerank=3)
    scores = {0: 0.1, 1: 0.2, 2: 0.9, 3: 99.0}
    assert select(FOUND, how, TEXTS.__getitem__, scores) == [2, 1, 0, 3]


def test_repeats_go_before_the_reranker_sees_them() -> None:
    how = Retrieval(source="documents", k=3, rerank=3, unique=True)
    scores = {0: 0.1, 2: 0.2, 3: 0.9}
    assert select(FOUND, how, TEXTS.__getitem__, scores) == [3, 2, 0]


def test_diversity_prefers_what_is_unlike() -> None:
    assert chosen(diversity=0.0, k=2) == [0, 1]
    assert chosen(diversity=0.5, k=2)[1] in (3, 4)
    assert chosen(diversity=1.0, k=1) == [0]


def test_fusion_weighs_words_against_meaning() -> None:
    found = {"bm25": [(0, 2.0), (1, 1.0), (2, 0.0)], "dense": [(2, 0.9), (1, 0.8), (0, 0.1)]}

    def order(weight: float) -> list[int]:
        how = Retrieval(source="documents", method="hybrid", lexical_weight=weight)
        return in_order(found, how)

    assert order(1.0)[:2] == [0, 1]
    assert order(0.0) == [2, 1, 0]
    assert order(0.5)[0] in (0, 1)


@given(
    st.permutations(range(5)), st.integers(1, 6), st.booleans(), st.sampled_from([0.0, 0.3, 0.9])
)
def test_any_setting_gives_distinct_texts_that_were_found(order, k, unique, diversity) -> None:
    found = {"bm25": [(at, 1.0) for at in order]}
    how = Retrieval(source="documents", k=k, unique=unique, diversity=diversity)
    positions = select(found, how, TEXTS.__getitem__)
    assert len(positions) == len(set(positions)) == min(k, 4 if unique else 5)
    assert set(positions) <= set(order)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_larger_contexts_begin_with_the_smaller_ones(k) -> None:
    for diversity in (0.0, 0.4):
        assert chosen(k=k, diversity=diversity) == chosen(k=k + 1, diversity=diversity)[:k]


def test_a_pool_gives_what_a_new_one_would_in_any_order_of_settings() -> None:
    settings = [
        Retrieval(source="documents", k=k, unique=unique, diversity=diversity)
        for k in (4, 1, 99, 2)
        for unique in (True, False)
        for diversity in (0.4, 0.0)
    ]
    shared = Pool(FOUND, TEXTS.__getitem__)
    found = [shared.select(how) for how in settings]
    assert found == [Pool(FOUND, TEXTS.__getitem__).select(how) for how in settings]
    assert found == [shared.select(how) for how in settings]
