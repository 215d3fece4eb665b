"""What `ladder assess --json` told, line by line (docs/events.md)."""

from __future__ import annotations

import json
from typing import Any


def assessment_in(out: str) -> dict[str, Any] | None:
    """Return the record that the last line holds; None where it ended without an answer."""
    lines = out.splitlines()
    try:
        last = dict(json.loads(lines[-1])) if lines else {}
    except (ValueError, TypeError):  # killed while it wrote
        return None
    return last["found"] if last.get("event") == "answer" else None
