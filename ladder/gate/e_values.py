"""E-values: anytime-valid evidence that the mean of scores which trickle in is below a limit. Pure.

They are the wealth of a bettor against "the mean is the limit or more". While that is true, the
wealth ever reaches 1/error with a chance of at most the error (Ville), however often one looks.
Source: Waudby-Smith and Ramdas, JRSS-B 86 (2024), section 4; the bets are a mixture over constant
fractions, which needs no tuning.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FRACTIONS = 20
"""Of what may be staked without ever losing all."""


def e_value_below(scores: Sequence[float], limit: float) -> float:
    """Return the largest e-value so far against "the mean is the limit or more".

    Args:
        scores: in 0..1, in the order in which they came; drawn from one traffic.
        limit: in 0..1.

    Returns:
        1 or more; from 1/error on the claim is refuted at that error, whenever one looks.
    """
    if not scores or limit <= 0:
        return 1.0
    most = 1 / (1 - limit) if limit < 1 else 1e6
    stakes = most * np.arange(1, FRACTIONS + 1) / (FRACTIONS + 1)
    gains = 1 + stakes[:, None] * (limit - np.asarray(scores, dtype=float)[None, :])
    wealth = np.exp(np.cumsum(np.log(np.maximum(gains, 1e-300)), axis=1)).mean(0)
    return max(1.0, float(wealth.max()))
