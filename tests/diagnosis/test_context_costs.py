"""What a place in the context costs; the scores are given."""

from __future__ import annotations

import pytest

from ladder.diagnosis.context_costs import BUDGETS, curve_until_flat, knee, position

FIRST, MIDDLE, LAST = "best first", "best in the middle", "best last"


def scores(*values: float) -> dict[str, float]:
    return {str(row): value for row, value in enumerate(values)}


def test_the_best_place_is_compared_with_the_worst() -> None:
    found, places = position({FIRST: scores(*[0, 0, 1, 0] * 6), MIDDLE: scores(*[0, 1, 1, 0] * 6),
                      LAST: scores(*[1, 1, 1, 0] * 6)}, 0.95)  # fmt: skip
    assert places == (LAST, FIRST)
    assert found.other == FIRST
    assert found.difference == pytest.approx(0.5)
    assert found.low > 0
    assert found.claim == "better"


def test_which_two_were_taken_is_paid_for() -> None:
    """Of three places that differ by chance, the widest pair alone would look like a difference."""
    one = scores(*[1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
    none = scores(*[0] * 10)
    found, _ = position({FIRST: none, MIDDLE: none, LAST: one}, 0.95)
    assert found.p_value == pytest.approx(3 * 2 * 0.5**6)
    assert found.claim == "no difference proven"


def test_the_knee_is_the_smallest_that_cannot_be_told_from_the_best():
    def scores(right: int) -> dict[str, float]:
        return {str(at): float(at < right) for at in range(40)}

    assert knee({1: scores(10), 2: scores(30), 4: scores(30), 8: scores(31)}) == 2
    assert knee({1: scores(30), 2: scores(30)}) == 1
    assert knee({1: scores(5), 16: scores(39)}) == 16


def test_the_curve_ends_where_two_larger_contexts_brought_nothing() -> None:
    asked: list[int] = []

    def at(right: dict[int, int]):
        def found(k: int) -> dict[str, float]:
            asked.append(k)
            return {str(row): float(row < right[k]) for row in range(40) if right[k] >= 0}

        return found

    flat = at({1: 9, 2: 9, 4: 8, 8: 40, 16: 40})
    assert list(curve_until_flat(BUDGETS, flat)) == [1, 2, 4]
    assert asked == [1, 2, 4]
    assert list(curve_until_flat(BUDGETS, at({1: 9, 2: 9, 4: 12, 8: 12, 16: 13}))) == list(BUDGETS)
    too_long = at({1: 3, 2: -1, 4: 40})
    assert list(curve_until_flat((1, 2, 4), too_long)) == [1]


def test_a_score_of_nothing_at_all_is_not_a_rise() -> None:
    assert list(curve_until_flat((1, 2, 4, 8), lambda k: scores(0, 0, 0))) == [1, 2, 4]
