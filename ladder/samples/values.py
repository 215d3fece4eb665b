"""Values as files hold them -> plain values: text, whole numbers, lists; a missing one is None."""

from __future__ import annotations

import ast
import datetime
import io
import json
import re
import tokenize
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import regex

from ladder.json_values import from_json

LARGEST_EXACT = 2**53
"""Beyond this a float no longer tells two neighbouring whole numbers apart."""
LONGEST_LIST = 10_000
SHORT_FLOATS = ("float16", "float32")
MISSING_KINDS = ("NAType", "NaTType")
"""What pandas writes for a missing value; its comparison with itself raises, or is false."""


_UNSEEN = regex.compile(r"[\s\p{DI}\p{Cc}]*")
"""Spaces, joiners and the like: a value of nothing else is missing."""
_NUMPY_ARRAY = re.compile(r"array\((\[[^\]]*\])(?:,\s*dtype=\w+)?\)")


def nfc(text: str) -> str:
    """Return a text in Unicode's form NFC: an accent is a part of its letter."""
    return unicodedata.normalize("NFC", text)


def plain(value: Any) -> Any:
    """Return a value as JSON has it, with every text in NFC.

    - Missing (None): None, a float NaN, pandas' NaT and NA. A text "nan" is a text.
    - Bytes become their text in UTF-8; other bytes stay bytes, which nobody can read as text.
    - A whole float is a whole number: a column of whole numbers with a gap in it becomes floats
      in pandas, and its labels 0 and 1 would be other ones than those of a column without a gap.
    - A decimal keeps its digits, "1.50"; dates and times are written as in ISO 8601,
      lengths of time in seconds: "PT90S".
    - Arrays become lists, mappings keep their order.
    """
    if isinstance(value, str):
        return nfc(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict | Mapping):  # most are dicts, which is soon told
        return {nfc(str(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return plain(value.tolist())
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if type(value).__name__ in MISSING_KINDS:
        return None
    if isinstance(value, float):
        return _plain_float(value)
    if isinstance(value, bytes | bytearray):
        return _decoded(bytes(value))
    if isinstance(value, Decimal):
        return None if value.is_nan() else f"{value:f}"
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return f"PT{value.total_seconds():.15g}S"
    return str(value)


def _plain_float(value: float) -> float | int | None:
    if value != value:  # NaN
        return None
    whole = value.is_integer() and abs(value) < LARGEST_EXACT
    return int(value) if whole else float(value)


def _decoded(value: bytes) -> str | bytes:
    try:
        return nfc(value.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return value


def text_of(value: Any) -> str:
    """Return a plain value as text; empty where nothing is seen, and for bytes that are no text.

    Objects and lists become JSON; true and false stay as JSON has them.
    """
    if value is None or isinstance(value, bytes):
        return ""
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = str(value).strip()
    return "" if _UNSEEN.fullmatch(text) else text


def is_scalar(value: Any) -> bool:
    """Tell whether a plain value is one text, number, or true or false."""
    return isinstance(value, str | int | float)


def with_names(value: Any, feature: Any) -> Any:
    """Return a value with the names of its classes in place of their numbers.

    A float of 32 or 16 bits gets the digits that tell it from its neighbours: 0.1, not
    0.10000000149011612.

    Args:
        value: as the file holds it.
        feature: its `datasets` feature as a dict or list, as `Features.to_dict` writes it.
    """
    if isinstance(feature, list) and feature:
        feature = {"_type": "List", "feature": feature[0]}
    if not isinstance(feature, Mapping) or value is None:
        return value
    kind = feature.get("_type")
    names = feature.get("names")
    if feature.get("dtype") in SHORT_FLOATS and isinstance(value, float):
        return _shortest(value, feature["dtype"])
    if kind == "ClassLabel" and isinstance(names, list):
        if not isinstance(value, int) or value >= len(names):
            return value
        return str(names[value]) if value >= 0 else None  # -1 is how a class is left open
    if isinstance(value, list | tuple):
        return [with_names(one, feature.get("feature")) for one in value]
    if isinstance(value, Mapping) and kind is None:
        return {key: with_names(inner, feature.get(key)) for key, inner in value.items()}
    return value


def _shortest(value: float, dtype: str) -> float:
    import numpy as np

    return float(str((np.float16 if dtype == "float16" else np.float32)(value)))


def class_names(feature: Any) -> tuple[str, ...]:
    """Return the names of the classes of a feature; none where it is no ClassLabel."""
    if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        return tuple(map(str, names)) if isinstance(names, list) else ()
    return ()


def list_in(text: str) -> list[str]:
    """Return the texts of a list as JSON, Python or numpy writes it; empty for any other text.

    A tuple or a set of texts is a list too; what is missing in it is left out.
    """
    found = container_in(text)
    listed = found if isinstance(found, list | tuple) else []
    there = [one for one in listed if one is not None]
    return there if all(isinstance(one, str) for one in there) else []


def container_in(text: str) -> Any:
    """Return the list, object, tuple or set that a text is the writing of; None for other texts."""
    ends = text.removeprefix("array(")[:1] + text[-1:]
    if ends not in ("[]", "()", "{}", "[)") or len(text) > LONGEST_LIST:
        return None
    try:
        found = from_json(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(_with_commas(_NUMPY_ARRAY.sub(r"\1", text)))
        except (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
            return None
    return sorted(found, key=str) if isinstance(found, set) else found


def _with_commas(text: str) -> str:
    """Return a list as numpy prints it, ['a' 'b'], with commas: Python would join the texts."""
    every = tokenize.generate_tokens(io.StringIO(text).readline)
    tokens = [token for token in every if token.type != tokenize.NL]
    lines = text.split("\n")
    for token, following in reversed(list(pairwise(tokens))):
        if token.type == following.type == tokenize.STRING:
            line, column = token.end
            lines[line - 1] = f"{lines[line - 1][:column]},{lines[line - 1][column:]}"
    return "\n".join(lines)
