"""The shape of JSON answers: a schema read off the targets, and where an answer leaves one. Pure.

The schema lets through what the targets show and nothing else, so an answer that is held to it can
only be wrong in its values. Properties come in the order that they mostly have in the targets.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from ladder.json_values import from_json

Schema = dict[str, Any]

MOST_VALUES = 30
LEAST_SEEN = 50
LIKELY_NEW = 0.01
DEEPEST = 20
LONGEST = 200
"""Characters of what is wrong with an answer."""
MISSING = object()


def schema_of(targets: Iterable[str]) -> Schema | None:
    """Return a JSON Schema that all targets keep to; None where none of them is JSON.

    Objects: the keys seen, required where every object has them, no others. A string is an
    enumeration where at least 50 were seen, of at most 30 kinds, and one that is not among them is
    unlikely to come: at most 1 % by the share of values seen once (Good, 1953).
    """
    values = [value for target in targets if (value := parsed(target)) is not MISSING]
    return _schema(values, DEEPEST) if values else None


def parsed(text: str) -> Any:
    """Return the JSON value of a text, which may stand inside a code fence, or MISSING."""
    try:
        return _load(text)
    except (ValueError, RecursionError):
        return MISSING


def fault_in(text: str, schema: Schema | None) -> str:
    """Return where a text is no JSON or leaves a schema, in words; empty where it does neither."""
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        value = _load(text)
    except ValueError as error:
        return f"it is not JSON ({error})"
    except RecursionError:
        return "it is not JSON (nested too deep)"
    # An empty registry: a schema never makes this machine fetch another one.
    validator = Draft202012Validator(schema or {}, registry=Registry())
    try:
        worst: ValidationError | None = best_match(validator.iter_errors(value))
    except (Unresolvable, re.error, RecursionError):
        return ""  # what the schema means is not known here
    if worst is None:
        return ""
    said = worst.message
    return f"{worst.json_path}: {said[:LONGEST] + '…' if len(said) > LONGEST else said}"


def fault_of_schema(schema: Schema) -> str:
    """Return why a value is no JSON Schema (draft 2020-12), in words; empty where it is one."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(json.loads(json.dumps(schema)))
    except SchemaError as error:
        return f"{error.json_path}: {error.message[:LONGEST]}"
    except (TypeError, ValueError, RecursionError) as error:  # a date, or what holds itself
        return str(error)[:LONGEST]
    return ""


def _load(text: str) -> Any:
    stripped = text.strip()
    if stripped.startswith("```"):
        stripped = stripped.strip("`").removeprefix("json").strip()
    return from_json(stripped)


def _schema(values: Sequence[Any], depth: int) -> Schema:
    if depth == 0:
        return {}
    kinds: dict[str, list[Any]] = {}
    for value in values:
        kinds.setdefault(_kind(value), []).append(value)
    if "number" in kinds and "integer" in kinds:
        kinds["number"] += kinds.pop("integer")
    found = [_of_kind(kind, members, depth) for kind, members in kinds.items()]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "array", str: "string", int: "integer", float: "number"}
    return names.get(type(value), "null")


def _of_kind(kind: str, values: Sequence[Any], depth: int) -> Schema:
    if kind == "object":
        return _object(values, depth)
    if kind == "array":
        items = [item for value in values for item in value]
        return {"type": "array"} | (
            {"items": _schema(items, depth - 1)} if items else {"maxItems": 0}
        )
    if kind == "string" and (names := _closed(values)):
        return {"type": "string", "enum": names}
    return {"type": kind}


def _object(values: Sequence[dict[str, Any]], depth: int) -> Schema:
    held: dict[str, list[Any]] = {}
    places: dict[str, list[float]] = {}
    for value in values:
        for place, (key, inner) in enumerate(value.items()):
            held.setdefault(key, []).append(inner)
            places.setdefault(key, []).append(place / len(value))
    order = sorted(held, key=lambda key: fmean(places[key]))
    return {
        "type": "object",
        "properties": {key: _schema(held[key], depth - 1) for key in order},
        "required": [key for key in order if len(held[key]) == len(values)],
        "additionalProperties": False,
    }


def _closed(values: Sequence[str]) -> list[str]:
    """Return the values of a closed set; none where the set is open."""
    counts = Counter(values)
    once = sum(count == 1 for count in counts.values())
    few = len(values) >= LEAST_SEEN and len(counts) <= MOST_VALUES
    return list(counts) if few and once <= LIKELY_NEW * len(values) else []
