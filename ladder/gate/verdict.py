"""The gate: limits against measured values, in looks, with three verdicts. Pure.

One error budget, `1 - confidence`, covers a whole climb: the rungs share it alike, a rung's limits
share its part, and the looks at 25, 50, 100, 200, … rows share a limit's part (the last look gets
half, because most candidates are settled there or clearly before). Between rungs and limits the
union bound holds, however their answers hang together; the looks at scores of 0 and 1 spend their
shares exactly (`gate.sequential`), other looks by the union bound too. A wrong pass or a wrong fail
then happens anywhere in the climb at most that often: each rung is truly good or truly bad, so it
can be wrong in one way only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ladder.evidence import LimitVerdict, Verdict, VerdictWord
from ladder.gate.bounds import is_binary, lower_bound, upper_bound, weighted_mean
from ladder.gate.quantiles import percentile
from ladder.gate.sequential import nominal_errors
from ladder.task import GateLimits

FIRST_LOOK = 25
MOST_ROWS_ASKED = 1_000_000


def looks(rows: int) -> tuple[int, ...]:
    """Return the row counts at which to look: 25, 50, 100, … and all rows."""
    counts = []
    count = FIRST_LOOK
    while count < rows:
        counts.append(count)
        count *= 2
    return (*counts, rows)


def error_of_limit(gate: GateLimits, rungs: int) -> float:
    """Return the error that one limit of one rung may spend, of the budget of the whole climb."""
    measured = 1 if gate.max_p95_ms is None else 2
    return (1.0 - gate.confidence) / rungs / measured


def error_at_look(look: int, of: int, budget: float) -> float:
    """Return the share of a limit's budget that one look may spend (looks count from 0)."""
    if of == 1:
        return budget
    return budget / 2 if look == of - 1 else budget / 2 / (of - 1)


def judge_score(
    scores: Sequence[float],
    limit: float,
    error: float,
    weights: Sequence[float] | None = None,
    error_above: float | None = None,
) -> LimitVerdict:
    """Judge a mean score against the least score wanted.

    Args:
        scores: in 0..1, one per independent unit.
        limit: the least score wanted.
        error: that the bound from below may spend, and the one from above.
        weights: of the units, where their mean is to be weighted.
        error_above: that the bound from above may spend, where it is another.
    """
    n = len(scores)
    mean = weighted_mean(scores, weights)
    low = lower_bound(scores, error, weights)
    high = upper_bound(scores, error if error_above is None else error_above, weights)
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


