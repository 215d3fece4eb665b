"""The share of JSON fields that are right."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ladder.scorers.base import Score, Scorer


def json_fields(*, exact: bool = False) -> Scorer:
    """Compare two JSON values field by field; nested objects are compared by their leaves.

    Args:
        exact: 1 only when every field is right and none is added (the order is free).
    """

    def score(answer: str, target: str) -> Score:
        wanted = dict(_leaves(_parse(target)))
        parsed = _parse(answer)
        if parsed is _MISSING:
            return Score(0.0, "the answer is not JSON")
        got = dict(_leaves(parsed))
        right = sum(wanted.get(path, _MISSING) == value for path, value in got.items())
        if exact:
            return Score(float(got == wanted), f"{right} of {len(wanted)} fields")
        value = 2 * right / (len(got) + len(wanted)) if got or wanted else 1.0
        return Score(value, f"{right} of {len(wanted)} fields, {len(got)} given")

    return score


_MISSING = object()


def _parse(text: str) -> object:
    """Return the JSON value in a text, which may stand inside a code fence, or _MISSING."""
    stripped = text.strip()
    if stripped.startswith("```"):
        stripped = stripped.strip("`").removeprefix("json").strip()
    try:
        value: object = json.loads(stripped)
    except (ValueError, RecursionError):
        return _MISSING
    return value


_Path = tuple[str | int, ...]


def _leaves(value: object, path: _Path = ()) -> Iterator[tuple[_Path, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        # 1 and true are equal in Python and are not in JSON.
        yield path, (type(value).__name__ if isinstance(value, bool) else "", value)
