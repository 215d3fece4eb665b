"""Erase a file of a run that holds personal data: the ledger says so, and holds as before."""

from __future__ import annotations

from pathlib import Path

from ladder.audit.keys import load_signer, private_file
from ladder.audit.ledger import LEDGER, add, is_kept, read_ledger
from ladder.audit.verify import ERASED, left_by
from ladder.errors import Problem, TaskError
from ladder.evidence import LedgerRecord
from ladder.files import clear_disk_errors


def erase(file: Path, runs: Path) -> LedgerRecord:
    """Take a file away that a record names, and write down that it was erased.

    Raises:
        TaskError: no record names the file.
        SettingsError: there is no machine key.
        StateError: the ledger is broken, or the file cannot be taken away.
    """
    path, file = runs.resolve() / LEDGER, file.absolute()
    keys = [load_signer(private_file("machine")).public_key]
    latest = left_by(read_ledger(path, keys).records) if is_kept(path) else {}
    place = next((each for each in latest if path.parent / each == file), None)
    if place is None:
        fix = f"The ledger is looked for in {path.parent}: --runs FOLDER"
        raise TaskError([Problem(str(file), "a file that no record names", "one of a run", fix)])
    by = latest[place].by
    name = place.removeprefix(f"{by.place}/")
    record = add(path, "erasure", task=by.task, place=by.place, files={name: ERASED})
    with clear_disk_errors(file):
        file.unlink(missing_ok=True)
    return record
