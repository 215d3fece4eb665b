"""What a candidate's requests cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from ladder.economy.cost import machine_usd_per_1k, tokens_usd_per_1k
from ladder.engines.base import Abilities
from ladder.evidence import Candidate, CostBasis, TokenUse
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
    return TokenUse(
        input_mean=fmean(o.completion.tokens_in for o in answered),
        output_mean=fmean(o.completion.tokens_out for o in answered),
        thoughts_mean=fmean(o.completion.thought_tokens for o in answered),
    )


def cost_of(
    evaluator: Evaluator, candidate: Candidate, answered: Sequence[Outcome]
) -> tuple[float | None, float, CostBasis]:
    """Return USD per 1,000 requests, its standard error, and what the figure rests on."""
    if not answered:
        return None, 0.0, CostBasis(kind="no answers")
    machine = evaluator.task.hardware
    done = [outcome.completion for outcome in answered]
    searching = evaluator.reader.seconds(candidate.retrieval, [o.sample for o in answered])
    if evaluator.engine(candidate).abilities.served:
        prices = evaluator.models.prices(candidate.model)
        if prices is None:
            return None, 0.0, CostBasis(kind="no prices")
        here = machine_usd_per_1k(searching, machine.usd_per_hour, machine.utilisation)
        each = [tokens_usd_per_1k(c.tokens_in, c.tokens_out, prices) + here for c in done]
        basis = CostBasis(kind="prices", source=prices.source)
    else:
        hourly, busy = machine.usd_per_hour, machine.utilisation
        each = [machine_usd_per_1k(c.seconds + searching, hourly, busy) for c in done]
        basis = CostBasis(kind="machine", utilisation=busy, usd_per_hour=hourly)
    error = stdev(each) / math.sqrt(len(each)) if len(each) > 1 else 0.0
    return fmean(each), error, basis
