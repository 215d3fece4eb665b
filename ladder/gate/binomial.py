"""The binomial distribution by `scipy.special`: `scipy.stats` takes a second to import."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, gammaln, xlog1py, xlogy

Counts = int | NDArray[np.int64]
Shares = float | NDArray[np.float64]


def exactly(hits: Counts, of: Counts, share: Shares) -> NDArray[np.float64]:
    """Return the chance of so many hits."""
    ways = gammaln(np.add(of, 1)) - gammaln(np.add(hits, 1)) - gammaln(np.subtract(of, hits) + 1.0)
    return _floats(np.exp(ways + xlogy(hits, share) + xlog1py(np.subtract(of, hits), -share)))


def at_most(hits: Counts, of: Counts, share: Shares) -> NDArray[np.float64]:
    """Return the chance of so many hits or fewer."""
    return _floats(bdtr(hits, of, share))


def at_least(hits: Counts, of: Counts, share: Shares) -> NDArray[np.float64]:
    """Return the chance of so many hits or more; none where it is more than there can be."""
    return _floats(np.where(np.greater(hits, of), 0.0, bdtrc(np.minimum(hits, of) - 1, of, share)))


def _floats(found: Any) -> NDArray[np.float64]:
    return np.asarray(found, np.float64)
