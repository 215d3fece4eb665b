"""The gate: limits against measured values, with three verdicts. Pure.

A score is judged in looks (`gate.looks`), by bounds (`gate.bounds`, `gate.sequential`) that spend
their part of one error budget for the whole climb (`gate.budget`). A wrong pass or a wrong fail
happens anywhere in the climb at most that often: each rung is truly good or truly bad, so it can be
wrong in one way only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ladder.evidence import LimitVerdict, Verdict, VerdictWord
from ladder.gate.bounds import lower_bound, upper_bound, weighted_mean
from ladder.gate.quantiles import percentile

MOST_ROWS_ASKED = 1_000_000


def error_at_look(look: int, of: int, budget: float) -> float:
    """Return the share of a budget that one look may spend by the union bound: the last has half.

    Args:
        look: counts from 0.
        of: how many there are.
        budget: the error of all of them.
    """
    if of == 1:
        return budget
    return budget / 2 if look == of - 1 else budget / 2 / (of - 1)


def judge_score(
    scores: Sequence[float],
    limit: float,
    error: float,
    weights: Sequence[float] | None = None,
) -> LimitVerdict:
    """Judge a mean score against the least score wanted, in one look.

    Args:
        scores: in 0..1, one per independent unit.
        limit: the least score wanted.
        error: that the bound from below may spend, and the one from above.
        weights: of the units, where their mean is to be weighted.
    """
    bounds = lower_bound(scores, error, weights), upper_bound(scores, error, weights)
    return score_between(bounds, scores, weights, limit, error)


def score_between(
    bounds: tuple[float, float],
    scores: Sequence[float],
    weights: Sequence[float] | None,
    limit: float,
    error: float,
) -> LimitVerdict:
    """Return the verdict on a score whose true value lies between two bounds."""
    n, mean, (low, high) = len(scores), weighted_mean(scores, weights), bounds
    verdict: VerdictWord = "pass" if low >= limit else "fail" if high < limit else "undecided"
    return LimitVerdict(
        limit="min_score",
        wanted=limit,
        got=mean if n else None,
        distance=mean - limit if n else None,
        verdict=verdict,
        n=n,
        low=low,
        high=high,
        more_rows=rows_to_settle(scores, limit, error) if verdict == "undecided" else None,
    )


def rows_to_settle(scores: Sequence[float], limit: float, error: float) -> int | None:
    """Return how many more rows like these would settle the verdict; none if no number would.

    The observed scores are repeated in the same proportions, so the answer is what to expect if
    the observed mean is the true one.
    """
    if not scores:
        return None
    mean = math.fsum(scores) / len(scores)
    if mean == limit:
        return None
    # Chernoff: n * divergence(mean, limit) = log(1 / error) settles it for any kind of score.
    inner = [min(max(value, 1e-9), 1 - 1e-9) for value in (mean, limit)]
    gap = inner[0] * math.log(inner[0] / inner[1])
    gap += (1 - inner[0]) * math.log((1 - inner[0]) / (1 - inner[1]))
    needed = math.ceil(math.log(1 / error) / gap) if gap > 0 else MOST_ROWS_ASKED
    return max(1, needed - len(scores)) if needed < MOST_ROWS_ASKED else None


def judge_latency(
    milliseconds: Sequence[float], limit: float, error: float, most_failed: float = 0.0
) -> LimitVerdict:
    """Judge a 95th percentile: is the share of slower requests at most 5 %?

    The order-statistic bound on a quantile is the exact binomial bound on that share, so the same
    three verdicts hold. A pass needs at least 59 requests at 95 %, all of them in time; where the
    error is shared among looks and systems, more.

    Args:
        milliseconds: of each timed request, each of another row; infinite: it was not answered,
            which is no answer in time.
        limit: the slowest 95th percentile wanted, in milliseconds.
        error: that the verdict may spend.
        most_failed: share of the requests that may have failed; above it there is no verdict.
    """
    answered = [value for value in milliseconds if math.isfinite(value)]
    failed = len(milliseconds) - len(answered)
    if not answered or too_many_failed(failed, len(milliseconds), most_failed):
        return LimitVerdict(
            limit="max_p95_ms",
            wanted=limit,
            got=None,
            distance=None,
            verdict="none",
            n=len(answered),
            failed=failed,
        )
    within = [1.0 if value <= limit else 0.0 for value in milliseconds]
    score = judge_score(within, 0.95, error)
    p95 = percentile(answered, 0.95)
    return LimitVerdict(
        limit="max_p95_ms",
        wanted=limit,
        got=p95,
        distance=limit - p95,
        verdict=score.verdict,
        n=len(within),
        missed=sum(value > limit for value in milliseconds),
        failed=failed,
        more_rows=score.more_rows,
    )


def judge_cost(usd_per_1k: float | None, limit: float) -> LimitVerdict:
    """Judge the cost per 1,000 requests; unknown prices leave it undecided."""
    verdict: VerdictWord = "undecided"
    if usd_per_1k is not None:
        verdict = "pass" if usd_per_1k <= limit else "fail"
    return LimitVerdict(
        limit="max_cost_usd_per_1k",
        wanted=limit,
        got=usd_per_1k,
        distance=None if usd_per_1k is None else limit - usd_per_1k,
        verdict=verdict,
    )


def too_many_failed(failed: int, of: int, limit: float) -> bool:
    """Tell whether more requests failed than a conclusion allows; one of several always may."""
    return failed > max(1, limit * of) or 0 < failed == of


def judge_errors(errors: int, requests: int, limit: float) -> LimitVerdict:
    """Judge the share of requests that gave no answer; one of several always may."""
    rate = errors / requests if requests else 0.0
    return LimitVerdict(
        limit="max_error_rate",
        wanted=limit,
        got=rate,
        distance=limit - rate,
        verdict="none" if too_many_failed(errors, requests, limit) else "pass",
        n=requests,
        missed=errors,
    )


def combine(limits: Sequence[LimitVerdict]) -> Verdict:
    """All limits must pass; one failed limit fails; too many errors leave no verdict."""
    words = [limit.verdict for limit in limits]
    status: VerdictWord = "pass"
    for word in ("none", "fail", "undecided"):
        if word in words:
            status = word
            break
    holds = all(limit.distance is not None and limit.distance >= 0 for limit in limits)
    return Verdict(
        status=status, limits=tuple(limits), leans_to_pass=status == "undecided" and holds
    )


def score_holds(verdict: Verdict) -> bool:
    """Tell whether the score is at or above its limit so far, proven or not."""
    asked = (limit for limit in verdict.limits if limit.limit == "min_score")
    return any(limit.got is not None and limit.got >= limit.wanted for limit in asked)
