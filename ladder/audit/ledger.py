"""The ledger: one append-only file beside all runs, a record a line, and a signed head after each.

`ledger.jsonl` holds the records, `ledger.heads.jsonl` after each the signed root of the Merkle tree
over all lines so far. A line that was changed, moved or taken out fits no head; a line that was
added by other hands has none. Whoever holds the machine's key can cut the tail of both files and
sign anew: against that a head is kept elsewhere (`ladder audit anchor`).

An append is written down whole in `ledger.pending.json` before the first byte goes into either
file, so that one that was cut short is ended by the next, and never signed twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ladder.audit.canonical import decoded, encoded
from ladder.audit.folders import digests_in
from ladder.audit.keys import load_signer, private_file
from ladder.audit.merkle import leaf_hash, root
from ladder.audit.signing import HEAD, payload_of, signed, signer_of
from ladder.errors import StateError
from ladder.evidence import LedgerKind, LedgerRecord, TreeHead
from ladder.files import add_line, alone_in, clear_disk_errors, open_file, private_folder
from ladder.redaction import redact_in

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

LEDGER, HEADS, PENDING = "ledger.jsonl", "ledger.heads.jsonl", "ledger.pending.json"
VERSION = 1
MACHINE_KEY = "machine key"
"""The digest in the first record that names the key of all heads."""


class BrokenLedgerError(StateError):
    """The ledger is not what was written."""


@dataclass(frozen=True)
class Ledger:
    """What a ledger holds, each line held against the last signed head."""

    path: Path
    lines: tuple[bytes, ...]
    records: tuple[LedgerRecord, ...]
    heads: tuple[bytes, ...]
    """Signed envelopes, one after each record."""


def ledger_of(run: Path) -> Path:
    """Return the ledger beside all runs: RUNS/ledger.jsonl of RUNS/TASK/STAMP."""
    return run.resolve().parent.parent / LEDGER


def is_kept(path: Path) -> bool:
    """Tell whether a ledger is kept there: the heads alone tell it too, so that none is lost."""
    return path.exists() or path.with_name(HEADS).exists()


def begin(runs: Path) -> Path:
    """Begin a ledger in a folder of runs; one that is there stays as it is.

    Raises:
        SettingsError: there is no machine key.
        StateError: it cannot be written, or is broken.
    """
    path, signer = runs.resolve() / LEDGER, load_signer(private_file("machine"))
    if not is_kept(path):
        with clear_disk_errors(path):
            private_folder(path.parent)
        first = LedgerRecord(kind="begun", digests={MACHINE_KEY: signer.public_key.keyid})
        _add(path, first, signer, only_first=True)
    return path


def add(path: Path, kind: LedgerKind, **fields: Any) -> LedgerRecord:
    """Add a record and a signed head; nobody writes in between.

    Args:
        path: the ledger.
        kind: what was done.
        fields: the other fields of a `LedgerRecord`.

    Raises:
        SettingsError: there is no machine key.
        StateError: the ledger is broken, another's, or cannot be written.
    """
    record = LedgerRecord.model_validate({"kind": kind, **redact_in(fields)})
    return _add(path, record, load_signer(private_file("machine")))


def note(run: Path, kind: LedgerKind, **fields: Any) -> None:
    """Add a record about a run to the ledger beside all runs, where one is kept."""
    path = ledger_of(run)
    if is_kept(path):
        place = os.path.relpath(run.resolve(), path.parent)
        add(path, kind, **{"task": run.resolve().parent.name, "place": place, **fields})


def note_lines(
    run: Path,
    kind: LedgerKind,
    names: Sequence[str],
    folders: Sequence[str] = (),
    facts: Mapping[str, str | int] | None = None,
) -> None:
    """Add a record about lines that were added to files of a run, where a ledger is kept.

    Args:
        run: the run's folder, or its plan's.
        kind: what was done.
        names: files that a line was added to; what stood in them before is told too.
        folders: below the run: all files in them.
        facts: figures to keep with it.
    """
    if not is_kept(ledger_of(run)):
        return
    before, files = {}, {}
    for name in names:
        content = _bytes_of(run / name)
        earlier = content[: content.rstrip(b"\n").rfind(b"\n") + 1]
        files[name] = hashlib.sha256(content).hexdigest()
        if earlier:
            before[f"before: {name}"] = hashlib.sha256(earlier).hexdigest()
    for folder in folders:
        found = digests_in(run / folder)
        files.update({f"{folder}/{name}": digest for name, digest in found.items()})
    note(run, kind, files=files, digests=before, facts=dict(facts or {}))


def refuse_unready(run: Path) -> None:
    """Refuse to begin work that could not be written into the ledger beside all runs.

    Raises:
        SettingsError: there is a ledger, and no machine key.
        StateError: the ledger is broken, or another's.
    """
    refuse_unready_ledger(ledger_of(run))


def refuse_unready_ledger(path: Path) -> None:
    """Refuse what `refuse_unready` does, by the ledger's own place."""
    if is_kept(path):
        read_ledger(path, [load_signer(private_file("machine")).public_key])


