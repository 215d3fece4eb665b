"""What a candidate's requests cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from ladder.economy.cost import machine_usd_per_1k, tokens_usd_per_1k
from ladder.economy.machines import machine_cost
from ladder.engines.base import Abilities
from ladder.evidence import BLOCK_TOKENS, Candidate, CostBasis, Latency, TokenUse
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Outcome


def throughput(able: Abilities, answered: Sequence[Outcome]) -> float | None:
    """Return requests a second of a machine kept busy; an endpoint's limits are not ours to see."""
    seconds = [outcome.completion.seconds for outcome in answered]
    if able.served or not any(seconds):
        return None
    return len(seconds) / math.fsum(seconds)


def token_use(answered: Sequence[Outcome]) -> TokenUse:
    """Return the mean tokens of requests that were answered."""
    if not answered:
        return TokenUse(input_mean=0.0, output_mean=0.0)
    lengths = [o.completion.tokens_in + o.completion.tokens_out for o in answered]
    return TokenUse(
        input_mean=fmean(o.completion.tokens_in for o in answered),
        output_mean=fmean(o.completion.tokens_out for o in answered),
        thoughts_mean=fmean(o.completion.thought_tokens for o in answered),
        least=min(lengths),
        blocks=dict(sorted(Counter(-(-tokens // BLOCK_TOKENS) for tokens in lengths).items())),
    )


def cost_of(
    evaluator: Evaluator,
    candidate: Candidate,
    answered: Sequence[Outcome],
    latency: Latency | None,
) -> dict[str, Any]:
    """Return the fields of a measurement that say what requests cost.

    A search in front of an endpoint costs its seconds alone: it runs where the requests are sent
    from, which is there without it too.
    """
    if not answered:
        return {"cost_basis": CostBasis(kind="no answers")}
    machine = evaluator.task.hardware
    done = [outcome.completion for outcome in answered]
    searching = evaluator.reader.seconds(candidate.retrieval, [o.sample for o in answered])
    if evaluator.engine(candidate).abilities.served:
        prices = evaluator.models.prices(candidate.model)
        if prices is None:
            return {"cost_basis": CostBasis(kind="no prices")}
        here = machine_usd_per_1k(searching, machine.usd_per_hour)
        each = [tokens_usd_per_1k(c.tokens_in, c.tokens_out, prices) + here for c in done]
        paid = busy = fmean(each)
        priced = str(prices.priced or "")
        basis = CostBasis(kind="prices", source=prices.source, priced=priced)
    else:
        seconds = [c.seconds + searching for c in done]
        each = [machine_usd_per_1k(taken, machine.usd_per_hour) for taken in seconds]
        most = latency.most_per_second if latency else None
        paid, busy, basis = machine_cost(fmean(seconds), machine, evaluator.task.use, most)
    return {
        "cost_usd_per_1k": paid,
        "cost_busy_usd_per_1k": busy,
        "cost_error_usd_per_1k": stdev(each) / math.sqrt(len(each)) if len(each) > 1 else 0.0,
        "cost_basis": basis,
    }
