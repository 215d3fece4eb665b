"""Names that a scheduler takes: a task's own, as a DNS label."""

from __future__ import annotations

import re

from ladder.files import digest_of

LONGEST_SLUG = 40


def label_of(task: str, prefix: str) -> str:
    """Return a DNS label of lower-case ASCII for a task's name, one for each name.

    At most 40 characters and a hyphen behind the prefix: 47 in all are the most for a RayJob.

    Args:
        task: its name, in any script.
        prefix: what the label begins with, a letter first.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-")
    if not slug or slug != task or len(slug) > LONGEST_SLUG:  # two names stay two
        slug = f"{slug[: LONGEST_SLUG - 7]}-{digest_of(task)[:6]}".strip("-")
    return f"{prefix}-{slug}"
