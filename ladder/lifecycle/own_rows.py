"""The training examples that a certified answer reads whenever it is asked, kept beside its plan.

A control is fitted on them, a prompt shows some of them, a search finds others. On other rows it
is another answer than was certified, however little of the plan has changed; so it goes on with
its own, whatever the task's files hold by then. An adapter has learnt its rows, and reads none.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ladder.errors import StateError
from ladder.evidence import Candidate, RevalidationPlan
from ladder.files import file_digest, read_text, refused_as, write_json_lines
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample

FILE = "train.jsonl"
LIMIT_BYTES = 4_000_000_000
WANTED = "the training examples that a certified answer reads"
FIX = "Put the file that ladder assess wrote back: without it this is another answer."


def reads_rows(candidate: Candidate | None) -> bool:
    """Tell whether an answer reads training examples when it is asked; None: a control does."""
    if candidate is None:
        return True
    found = candidate.retrieval
    searched = found is not None and (found.narrow or found.source in ("examples", "both"))
    return bool(candidate.shots) or searched


def keep_rows(bench: Bench, candidate: Candidate | None) -> str | None:
    """Write down the rows that an answer reads; return their digest, or None where it reads none.

    Args:
        bench: has the run's folder.
        candidate: that answers; None: a control.
    """
    if not reads_rows(candidate):
        return None
    file = bench.folder / FILE
    write_json_lines(file, map(asdict, bench.data.train))
    return file_digest(file)


def with_own_rows(data: Data, path: Path, plan: RevalidationPlan) -> Data:
    """Return a task's data with the training examples of a certified answer.

    Args:
        data: as the task's files give it today.
        path: of the plan.
        plan: says what they are; one of an earlier version does not, and they are those of today.

    Raises:
        StateError: they are not what they were.
    """
    if plan.train is None:
        return data
    file = path.parent / FILE
    if not file.exists():
        raise StateError(f"{file}: no such file, and {path.name} names {WANTED}. {FIX}")
    rows = kept_rows(file, plan.train, WANTED, f"other rows than were certified. {FIX}")
    return data if rows == data.train else replace(data, train=rows, synthetic=())


def kept_rows(file: Path, digest: str, wanted: str, changed: str) -> tuple[Sample, ...]:
    """Return rows that were written down whole (`files.write_json_lines`).

    Args:
        file: of JSON lines.
        digest: of its bytes.
        wanted: what it should be, in words.
        changed: what is said, behind its name, where it is another file by now.

    Raises:
        StateError: it cannot be read, or is another file.
    """
    text = read_text(file, wanted, refused_as(wanted, changed), LIMIT_BYTES)
    if file_digest(file) != digest:
        raise StateError(f"{file}: {changed}")
    return tuple(_sample(json.loads(line)) for line in text.split("\n") if line)


def _sample(values: dict[str, Any]) -> Sample:
    row: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Sample(**row)
