"""`ladder report --to`: a finished run for other programs."""

from __future__ import annotations

from pathlib import Path

from ladder.evidence import Assessment
from ladder.files import write_whole
from ladder.redaction import redact
from ladder.report.exports import EXPORTS, read_answers
from ladder.report.reading import whole_record


def export_run(found: Assessment, folder: Path, to: str, out: Path | None) -> str:
    """Return a run in a form of `EXPORTS`; where a file is named, write it and return where.

    Raises:
        DataError: the run is damaged.
        StateError: the file cannot be written.
    """
    with whole_record(folder):
        text = redact(EXPORTS[to](found, read_answers(folder, found)))
    if out is None:
        return text
    write_whole(out, text)
    return f"Wrote {out}\n"
