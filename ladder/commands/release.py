"""`ladder release check`: write what a check found where CI looks for it."""

from __future__ import annotations

import os
from pathlib import Path

from ladder.evidence import ReleaseRecord
from ladder.files import append_line, write_whole
from ladder.redaction import redact
from ladder.report.released import release_junit, release_markdown

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub Actions names the file of a step's summary."""


def write_for_ci(found: ReleaseRecord, junit: Path | None) -> None:
    """Write JUnit where a file is named, and Markdown where a CI job collects it.

    Raises:
        StateError: a file cannot be written.
    """
    if junit is not None:
        write_whole(junit, release_junit(found))
    summary = os.environ.get(SUMMARY)
    if summary:
        append_line(Path(summary), redact(release_markdown(found)))
