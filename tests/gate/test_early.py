"""So few rows: how often they are wrong, by the binomial, exactly."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from ladder.gate.early import HOLDS_ERROR, MISSES_ERROR, surely_holds, surely_misses


def coins(hits: int, n: int) -> list[float]:
    return [1.0] * hits + [0.0] * (n - hits)


@pytest.mark.parametrize("limit", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("n", [4, 8, 16, 32, 64, 120])
def test_a_system_at_the_limit_is_hardly_ever_taken_for_another(n: int, limit: float) -> None:
    chance = [float(binom.pmf(hits, n, limit)) for hits in range(n + 1)]
    misses = sum(p for hits, p in enumerate(chance) if surely_misses(coins(hits, n), limit))
    holds = sum(p for hits, p in enumerate(chance) if surely_holds(coins(hits, n), limit))
    assert misses <= MISSES_ERROR
    assert holds <= HOLDS_ERROR


def test_what_so_few_rows_can_say() -> None:
    assert surely_misses(coins(0, 4), 0.8)
    assert not surely_misses(coins(0, 4), 0.7)
    assert not surely_misses(coins(1, 4), 0.8)
    assert not surely_holds(coins(16, 16), 0.8)
    assert surely_holds(coins(32, 32), 0.8)
    assert not surely_holds([], 0.0)
    assert not surely_misses([], 1.0)
