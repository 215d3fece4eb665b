"""What is put before the question: said once, within a budget, in an order."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from ladder.evidence import Order
from ladder.retrieval.packing import merged, ordered, within
from ladder.samples.rows import Document

TEXT = "".join(chr(ord("a") + at % 26) for at in range(200))


def passage(start: int, end: int, source: str = "d") -> Document:
    name = f"{source}#{start}"
    return Document(name, "", TEXT[start:end], start=start, cut_from=source)


def test_overlapping_passages_are_joined_at_the_better_place() -> None:
    other = Document("x", "", "other")
    found = merged([other, passage(50, 100), Document("y", "", "more"), passage(80, 150)])
    assert [document.text for document in found] == ["other", TEXT[50:150], "more"]


def test_a_bridge_joins_what_it_touches_on_both_sides() -> None:
    (found,) = merged([passage(0, 40), passage(80, 120), passage(30, 90)])
    assert (found.start, found.text) == (0, TEXT[0:120])


def test_one_inside_another_adds_nothing() -> None:
    (found,) = merged([passage(20, 30), passage(10, 60)])
    assert (found.start, found.text) == (10, TEXT[10:60])


def test_whole_documents_and_passages_of_others_stay_apart() -> None:
    documents = [Document("a", "", "same"), Document("b", "", "same"), passage(0, 9, "c")]
    assert merged([*documents, passage(0, 9, "d")]) == [*documents, passage(0, 9, "d")]


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(1, 50)), max_size=8))
def test_every_character_is_said_exactly_once(places) -> None:
    found = merged([passage(start, start + size) for start, size in places])
    said = [at for part in found for at in range(part.start, part.start + len(part.text))]
    wanted = {at for start, size in places for at in range(start, start + size)}
    assert len(said) == len(set(said))
    assert set(said) == wanted
    assert all(part.text == TEXT[part.start : part.start + len(part.text)] for part in found)


def test_the_budget_keeps_the_best() -> None:
    documents = [Document(name, "", "x" * 10) for name in "abc"]
    assert [d.id for d in within(documents, 23, lambda text: len(text.strip()))] == ["a", "b"]
    assert within(documents, 5, len) == []


def test_orders() -> None:
    documents = [Document(name, "", name) for name in "abcde"]  # a is the best
    read = {order: "".join(d.id for d in ordered(documents, order)) for order in get_args(Order)}
    assert read == {
        "best last": "edcba",
        "best first": "abcde",
        "best at both ends": "bdeca",
        "best in the middle": "dbace",
    }
