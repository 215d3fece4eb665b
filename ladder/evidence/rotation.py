"""Which eval examples of a plan were replaced by fresh ones: rotations.jsonl beside the plan."""

from __future__ import annotations

from ladder.evidence.values import Record


class Rotation(Record):
    """One quarter's fresh eval examples."""

    at: str
    """UTC, ISO 8601."""
    source: str
    """Digest of the file that they came in."""
    file: str
    """Name of their copy in rotation/ beside the plan."""
    digest: str
    """Of that copy."""
    fresh: int
    """Eval examples that were replaced."""
    out: tuple[str, ...]
    """Digests of the examples that went out."""
    alike: int = 0
    """Rows set aside since an example of the task, or an earlier row, says the same."""
    unused: int = 0
    """Rows over the part that is rotated at once."""
