"""Add up what models were asked. Pure."""

from __future__ import annotations

from collections import Counter

from ladder.evidence import Asked


def together(first: Asked, second: Asked) -> Asked:
    """Return both."""
    return _each(first, second, 1)


def since(before: Asked, now: Asked) -> Asked:
    """Return what was asked after `before`."""
    return _each(now, before, -1)


def _each(first: Asked, second: Asked, sign: int) -> Asked:
    errors = Counter(first.errors)
    for kind, count in second.errors.items():
        errors[kind] += sign * count
    return Asked(
        calls=first.calls + sign * second.calls,
        tokens=first.tokens + sign * second.tokens,
        seconds=first.seconds + sign * second.seconds,
        usd=first.usd + sign * second.usd,
        errors={kind: count for kind, count in errors.items() if count},
    )
