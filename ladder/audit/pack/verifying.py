"""Check an evidence pack offline, with the machine's public key: its files, ledger and signatures.

What a pack copies of a run byte for byte is named in the ledger by its sha256; what it writes anew
from the record is held by SHA256SUMS alone, which nobody signed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ladder.audit.folders import digests_in
from ladder.audit.pack.mapping import (
    COSTS,
    FREEZE,
    LEDGER,
    PLAN,
    PROVENANCE,
    RECIPE,
    RECORD,
    SIGNATURES,
    STATEMENTS,
    TASK,
    TRAINING,
)
from ladder.audit.signing import FREEZE as FROZEN
from ladder.audit.signing import STATEMENT, payload_of, signer_of
from ladder.audit.verify import Verified, verify

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

INDEX, SUMS = "pack.json", "SHA256SUMS"
BY_MACHINE = (FREEZE, PROVENANCE, STATEMENTS)
"""What the machine signed; the names of several begin so."""
OF_THE_RUN = (RECORD, PLAN, COSTS, TASK, RECIPE, TRAINING, *BY_MACHINE, SIGNATURES)
"""Copied byte for byte, so that a record of the ledger, or a signed statement, names it."""
SHA256 = re.compile(r"[0-9a-f]{64}")


def is_pack(folder: Path) -> bool:
    """Tell whether a folder is an evidence pack."""
    return (folder / INDEX).is_file() and (folder / SUMS).is_file()


def verify_pack(
    folder: Path,
    keys: Sequence[SSlibKey],
    kept: Path | None = None,
    persons: Sequence[SSlibKey] = (),
) -> Verified:
    """Check what a pack holds.

    Args:
        folder: of the pack.
        keys: public ones of the machine that signed.
        kept: a head of the ledger that was kept elsewhere (`ladder audit anchor`).
        persons: public keys of those whose signatures are to be checked.

    Raises:
        StateError: no ledger is in it.
    """
    files = digests_in(folder)
    found = verify((folder / LEDGER).parent, keys, kept, persons, ledger_only=True)
    said, unsigned = _signed(folder, files, keys, persons)
    faults = [*_sums(folder, files), *found.faults, *unsigned]
    if not found.faults:
        faults += _unnamed(folder, files, said)
    return replace(found, faults=tuple(faults), files=len(files))


def _sums(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    """Say which files are not those of SHA256SUMS."""
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name, digest in listed.items():
        if name not in files:
            yield f"{folder / name}: it is missing, and {SUMS} names it"
        elif files[name] != digest:
            yield f"{folder / name}: it is not the file that {SUMS} names"
    for name in files.keys() - listed.keys() - {SUMS}:
        yield f"{folder / name}: {SUMS} does not name it: it was added"


def _signed(
    folder: Path,
    files: Mapping[str, str],
    keys: Sequence[SSlibKey],
    persons: Sequence[SSlibKey],
) -> tuple[str, list[str]]:
    """Return what the machine's signed statements say, as one text, and which signatures fail."""
    said, faults, known = "", [], {key.keyid for key in persons}
    for name, digest in files.items():
        is_person = name.startswith(SIGNATURES)
        if not (is_person or name.startswith(BY_MACHINE)) or not SHA256.fullmatch(digest):
            continue  # a link, or what cannot be read: it is not what SHA256SUMS names
        content, kind = (folder / name).read_bytes(), FROZEN if name == FREEZE else STATEMENT
        try:
            if is_person and signer_of(content, kind) not in known:
                continue  # the ledger's record of it is told as a note
            payload = payload_of(content, kind, persons if is_person else keys)
        except ValueError as error:
            faults.append(f"{folder / name}: {error}")
        else:
            said += "" if is_person else json.dumps(payload)
    return said, faults


def _unnamed(folder: Path, files: Mapping[str, str], said: str) -> Iterator[str]:
    """Say which copies of the run's files neither the ledger nor a signed statement names."""
    known = set(SHA256.findall((folder / LEDGER).read_text(encoding="utf-8") + said))
    for name, digest in files.items():
        if name.startswith(OF_THE_RUN) and digest not in known:
            yield f"{folder / name}: no record and no signed statement names this file's sha256"
