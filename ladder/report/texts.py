"""The texts of a record, whatever they are: shown through one door, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

R = TypeVar("R")


def each_text(value: R, shown: Callable[[str], str]) -> R:
    """Return a record, or what stands in one, with `shown` applied to every text and name in it."""
    return _each(value, shown)  # type: ignore[no-any-return]


def _each(value: Any, shown: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _each(part, shown) for name, part in value})
    if isinstance(value, dict):
        made: dict[Any, Any] = {}
        for name, part in value.items():
            key = _each(name, shown)
            # Two names that look the same stay two.
            made[f"{key} ({len(made) + 1})" if key in made else key] = _each(part, shown)
        return made
    if isinstance(value, list | tuple):
        return type(value)(_each(part, shown) for part in value)
    return value
