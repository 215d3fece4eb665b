"""The binomial distribution is scipy's."""

import numpy as np
import pytest
from scipy.stats import binom

from ladder.gate.binomial import at_least, at_most, exactly

CASES = [(n, share) for n in (0, 1, 7, 59, 1_000, 20_000) for share in (0.0, 0.03, 0.5, 0.95, 1.0)]


@pytest.mark.parametrize(("of", "share"), CASES)
def test_it_is_the_one_of_scipy(of: int, share: float) -> None:
    hits = np.unique(np.linspace(0, of, 200).astype(int))
    assert exactly(hits, of, share) == pytest.approx(binom.pmf(hits, of, share), 1e-9, 1e-290)
    assert at_most(hits, of, share) == pytest.approx(binom.cdf(hits, of, share), 1e-9, 1e-290)
    assert at_least(hits, of, share) == pytest.approx(binom.sf(hits - 1, of, share), 1e-9, 1e-290)
    assert at_least(of + 1, of, share) == 0
    assert at_least(0, of, share) == at_most(of, of, share) == 1


def test_it_takes_a_number_for_each_share() -> None:
    found = at_least(np.array([0, 1, 3]), np.arange(3), np.array([[0.25], [0.5]]))
    assert found == pytest.approx(np.array([[1, 0.25, 0], [1, 0.5, 0]]))
