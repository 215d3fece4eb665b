"""A person's signature under a run: the envelope lies in its folder, the ledger has its digest.

The name is personal data: it stands in that file alone, so that it can be erased.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ladder.audit.folders import digest_of_file
from ladder.audit.keys import load_signer, private_file
from ladder.audit.ledger import add, begin
from ladder.audit.signing import STATEMENT, signed
from ladder.audit.statements import signature
from ladder.errors import Problem, TaskError
from ladder.evidence import ASSESSMENT, LedgerRecord
from ladder.files import clear_disk_errors

SIGNED_FILES = (ASSESSMENT, "report.md", "revalidation.yaml")
"""What a person reads and signs; each by its digest, those that are there."""


def sign_run(run: Path, name: str, role: str, key: Path | None) -> tuple[Path, LedgerRecord]:
    """Sign a run's record, its report and its plan; return the file, and the ledger's record.

    Args:
        run: the run's folder.
        name: who signs.
        role: as what; empty: not said.
        key: the person's private key; default: that of `ladder audit keys --role person`.

    Raises:
        TaskError: it is no run's folder.
        SettingsError: a key is missing, or others may read it.
        StateError: the ledger is broken, or cannot be written.
    """
    if not (run / SIGNED_FILES[0]).is_file():
        wanted = f"the folder of a run, with its {SIGNED_FILES[0]}"
        raise TaskError([Problem(str(run), "something else", wanted)])
    signer = load_signer(key or private_file("person"))
    run, now = run.resolve(), datetime.now(UTC)
    ledger = begin(run.parent.parent)
    digests = {each: digest_of_file(run / each) for each in SIGNED_FILES if (run / each).is_file()}
    file = run / f"signature-{now:%Y-%m-%dT%H%M%S.%fZ}.dsse.json"
    said = signature(digests, name, role, now.isoformat(timespec="seconds"))
    with clear_disk_errors(file):
        file.write_bytes(signed(said, STATEMENT, signer))
    record = add(
        ledger,
        "signature",
        task=run.parent.name,
        place=run.relative_to(ledger.parent).as_posix(),
        digests={"key": signer.public_key.keyid, **digests},
        files={file.name: digest_of_file(file)},
    )
    return file, record