def judge_in_looks(
    read: Callable[[int], tuple[Sequence[float], Sequence[float] | None]],
    counts: Sequence[int],
    limit: float,
    budget: float,
    failed: Callable[[], int] = lambda: 0,
    most_failed: float = 0.0,
) -> tuple[LimitVerdict, tuple[int, ...]]:
    """Look at more and more rows until the score's verdict is clear.

    A clear verdict stands (each look has its own share of the budget), but rows are read on while
    too many of those read so far have failed: among more rows the same failures may be few.

    Args:
        read: row count -> the scores of that many first rows, and their weights if they have any.
        counts: row counts at which to look.
        limit: the least score wanted.
        budget: the error that all looks together may spend.
        failed: how many of the rows read so far gave no score.
        most_failed: share of the rows that may fail; where all rows together cannot come below it
            any more, no further ones are read.

    Returns:
        the verdict, and the counts that were looked at.
    """
    clear = None
    units: list[int] = []
    spent: list[float] = []
    for number, count in enumerate(counts, start=1):
        scores, weights = read(count)
        share = error_at_look(number - 1, len(counts), budget)
        units.append(len(scores))
        spent.append(share + (spent[-1] if spent else 0.0))
        below = above = share
        # Graded scores may look like 0 and 1 at first: all that was spent by now is no more than
        # the shares so far, so that the later shares are still there.
        if weights is None and is_binary(scores):
            below, above = nominal_errors(tuple(units), tuple(spent), limit)
        verdict = judge_score(scores, limit, below, weights, above)
        if clear is None and verdict.verdict in ("pass", "fail"):
            clear = verdict
        hopeless = too_many_failed(failed(), counts[-1], most_failed)
        if hopeless or (clear and failed() <= most_failed * count):
            break
    return clear or verdict, tuple(counts[:number])


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
    three verdicts hold. A pass needs at least 59 requests at 95 %.

    Args:
        milliseconds: of each timed request; infinite: it failed, which says nothing of how long
            an answer takes. Such requests are left out.
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
    within = [1.0 if value <= limit else 0.0 for value in answered]
    score = judge_score(within, 0.95, error)
    p95 = percentile(answered, 0.95)
    return LimitVerdict(
        limit="max_p95_ms",
        wanted=limit,
        got=p95,
        distance=limit - p95,
        verdict=score.verdict,
        n=len(within),
        missed=sum(value > limit for value in answered),
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


def detectable_score(
    rows: int, gate: GateLimits, rungs: int, power: float = 0.8, looked_at: int | None = None
) -> float | None:
    """Return the smallest true score that `rows` 0/1 scores prove with the given power.

    None where even a perfect score would stay undecided. `looked_at` is the number of rows that
    the looks count, where it is not `rows` because groups of them are one unit each.
    """
    error = _last_error(looked_at or rows, gate, rungs)
    needed = _hits_needed(rows, gate.min_score, error) if rows else None
    if needed is None:
        return None
    # P(hits >= needed) = power, solved for the true score: a quantile of the beta distribution.
    from scipy.special import betaincinv

    return float(betaincinv(needed, rows - needed + 1, power))


def rows_needed(
    score: float, gate: GateLimits, rungs: int, power: float = 0.8, most: int = 100_000
) -> int | None:
    """Return the least rows (to about 2 %) that prove the gate if `score` is the true one.

    None where no number up to `most` does. At score 1: the least that can prove it at all.
    """
    if score <= gate.min_score and score < 1:
        return None

    def enough(rows: int) -> bool:
        found = detectable_score(rows, gate, rungs, power)
        reached = _hits_needed(rows, gate.min_score, _last_error(rows, gate, rungs)) is not None
        return reached if score >= 1 else found is not None and found <= score

    rows = 1
    while not enough(rows):
        rows += max(1, rows // 50)
        if rows > most:
            return None
    return rows


def fixed_rows(
    score: float, gate: GateLimits, rungs: int, power: float = 0.8, most: int = 100_000
) -> int | None:
    """Return the rows that prove the gate in one look, with a power, if `score` is the true one.

    The power of an exact test rises and falls from row to row; these are the first that reach it.
    None where no number up to `most` does.
    """
    from scipy.special import betainc

    error = error_of_limit(gate, rungs)
    for rows in range(1, most + 1):
        needed = _hits_needed(rows, gate.min_score, error)
        if needed and betainc(needed, rows - needed + 1, score) >= power:
            return rows
    return None


def plausible_scores(limit: float) -> tuple[float, ...]:
    """Return true scores above a limit that one may hope for: 1/4, 1/2 and 3/4 of the way up."""
    return tuple(limit + part * (1 - limit) for part in (0.25, 0.5, 0.75))


def _last_error(rows: int, gate: GateLimits, rungs: int) -> float:
    """Return the share of the last of the looks at `rows` rows; it may spend a little more."""
    of = len(looks(rows))
    return error_at_look(of - 1, of, error_of_limit(gate, rungs))


def _hits_needed(rows: int, limit: float, error: float) -> int | None:
    """Return the least number of right answers whose exact lower bound clears the limit."""
    low, high = 0, rows + 1
    while low < high:
        middle = (low + high) // 2
        hits = [1.0] * middle + [0.0] * (rows - middle)
        if middle <= rows and lower_bound(hits, error) < limit:
            low = middle + 1
        else:
            high = middle
    return low if low <= rows else None
