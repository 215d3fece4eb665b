"""What looks may spend of the error budget of a plan's life."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from ladder.lifecycle.alpha_spending import BUDGET, LIFE_DAYS, error_of_look

CREATED = date(2026, 1, 1)


@pytest.mark.parametrize("every", [1, 7, 91])
def test_all_looks_of_two_years_spend_the_budget_however_often_one_looks(every: int) -> None:
    before: list[tuple[date, float]] = []
    for days in range(every, LIFE_DAYS + 1, every):
        today = CREATED + timedelta(days=days)
        before.append((today, error_of_look(CREATED, today, before)))
    assert sum(error for _, error in before) == pytest.approx(
        BUDGET * (LIFE_DAYS // every * every) / LIFE_DAYS
    )
    assert min(error for _, error in before) == pytest.approx(BUDGET * every / LIFE_DAYS)


def test_looks_on_one_day_and_after_the_life_never_spend_more_than_there_is() -> None:
    before: list[tuple[date, float]] = []
    for _ in range(2 * LIFE_DAYS):
        before.append((CREATED, error_of_look(CREATED, CREATED, before)))
    assert sum(error for _, error in before) == pytest.approx(BUDGET)
    assert before[-1][1] == 0
    assert error_of_look(CREATED, CREATED + timedelta(days=5 * LIFE_DAYS), []) == BUDGET


def test_a_clock_that_went_back_counts_a_day() -> None:
    ahead = [(CREATED + timedelta(days=300), 0.01)]
    assert error_of_look(CREATED, CREATED, ahead) == pytest.approx(BUDGET / LIFE_DAYS)
