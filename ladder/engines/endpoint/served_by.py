"""What a response says of who answered: a server may change its model between two answers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ladder.wording import harmless

LONGEST = 80
"""Characters of a name that are shown."""


def served_by(data: Any) -> str:
    """Return the model and the build that a response names; empty: it names none."""
    told = data if isinstance(data, dict) else {}
    model, build = told.get("model"), told.get("system_fingerprint")
    if isinstance(model, str) and model.startswith("/"):  # llama.cpp names its file
        model = model.rsplit("/", 1)[-1]
    named = [each for each in (model, build) if isinstance(each, str) and each]
    return _shown(" ".join(named))


@lru_cache(maxsize=64)  # the same few names stand in every response
def _shown(named: str) -> str:
    return harmless(named, LONGEST)
