"""What a response says of who answered: a server may change its model between two answers."""

from __future__ import annotations

from typing import Any

from ladder.redaction import redact
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
    return harmless(redact(" ".join(named)), LONGEST)
