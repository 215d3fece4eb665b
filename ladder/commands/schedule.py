"""`ladder schedule`: what is scheduled, out of a plan; its files, written where they are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ladder.audit.ledger import is_kept, ledger_of
from ladder.errors import StateError
from ladder.files import read_text, refuse_unwritable, write_whole
from ladder.lifecycle.needs import needs_of
from ladder.lifecycle.plan import load_plan, task_of
from ladder.lifecycle.schedules.job import Files, Job


def make_job(path: Path, zone: str, image: str = "", task_file: Path | None = None) -> Job:
    """Return what is scheduled.

    Args:
        path: of the plan.
        zone: IANA name of the time zone.
        image: the container image, where one is named.
        task_file: the task, where it is not the one that the plan names.

    Raises:
        TaskError: the plan or its task is wrong.
    """
    plan = load_plan(path)
    task = task_of(path, plan, file=task_file)
    folders = [path.resolve().parent, task.source.resolve().parent]
    if task.data_root:
        folders.append(task.data_root.resolve())
    ledger = ledger_of(path.parent)
    if is_kept(ledger):
        folders.append(ledger.parent)
        ledger = Path(os.path.normpath(path.parent / os.path.relpath(ledger, folders[0])))
    return Job(
        path,
        task.name,
        needs_of(plan, task),
        zone,
        image,
        task_file,
        Path(os.path.commonpath(folders)),
        ledger if is_kept(ledger) else None,
    )


def write_files(files: Files, folder: Path) -> Iterator[Path]:
    """Write files into a folder, and yield where each lies.

    Raises:
        StateError: it cannot be written, or holds a file of that name with another text.
    """
    refuse_unwritable(folder)
    for name, text in files.items():
        path = folder / name
        if path.exists() and read_text(path, "a file of a job") != text:
            raise StateError(f"{path}: holds another text. Take it away, or name another folder.")
    for name, text in files.items():
        write_whole(folder / name, text)
        yield folder / name
