"""What trains: the weights to start from, and what a training takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def texts_of(row: Mapping[str, Any]) -> list[str]:
    """Return every text that is read with a training row: of turns, what is said in them.

    The prompt of a pair is read with each of its answers.
    """
    found = texts_of({"prompt": row["prompt"]}) if "rejected" in row else []
    for value in row.values():
        turns = value if isinstance(value, list) else [value]
        found += [str(turn["content"] if isinstance(turn, dict) else turn) for turn in turns]
    return found
