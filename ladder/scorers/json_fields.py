"""The share of JSON fields that are right."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from ladder.samples.answer_schema import MISSING, parsed
from ladder.scorers.base import Score, Scorer


def json_fields(*, exact: bool = False) -> Scorer:
    """Compare two JSON values field by field; nested objects are compared by their leaves.

    Args:
        exact: 1 only when every field is right and none is added (the order is free).
    """

    def score(answer: str, target: str) -> Score:
        wanted = dict(_leaves(parsed(target)))
        given = parsed(answer)
        if given is MISSING:
            return Score(0.0, "the answer is not JSON")
        got = dict(_leaves(given))
        right = sum(wanted.get(path, MISSING) == value for path, value in got.items())
        if exact:
            return Score(float(got == wanted), f"{right} of {len(wanted)} fields")
        value = 2 * right / (len(got) + len(wanted)) if got or wanted else 1.0
        return Score(value, f"{right} of {len(wanted)} fields, {len(got)} given")

    return score


_Path = tuple[str | int, ...]


def _leaves(value: object, path: _Path = ()) -> Iterator[tuple[_Path, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, unicodedata.normalize("NFC", key)))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    elif isinstance(value, str):
        yield path, ("", unicodedata.normalize("NFC", value))
    else:
        # 1 and true are equal in Python and are not in JSON.
        yield path, (type(value).__name__ if isinstance(value, bool) else "", value)
