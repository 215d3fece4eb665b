"""What is lost is handed out again, split, and in the end given up: never for ever, never twice."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from ladder.engines.base import Chunk
from ladder.engines.sharded.work import KIND, LOSSES, NODES, Work


def _work(*sizes: int) -> Work:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return Work.of(
        Chunk(tuple(range(start, start + size)), 3, sum(sizes))
        for start, size in zip(starts, sizes, strict=True)
    )


def _lose(work, piece, *, with_machine=False):
    return work.lose(piece, "one", ["another"] if with_machine else ["one"], "SIGKILL")


def test_a_chunk_that_is_lost_once_comes_again_as_it_was():
    work = _work(4, 4)
    first = work.take()
    assert _lose(work, first) == []
    assert work.take().chunk == first.chunk
    assert len(work) == 1


def test_a_chunk_that_takes_two_workers_with_it_is_split():
    work = _work(5, 1)
    _lose(work, work.take())
    assert _lose(work, work.take()) == []
    halves = [work.take(), work.take()]
    assert [piece.chunk.places for piece in halves] == [(0, 1), (2, 3, 4)]
    assert {(piece.lost_on, piece.chunk.shared, piece.chunk.group) for piece in halves} == {
        ((), 3, 6)
    }


def test_a_request_that_takes_two_workers_with_it_alone_is_an_error_of_its_own():
    work = _work(1)
    assert _lose(work, work.take()) == []
    [(place, completion)] = _lose(work, work.take())
    assert place == 0
    assert completion.kind == KIND
    assert completion.is_own_fault, "asked again it would take two more workers with it"
    assert "SIGKILL" in completion.error
    assert not completion.text
    assert not work


def test_machines_that_go_away_do_not_split_a_chunk_and_do_not_keep_it_for_ever():
    work = _work(8)
    for _ in range(NODES):
        assert _lose(work, work.take(), with_machine=True) == []
        assert len(work.waiting[0].chunk.places) == 8
    for _ in range(LOSSES):
        _lose(work, work.take(), with_machine=True)
    assert len(work) == 2


def test_a_machine_whose_end_is_known_late_is_no_loss_of_the_chunk():
    """The first worker died seconds before its machine was known to be gone."""
    work = _work(8)
    work.lose(work.take(), "one", ["one", "another"], "")
    work.lose(work.take(), "another", ["another"], "")
    assert len(work) == 1
    work.lose(work.take(), "another", ["another"], "")
    assert len(work) == 2


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.sets(st.integers(0, 40)), st.data())
def test_each_request_is_answered_or_given_up_once_and_only_what_kills_is_given_up(
    sizes, deadly, data
):
    """Whatever is lost by chance beside it, as long as chance alone does not strike one twice."""
    work = _work(*sizes)
    chance = random.Random(data.draw(st.integers(0, 9999)))
    answered, given_up, losses, struck = [], [], 0, set()
    while work:
        piece = work.take()
        places = piece.chunk.places
        unlucky = places not in struck and chance.random() < 0.3 and not piece.lost_on
        if unlucky and not deadly & set(places):
            struck.add(places)
            given_up += _lose(work, piece)
            losses += 1
        elif deadly & set(places):
            given_up += _lose(work, piece)
            losses += 1
        else:
            answered += places
        assert losses < 200
    everything = set(range(sum(sizes)))
    assert sorted([*answered, *(place for place, _ in given_up)]) == sorted(everything)
    assert {place for place, _ in given_up} == deadly & everything
