"""What JSON can hold: finite numbers and whole characters, nested not too deep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

DEEPEST = 100
"""Values inside values inside values: no record is nested deeper."""
DEEPEST_READ = 2 * DEEPEST
"""What is nested deeper is not read: Python 3.14 reads what nothing that walks it can follow."""
TOO_DEEP = f"values nested deeper than {DEEPEST_READ}"
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


class JsonDecoder(json.JSONDecoder):
    """Refuses what is nested too deep to be walked."""

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        """Return the value that begins at an index, and where it ends.

        Raises:
            ValueError: no JSON.
            RecursionError: it is nested too deep.
        """
        try:
            value, end = super().raw_decode(s, idx)
        except RecursionError:
            raise RecursionError(TOO_DEEP) from None
        opened = s.count("[", idx, end) + s.count("{", idx, end)
        if opened > DEEPEST_READ and _is_deeper(value, DEEPEST_READ):
            raise RecursionError(TOO_DEEP)
        return value, end


def from_json(text: str | bytes | bytearray) -> Any:
    """Return the value of a JSON text from elsewhere.

    Raises:
        ValueError: no JSON.
        RecursionError: it is nested too deep.
    """
    return json.loads(text, cls=JsonDecoder)


def _is_deeper(value: object, most: int) -> bool:
    """Tell whether values are nested deeper than that; walked level by level, without recursion."""
    level = [value]
    for _ in range(most + 1):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


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
