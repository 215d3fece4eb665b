"""Watch a score that trickles in: evidence that it is below a limit, at any time one looks. Pure.

A bettor against "the mean is the limit or more" wins money only where that is false: its wealth is
a martingale or less, so that it ever reaches 1/error with a chance of at most the error (Ville).
Source: Waudby-Smith and Ramdas, JRSS-B 86 (2024), section 4; the bets are a mixture over constant
fractions, which needs no tuning.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FRACTIONS = 20
"""Of what may be staked without ever losing all."""


def evidence_below(scores: Sequence[float], limit: float) -> float:
    """Return the most wealth that betting on "below the limit" has reached.

    Args:
        scores: in 0..1, in the order in which they came; drawn from one traffic.
        limit: in 0..1; the claim that is bet against is "the mean is this or more".

    Returns:
        1 or more; at 1/error and above the claim is refuted at that error, whenever one looks.
    """
    if not scores or limit <= 0:
        return 1.0
    most = 1 / (1 - limit) if limit < 1 else 1e6
    stakes = most * np.arange(1, FRACTIONS + 1) / (FRACTIONS + 1)
    gains = 1 + stakes[:, None] * (limit - np.asarray(scores, dtype=float)[None, :])
    wealth = np.exp(np.cumsum(np.log(np.maximum(gains, 1e-300)), axis=1)).mean(0)
    return max(1.0, float(wealth.max()))
