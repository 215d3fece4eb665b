"""What the verdict on one limit of the gate rests on."""

from __future__ import annotations

from ladder.evidence import LimitVerdict


def limit_reason(limit: LimitVerdict) -> str:
    """Say what the verdict on a limit rests on."""
    if limit.limit == "max_cost_usd_per_1k":
        return _cost(limit)
    if limit.n is None:  # written before the counts were kept
        return "nothing measured" if limit.got is None else f"measured {limit.got:.4g}"
    if limit.limit == "max_p95_ms":
        return _latency(limit, limit.n)
    if limit.limit == "max_error_rate":
        of = f"{limit.missed} of {limit.n} requests"
        return f"{of} gave no answer, or none that could be scored"
    low, high = limit.low or 0.0, 1.0 if limit.high is None else limit.high
    bound = f"at least {low:.3f}"
    if limit.verdict != "pass":
        bound = f"between {low:.3f} and {high:.3f}"
    return f"{limit.n} rows place the true score {bound}"


def _cost(limit: LimitVerdict) -> str:
    if limit.got is None:
        return "no price is known: give `prices:` in the task file"
    return f"{limit.got:.4f} USD per 1,000 requests"


def _latency(limit: LimitVerdict, timed: int) -> str:
    if limit.got is None:
        answered = timed or None
        whole = timed + limit.failed
        if answered is None:
            return f"none of {limit.failed} timed requests was answered"
        return f"{limit.failed} of {whole} timed requests failed"
    failed = f" ({limit.failed} of them failed)" if limit.failed else ""
    late = f"{limit.missed} of {timed} requests were not answered within {limit.wanted:g} ms"
    return late + failed
