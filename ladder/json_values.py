"""What JSON can hold: finite numbers and whole characters, nested not too deep."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

DEEPEST = 100
"""Values inside values inside values: no record is nested deeper."""
HALF, UNWRITABLE = "half a character", "is not JSON serializable"


def odd_values(value: object, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield where (the keys that lead there) and what cannot stand in JSON or be computed with.

    Args:
        value: of dicts, lists and plain values, none of which holds itself.
        at: the keys that lead to it.
    """
    if len(at) > DEEPEST:
        yield at[:3], "values nested too deep"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if found := oddness(key):
                yield at, f"a key with {found}"
            yield from odd_values(inner, (*at, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from odd_values(inner, (*at, str(index)))
    elif found := oddness(value):
        yield at, found


def is_finite(value: float) -> bool:
    """Tell whether a number can be computed with: no infinity, no integer beyond floats."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _short_number(value: float) -> str:
    return f"the number {value}" if isinstance(value, float) else "a number that is too large"


def oddness(value: object) -> str:
    """Say what is wrong with a plain value; empty: nothing is."""
    if isinstance(value, str):
        half = next((sign for sign in value if "\ud800" <= sign <= "\udfff"), None)
        return f"{HALF} ({half!r})" if half else ""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        return "" if is_finite(value) else _short_number(value)
    return f"a value of type {type(value).__name__} {UNWRITABLE}"
