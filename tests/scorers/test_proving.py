"""A scorer is tried on the task's own targets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ladder.samples.rows import Sample
from ladder.scorers.base import Score, Scorer
from ladder.scorers.contains import contains
from ladder.scorers.exact_match import exact_match
from ladder.scorers.json_fields import json_fields
from ladder.scorers.number import number
from ladder.scorers.proving import fooled, read_in_two_ways
from ladder.scorers.token_f1 import token_f1


def rows(*targets: str) -> list[Sample]:
    return [Sample(f"r{at}", "?", target) for at, target in enumerate(targets)]


def pairs(scorer: Scorer, samples: Sequence[Sample]) -> set[tuple[str, str]]:
    """Return (answer, target) of what gets full marks and should not."""
    return {(found.answer, found.target) for found in fooled(scorer, samples).alike}


@pytest.mark.parametrize(
    ("scorer", "targets"),
    [
        (exact_match(), ["Login", "login", "refund", "a", "a."]),
        (token_f1(), ["red ferry", "blue ferry", "the", "a", "—", "…", "1.5", "15", "C++", "C#"]),
        (contains(), ["北京", "南京", "บ้าน", "서울", "A", "B", "-5", "5", "👍", "👎"]),
        (number(), ["1,5", "15", "-5", "5", "1/2", "3/2", "7", "7.0", "7,0", "1 000", "1000"]),
        (number(), ["5 km", "6 m", "5.0 km"]),
        (json_fields(exact=True), ['{"a": 1, "b": 2}', '{"b":2,"a":1}', '{"a": 2}', '{"a": true}']),
    ],
)
def test_a_scorer_that_tells_its_targets_apart_is_not_fooled(
    scorer: Scorer, targets: list[str]
) -> None:
    found = fooled(scorer, rows(*targets))
    assert found == ((), (), ())


def test_unlike_targets_with_full_marks_are_named_with_their_rows() -> None:
    assert pairs(number(), rows("5 km", "5 m")) == {("5 km", "5 m"), ("5 m", "5 km")}
    assert pairs(contains(), rows("card", "card lost")) == {("card lost", "card")}
    assert pairs(token_f1(), rows("dog bites man", "man bites dog", "cat"))
    [found] = fooled(contains(), rows("lost", "card", "card lost")).alike[:1]
    assert (found.row, found.other_row) == ("r1", "r2")


def test_both_answers_of_one_row_may_be_alike() -> None:
    sample = Sample("r", "?", "5 km", ("5 m",))
    assert pairs(number(), [sample]) == set()


def test_a_target_that_does_not_match_itself_is_named() -> None:
    found = fooled(number(), [*rows("5", "none"), Sample("more", "?", "6", ("10:30",))])
    assert [(one.row, one.target) for one in found.unmatched] == [("more", "10:30"), ("r1", "none")]


def test_an_empty_answer_with_full_marks_is_named() -> None:
    def generous(answer: str, target: str) -> Score:
        return Score(float(answer in target))

    found = fooled(generous, rows("one", "two"))
    assert [one.row for one in found.empty] == ["r0", "r1"]
    for scorer in (exact_match(), token_f1(), token_f1(squad=False), contains(), json_fields()):
        for target in ("the", "a an", "—", "...", "؟", "\u3002", "{}", "null", "👍"):
            for empty in ("", " ", "\n", "\u200b", "\ufeff"):
                assert scorer(empty, target).value == 0, (target, empty)


def test_many_targets_are_compared_in_a_bounded_number_of_pairs() -> None:
    asked = 0

    def counting(answer: str, target: str) -> Score:
        nonlocal asked
        asked += 1
        return Score(float(answer == target))

    assert fooled(counting, rows(*map(str, range(20_000)))) == ((), (), ())
    assert asked < 8_000


def test_neighbours_are_compared_where_not_all_are() -> None:
    targets = [f"{at:03} words" for at in range(300)] + ["007 word", "007  words!"]
    assert ("007  words!", "007 words") in pairs(token_f1(), rows(*targets))


def test_a_number_that_can_be_read_in_two_ways_is_told_unless_the_others_show_the_mark() -> None:
    [(sample, values)] = read_in_two_ways(rows("5", "1,234"))
    assert (sample.id, values) == ("r1", (1234, 1.234))
    assert read_in_two_ways(rows("5,5", "1,234")) == []
    assert read_in_two_ways(rows("5", "1234")) == []
    assert pairs(number(), rows("1,234", "1234")) == {("1,234", "1234"), ("1234", "1,234")}
    assert pairs(number(decimal=","), rows("1,234", "1234")) == set()