def _add(
    path: Path, record: LedgerRecord, signer: CryptoSigner, *, only_first: bool = False
) -> LedgerRecord:
    with clear_disk_errors(path), alone_in(path.parent):
        if only_first and is_kept(path):  # another process was faster
            return record
        _end_the_last(path, [signer.public_key])
        before = read_ledger(path, [signer.public_key]).lines if is_kept(path) else ()
        record = record.but(number=len(before), at=_now())
        line = encoded(record.model_dump(mode="json"))
        tree = root([leaf_hash(each) for each in (*before, line)])
        head = TreeHead(size=len(before) + 1, root=tree.hex(), at=record.at)
        _put(path, line, signed(head.model_dump(mode="json"), HEAD, signer))
    return record


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _put(path: Path, line: bytes, head: bytes) -> None:
    """Write an append down, then do it."""
    pending = path.with_name(PENDING)
    _write_synced(pending, encoded({"line": line.decode(), "head": head.decode()}))
    try:
        add_line(path, line.decode())
    except OSError:  # the ledger is as it was
        pending.unlink()
        raise
    add_line(path.with_name(HEADS), head.decode())
    pending.unlink()


def _write_synced(path: Path, content: bytes) -> None:
    """Write a file so that it is whole on the disk, or not there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _end_the_last(path: Path, keys: Sequence[SSlibKey]) -> None:
    """End an append that was cut short."""
    pending = path.with_name(PENDING)
    if not pending.exists():
        return
    for file, wanted in zip((path, path.with_name(HEADS)), contents(path, keys), strict=True):
        there = file.stat().st_size if file.exists() else 0
        with file.open("ab") as out:
            out.write(wanted[there:])
            out.flush()
            os.fsync(out.fileno())
    pending.unlink()


def contents(path: Path, keys: Sequence[SSlibKey]) -> tuple[bytes, bytes]:
    """Return the bytes of the records and of the heads, an append that was cut short with them.

    Raises:
        BrokenLedgerError: a file is missing, or what is pending does not fit.
    """
    heads, pending = path.with_name(HEADS), path.with_name(PENDING)
    if not pending.exists():
        return _bytes_of(path), _bytes_of(heads)
    try:
        value = decoded(_bytes_of(pending))
        line, head = value["line"].encode(), value["head"].encode()
        size = head_of(head, keys).size
        found = (_bytes_of(each, missing=b"") for each in (path, heads))
        records, signatures = found
        return _ended(records, line, size), _ended(signatures, head, size)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        fix = "Take it away; the records are whole without it."
        raise BrokenLedgerError(
            f"{pending}: no append that was cut short ({error}). {fix}"
        ) from None


def _ended(content: bytes, line: bytes, number: int) -> bytes:
    """Return a file with its last line whole, of which a beginning may be there."""
    before = content.split(b"\n")[: number - 1]
    wanted = b"".join(each + b"\n" for each in (*before, line))
    if len(before) < number - 1 or not wanted.startswith(content):
        raise ValueError("it does not follow what is there")
    return wanted


def _bytes_of(path: Path, missing: bytes | None = None) -> bytes:
    try:
        with open_file(path) as file:
            return file.read()
    except FileNotFoundError:
        if missing is not None:
            return missing
        fix = "Put the file back from a copy; nothing is added to a ledger without it."
        raise BrokenLedgerError(f"{path}: the file is missing. {fix}") from None


def read_ledger(path: Path, keys: Sequence[SSlibKey]) -> Ledger:
    """Read a ledger and hold it against its last head.

    Args:
        path: the ledger.
        keys: whose heads are taken.

    Raises:
        BrokenLedgerError: a line or the last head does not hold.
    """
    found = parsed(path, keys)
    _hold(found, keys)
    return found


def parsed(path: Path, keys: Sequence[SSlibKey]) -> Ledger:
    """Read a ledger, and hold it against no head yet (`verify` holds it against every one).

    Args:
        path: the ledger.
        keys: whose ledgers are taken.

    Raises:
        BrokenLedgerError: a line is none, or the ledger is another key's.
    """
    records, heads = contents(path, keys)
    found = Ledger(path, *_records(path, records), _lines(path.with_name(HEADS), heads))
    refuse_another_key(found, keys)
    return found


def _lines(path: Path, content: bytes) -> tuple[bytes, ...]:
    *lines, last = content.split(b"\n")
    if last or not lines:
        at = f"{path}:{len(lines) + 1}" if last else f"{path}"
        raise BrokenLedgerError(f"{at}: the file was cut. Put it back from a copy.")
    return tuple(lines)


def _records(path: Path, content: bytes) -> tuple[tuple[bytes, ...], tuple[LedgerRecord, ...]]:
    lines = _lines(path, content)
    return lines, tuple(_record(f"{path}:{at + 1}", each, at) for at, each in enumerate(lines))


def _record(where: str, line: bytes, number: int) -> LedgerRecord:
    try:
        value = decoded(line)
        version = value.get("version") if isinstance(value, dict) else None
        if isinstance(version, int) and version > VERSION:
            said = f"a record of version {version}; this ladder knows {VERSION}"
            raise BrokenLedgerError(f"{where}: {said}. Install a newer ladder.")
        record = LedgerRecord.model_validate(value)
        if record.number != number:
            raise ValueError(f"it says record {record.line} and stands at {number + 1}")
    except ValidationError as error:
        raise _broken(where, f"no record ({error.errors()[0]['msg']})") from None
    except ValueError as error:
        raise _broken(where, str(error)) from None
    return record


def _broken(where: str, why: str) -> BrokenLedgerError:
    fix = "It was changed after it was written: put the file back from a copy."
    return BrokenLedgerError(f"{where}: {why}. {fix}")


def head_of(content: bytes, keys: Sequence[SSlibKey]) -> TreeHead:
    """Return what a signed head says.

    Raises:
        ValueError: it is none, or not signed by these keys.
    """
    return TreeHead.model_validate(payload_of(content, HEAD, keys))


def _hold(ledger: Ledger, keys: Sequence[SSlibKey]) -> None:
    """Refuse lines that the last head does not cover."""
    heads = ledger.path.with_name(HEADS)
    where = f"{heads}:{len(ledger.heads)}"
    try:
        head = head_of(ledger.heads[-1], keys)
    except ValueError as error:
        raise _broken(where, str(error)) from None
    refuse_unsigned(ledger)
    tree = root([leaf_hash(line) for line in ledger.lines])
    if head.size != len(ledger.lines) or head.root != tree.hex():
        raise _broken(str(ledger.path), "the lines are not those of the last signed head")


def refuse_another_key(ledger: Ledger, keys: Sequence[SSlibKey]) -> None:
    """Refuse a ledger of which no head is signed with one of the keys."""
    ours, theirs = {key.keyid for key in keys}, {_named(head) for head in ledger.heads}
    if not ours & theirs:
        mine, named = (", ".join(sorted(each[:12] for each in ids)) for ids in (ours, theirs))
        fix = "Give that key's public half to check it; to add to it, put its private file back."
        said = f"signed with machine key {named}, and this is {mine}"
        raise BrokenLedgerError(f"{ledger.path.with_name(HEADS)}: {said}. {fix}")


def _named(head: bytes) -> str:
    try:
        return signer_of(head, HEAD)
    except ValueError:
        return "that cannot be read"


def refuse_unsigned(ledger: Ledger) -> None:
    """Refuse lines without a head, and heads without a line."""
    heads, lines = len(ledger.heads), len(ledger.lines)
    of_heads = ledger.path.with_name(HEADS)
    if heads < lines:
        said = f"no signed head covers it: added by other hands, or {of_heads.name} was cut"
        raise BrokenLedgerError(f"{ledger.path}:{heads + 1}: {said}.")
    if heads > lines:
        said = f"a head says {heads} records and there are {lines}: the tail was cut"
        raise BrokenLedgerError(f"{ledger.path}:{lines + 1}: {said}.")
