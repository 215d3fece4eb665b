"""One value, one text: RFC 8785 (JSON Canonicalization Scheme), so that a digest means the value.

RFC 8785 writes numbers as JavaScript does and cannot hold an integer beyond 2^53 - 1. Here every
number that is no such integer is written as a string, in Python's shortest form: `0.8` is `"0.8"`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ladder.json_values import from_json

SAFE = 2**53 - 1
"""The greatest integer that every JSON reader reads exactly."""


def encoded(value: object) -> bytes:
    """Return the canonical JSON of a value.

    Raises:
        ValueError: it holds something that JSON has not, or text that is not Unicode.
    """
    import rfc8785

    return rfc8785.dumps(_exact(value))


def decoded(content: bytes) -> Any:
    """Return the value of canonical JSON, and of nothing else.

    Raises:
        ValueError: it is no JSON, or another text of the same value.
    """
    try:
        value = from_json(content)
        again = encoded(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON ({str(error)[:80]})") from None
    if again != content:
        raise ValueError("JSON that is not in canonical form (RFC 8785)")
    return value


def digest(value: object) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return hashlib.sha256(encoded(value)).hexdigest()


def _exact(value: object) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -SAFE <= value <= SAFE else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _exact(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(each) for each in value]
    raise ValueError(f"{type(value).__name__} is no JSON")
