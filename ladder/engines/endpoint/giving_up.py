"""What is said of an endpoint that is given up: what failed, how often, and what to do."""

from __future__ import annotations

from ladder.engines.endpoint.access import Address
from ladder.engines.endpoint.breaker import Breaker
from ladder.engines.endpoint.failure import (
    IN_REPLY,
    NO_CONNECTION,
    NOT_SECURE,
    THROTTLED,
    TIME_OUT,
    TryError,
)
from ladder.errors import GO_ON, EndpointDownError, EngineError
from ladder.redaction import redact
from ladder.wording import counted

SHORTER = (
    "Write a lower answer.max_tokens, shorten the rows or the documents, or name a model with a "
    "larger context"
)
ADVICE = {
    NO_CONNECTION: "Start the server, or fix the URL",
    NOT_SECURE: "Fix the server's certificate, or the URL's scheme",
    TIME_OUT: "See whether the server is at work, or raise rules.request_timeout_s",
    THROTTLED: "Wait until the key's limit is open again, or raise it",
    "no quota": "Pay the account up, or use another key",
    "HTTP 402": "Pay the account up, or use another key",
    "HTTP 404": "Fix the URL or the model's name",
    "too long": SHORTER,
    "HTTP 413": SHORTER,
    "no choices": "Fix the URL (what answers there must be an OpenAI-compatible chat endpoint), "
    "the model's name or the key",
}
"""What to do, by the kind that came most often."""
OTHER_ADVICE = "Start the server, or fix the URL, the model's name or the key"


def access_refused(address: Address, failure: TryError) -> EngineError:
    """Return the error of a key or a login that is not accepted."""
    return EngineError(f"{address.shown} refuses access ({failure}). {address.advice()}")


def endpoint_down(
    model: str, address: Address, breaker: Breaker, last: TryError
) -> EndpointDownError:
    """Say what failed how often since when, in the server's own words, and what to do.

    Args:
        model: of the endpoint.
        address: of the endpoint.
        breaker: has counted the failures since the last answer.
        last: the failure that was once too often.
    """
    lately = dict(breaker.lately) or {last.kind: 1}
    kinds = sorted(lately.items(), key=lambda item: -item[1])
    commonest = kinds[0][0]
    silent = commonest == NO_CONNECTION and not breaker.heard
    state = "nothing listens" if silent else f"no answers from {model}"
    since = breaker.since.astimezone().strftime("%H:%M:%S")
    said = breaker.said(commonest)
    advice = f"{ADVICE.get(commonest.removesuffix(IN_REPLY), OTHER_ADVICE)}."
    if commonest == "HTTP 403":
        advice = address.advice()
    message = (
        f"{state} at {address.shown} since {since}: {counted(lately)}"
        + (f" ({said})" if said else "")
        + f". {advice} {GO_ON}"
    )
    return EndpointDownError(redact(message), lately)
