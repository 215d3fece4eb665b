"""How likely a system holds its answers to be, off what the engine tells. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import sub

from ladder.engines.base import Completion
from ladder.evidence import Candidate


def probabilities(
    candidate: Candidate,
    choices: Sequence[str],
    completion: Completion,
    prior: Sequence[float] = (),
) -> dict[str, float]:
    """Return the probability of each choice: the softmax of their log-likelihoods, less the prior.

    Nothing where the engine does not score choices, or the answer was voted for or asked again.

    Args:
        candidate: what answered.
        choices: of the request.
        completion: its answer.
        prior: log-likelihood of each choice whatever the input (`answer.prior_of`).
    """
    values = _log_likelihoods(candidate, completion, prior)
    return dict(zip(choices, _softmax(values), strict=True)) if values else {}


def chance(
    candidate: Candidate, completion: Completion, prior: Sequence[float] = ()
) -> float | None:
    """Return the probability of the answer that was given; None where the engine tells none.

    That of a label which is decoded token by token need not be the highest. A classifier tells its
    own (`Completion.chance`).
    """
    values = _log_likelihoods(candidate, completion, prior)
    if not values:
        is_single = candidate.votes <= 1 and not candidate.rewrite
        return completion.chance if is_single else None
    found, greedy = _softmax(values), completion.greedy_choice
    by_token = candidate.decoding == "constrained" and greedy is not None
    return found[greedy] if by_token and greedy is not None else max(found)


def _log_likelihoods(
    candidate: Candidate, completion: Completion, prior: Sequence[float]
) -> tuple[float, ...]:
    values = completion.choice_logprobs
    if not values or candidate.votes > 1 or candidate.rewrite:
        return ()
    return tuple(map(sub, values, prior)) if prior else values


def _softmax(values: Sequence[float]) -> list[float]:
    most = max(values)
    weights = [math.exp(value - most) for value in values]
    total = math.fsum(weights)
    return [weight / total for weight in weights]
