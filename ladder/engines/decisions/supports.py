"""What an endpoint of typed decisions supports, asked of it: the same options in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp

from ladder.engines.base import CHANCE_LEVEL, Request
from ladder.engines.decisions.engine import CHECK, DecisionEngine
from ladder.engines.endpoint.supports import (
    Asking,
    Finding,
    Heard,
    Supports,
    counted,
    lacking,
    one_model,
)
from ladder.engines.endpoint.wire import Wire

TEXTS = (
    "The door of the shed was painted green last summer.",
    "A red boat lies in the harbour.",
    "She wore a yellow coat.",
)
TOLERANCE = 0.02
"""Of a probability, by rounding and by the batches that a server answers side by side."""


def supports(
    model: str, base_url: str, timeout_s: float, wire: Wire, labels: Sequence[str] = ()
) -> Supports:
    """Ask what a server supports: 3 questions, again in another order, and with other orders.

    Args:
        model: the name that the endpoint knows the model by.
        base_url: of the endpoint.
        timeout_s: of each request.
        wire: the form of its questions.
        labels: of the task, asked with where the server knows labels of its own alone; none: they
            may not be sent.

    Raises:
        EngineError: the URL is not one of an endpoint, or its key cannot be sent.
    """
    engine = DecisionEngine(
        model, base_url, concurrency=1, timeout_s=timeout_s, attempts=1, wire=wire
    )
    asking = Asking(engine)
    first = asking.ask(CHECK)
    asked = [_request(text, CHECK.choices) for text in TEXTS]
    if first.answer.kind == "HTTP 422" and labels:  # it was made for others
        asking.heard.clear()
        asked = [_request(text, tuple(labels)) for text in TEXTS]
    elif first.answer.error is not None:
        return asking.supports([_first(first)])
    there = [asking.ask(request) for request in asked]
    again = [asking.ask(request) for request in reversed(asked)][::-1]
    turned = [asking.ask(replace(each, choices=each.choices[::-1])) for each in asked]
    failed = next((each for each in (*there, *again, *turned) if each.answer.error), None)
    if failed is not None:
        return asking.supports([_first(failed)])
    return asking.supports(
        [
            Finding("typed questions", True),
            Finding("probabilities", bool(there[0].answer.choice_logprobs)),
            _same("the same answer when asked again", there, again),
            _same("the same answer for options in another order", there, turned),
            counted(asking, "input_tokens", "output_tokens"),
            one_model(asking),
        ]
    )


def _request(text: str, choices: tuple[str, ...]) -> Request:
    return replace(CHECK, messages=(CHECK.messages[0], ("user", text)), choices=choices)


def _first(heard: Heard) -> Finding:
    wrong = heard.answer.kind == CHANCE_LEVEL
    return lacking("typed questions", heard)._replace(wrong=wrong)


def _same(name: str, one: Sequence[Heard], other: Sequence[Heard]) -> Finding:
    """Compare choices, and probabilities of each option where they are told."""
    pairs = list(zip(one, other, strict=True))
    chosen = sum(a.answer.text != b.answer.text for a, b in pairs)
    if chosen:
        return Finding(name, False, f"{chosen} of {len(pairs)} choices were others")
    off = max(
        (abs(a - b) for x, y in pairs for a, b in zip(_by_option(x), _by_option(y), strict=True)),
        default=0.0,
    )
    why = f"the choices are; probabilities differ by up to {off:.2f}" if off > TOLERANCE else ""
    return Finding(name, not why, why)


def _by_option(heard: Heard) -> list[float]:
    """Return the probabilities in the order of the options' names."""
    values = heard.answer.choice_logprobs
    told = dict(zip(heard.request.choices, values, strict=True)) if values else {}
    return [exp(told[name]) for name in sorted(told)]
