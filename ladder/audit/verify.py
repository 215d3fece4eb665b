"""Check a ledger and the runs beside it, offline, with a public key and nothing else.

What does not hold is one line each: the first record that was not written so, or the file of a run
that was changed, added, cut or taken away. What holds and wants a reason is told apart from it: a
gate that was loosened after a run, a test set that was read for several systems.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ladder.audit.folders import digest_of_file, digests_in
from ladder.audit.frozen import changes, criteria_in
from ladder.audit.ledger import (
    HEADS,
    LEDGER,
    MACHINE_KEY,
    BrokenLedgerError,
    Ledger,
    head_of,
    is_kept,
    parsed,
    refuse_unsigned,
)
from ladder.audit.merkle import consistency_proof, is_consistent, leaf_hash, roots
from ladder.audit.signing import FREEZE, STATEMENT, payload_of
from ladder.errors import StateError
from ladder.evidence import ASSESSMENT, LedgerRecord, TreeHead
from ladder.files import open_file

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

SIGNED = ".dsse.json"
"""Ending of a signed statement's file."""
ERASED = "erased"
"""In place of the digest of a file that was taken away on purpose."""
GROWS = ".jsonl"
"""Ending of files that lines are added to."""
LOOSER = {"min_score": -1, "confidence": -1, "max_cost_usd_per_1k": 1, "max_p95_ms": 1}
"""Limit of the gate -> the direction in which it asks for less."""


@dataclass(frozen=True)
class Verified:
    """What a check found."""

    faults: tuple[str, ...]
    """What does not hold; none: every record and every file is what was written."""
    notes: tuple[str, ...] = ()
    """What holds and wants a reason."""
    records: int = 0
    files: int = 0
    heads: int = 0
    head: TreeHead | None = None
    signatures: int = 0
    """Of persons, that were checked."""
    anchored: bool = False
    """Whether a head that was kept elsewhere was held against it."""


def verify(
    runs: Path,
    keys: Sequence[SSlibKey],
    kept: Path | None = None,
    persons: Sequence[SSlibKey] = (),
    *,
    ledger_only: bool = False,
) -> Verified:
    """Check the ledger of a folder of runs, and the files that its records name.

    Args:
        runs: the folder of all runs.
        keys: public ones of the machine: no other key may sign a head.
        kept: a head that was kept elsewhere (`ladder audit anchor`).
        persons: public keys of those whose signatures under runs are to be checked.
        ledger_only: check records and heads; the files lie elsewhere, as in an evidence pack.

    Raises:
        StateError: no ledger is kept there.
    """
    path = kept_in(runs)
    try:
        ledger = parsed(path, keys)
        _hold_every_head(ledger, keys)
    except BrokenLedgerError as error:
        cut = tuple(_against(path, keys, kept)) if kept else ()
        return Verified((str(error), *cut))
    latest = {} if ledger_only else left_by(ledger.records)
    faults = [
        *(_head_kept(ledger, keys, kept) if kept else ()),
        *_files(path.parent, latest),
        *_appended(path.parent, ledger.records),
        *_signatures(path.parent, latest, keys, persons),
        *(() if ledger_only else _strangers(path.parent, ledger.records, latest)),
    ]
    return Verified(
        tuple(faults),
        (
            *_conduct(ledger.records),
            *_persons(ledger.records, persons),
            *_clock(ledger),
            *(() if ledger_only else _before_the_ledger(path.parent, ledger.records)),
        ),
        len(ledger.records),
        len(latest),
        len(ledger.heads),
        head_of(ledger.heads[-1], keys),
        0 if ledger_only else _checked_signatures(ledger.records, persons),
        kept is not None,
    )


def _checked_signatures(records: Sequence[LedgerRecord], persons: Sequence[SSlibKey]) -> int:
    known = {key.keyid for key in persons}
    return sum(one.kind == "signature" and one.digests.get("key") in known for one in records)


def kept_in(runs: Path) -> Path:
    """Return the ledger that is kept in a folder.

    Raises:
        StateError: none is kept there.
    """
    path = runs.resolve() / LEDGER
    if not path.parent.is_dir():
        raise StateError(f"{runs}: got no such folder, wanted that of all runs, with its ledger")
    if not is_kept(path):
        raise StateError(
            f"{path}: there is no ledger here, so nothing can be checked. If one was kept, it was "
            "taken away: ask for it. A new one begins with: ladder audit init"
        )
    return path


def _hold_every_head(ledger: Ledger, keys: Sequence[SSlibKey]) -> None:
    """Hold each head against the lines that it says: the first that differs names the record."""
    heads = ledger.path.with_name(HEADS)
    trees = roots(leaf_hash(line) for line in ledger.lines)
    for number, (content, tree) in enumerate(zip(ledger.heads, trees, strict=False), start=1):
        try:
            head = head_of(content, keys)
        except ValueError as error:
            raise BrokenLedgerError(
                f"{heads}:{number}: {error}. Put it back from a copy."
            ) from None
        if head.size != number:
            raise BrokenLedgerError(f"{heads}:{number}: it is the head of {head.size} records.")
        if head.root != tree.hex():
            said = "is the first record that is not what its head signed"
            raise BrokenLedgerError(f"{ledger.path}:{number}: this {said}.")
    refuse_unsigned(ledger)


def _head_kept(ledger: Ledger, keys: Sequence[SSlibKey], kept: Path) -> Iterator[str]:
    """Say that the ledger does not go on from a head that was kept, by a consistency proof."""
    try:
        head = head_of(kept.read_bytes().rstrip(b"\n"), keys)
    except (OSError, ValueError) as error:
        yield f"{kept}: no head that can be held against the ledger ({error})"
        return
    leaves = [leaf_hash(line) for line in ledger.lines]
    if head.size > len(leaves):
        yield (
            f"{ledger.path}: the head kept at {head.at} says {head.size} records and there are "
            f"{len(leaves)}: the tail was cut"
        )
        return
    now = head_of(ledger.heads[-1], keys)
    proof = consistency_proof(leaves, head.size)
    old, new = bytes.fromhex(head.root), bytes.fromhex(now.root)
    if not is_consistent(head.size, now.size, proof, old, new):
        yield (
            f"{ledger.path}: the first {head.size} records are not those of the head kept at "
            f"{head.at}: the ledger was written and signed anew"
        )


def _against(path: Path, keys: Sequence[SSlibKey], kept: Path) -> Iterator[str]:
    """Say what a kept head tells of a ledger that is broken already."""
    try:
        head = head_of(kept.read_bytes().rstrip(b"\n"), keys)
    except (OSError, ValueError):
        return
    yield (
        f"{path}: so the head kept at {head.at}, of the first {head.size} records, could not be "
        f"held against it: put it and {HEADS} back from a copy of that time or later"
    )


@dataclass(frozen=True)
class Left:
    """A file as a record left it."""

    digest: str
    by: LedgerRecord


def left_by(records: Sequence[LedgerRecord]) -> dict[str, Left]:
    """Return path below the folder of runs -> how the last record that names it left it."""
    found: dict[str, Left] = {}
    for record in records:
        for name, digest in record.files.items():
            found[_place(record, name)] = Left(digest, record)
    return found


def _place(record: LedgerRecord, name: str) -> str:
    return f"{record.place}/{name}" if record.place not in ("", ".") else name


def _files(root: Path, latest: Mapping[str, Left]) -> Iterator[str]:
    for place, left in latest.items():
        now = digest_of_file(root / place)
        if left.digest == ERASED:
            if now != "missing":
                yield f"{root / place}: it was erased (record {left.by.line}) and is there again"
        elif now != left.digest and left.digest in (known := first_lines(root / place)):
            yield _unrecorded(root / place, known[left.digest], len(known))
        elif now != left.digest:
            since = f"since record {left.by.line} ({left.by.kind} of {left.by.at})"
            yield f"{root / place}: {_how(root / place, now)} {since}"


def _how(path: Path, now: str) -> str:
    if now == "missing":
        folder = path.parent
        gone = "is missing" if folder.exists() else "is missing with its folder (moved?)"
        return f"the file {gone},"
    if now == "link":
        return "a link stands in its place,"
    return "the file cannot be read," if now == "unreadable" else "the file was changed"


class Grown(NamedTuple):
    """What a record says of a file that lines were added to."""

    before: str
    """Its digest without the new lines; empty: it is all new."""
    left: str
    by: LedgerRecord


def grown_by(records: Sequence[LedgerRecord]) -> dict[str, list[Grown]]:
    """Return path below the folder of runs -> what each record says of the file."""
    grown: dict[str, list[Grown]] = {}
    for record in records:
        for name, digest in record.files.items():
            before = record.digests.get(f"before: {name}", "")
            grown.setdefault(_place(record, name), []).append(Grown(before, digest, record))
    return grown


def _appended(root: Path, records: Sequence[LedgerRecord]) -> Iterator[str]:
    """Say where a file that grows was changed, or lines were added, between two records of it."""
    for place, known in grown_by(records).items():
        lines = {"": 0, **first_lines(root / place)}
        if all(each.before in lines and each.left in lines for each in known):
            ranges = [(lines[each.before], lines[each.left]) for each in known]
            yield from _gaps(root / place, ranges)
        else:
            yield from _changed_between(root / place, known)


def _gaps(path: Path, ranges: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Say which lines no record has, between those that some have.

    Two that were added at once may be noted in another order than they were written in.
    """
    covered = min(start for start, _ in ranges)
    for start, end in sorted(ranges):
        if start > covered:
            yield _unrecorded(path, covered, start)
        covered = max(covered, end)


def _changed_between(path: Path, known: Sequence[Grown]) -> Iterator[str]:
    for earlier, later in pairwise(known):
        if later.before not in ("", earlier.left):
            yield f"{path}: its earlier lines were changed before record {later.by.line}"


def _before_the_ledger(root: Path, records: Sequence[LedgerRecord]) -> Iterator[str]:
    """Say which lines beside the ledger are older than the first record of their file."""
    for path in sorted({*root.glob(f"*{GROWS}")} - {root / LEDGER, root / HEADS}):
        first = next((one for one in records if path.name in one.files and one.place == "."), None)
        lines = first_lines(path)
        whole = next(reversed(lines), "")
        before = first.digests.get(f"before: {path.name}") if first else whole
        if before in lines:
            yield _unrecorded(path, 0, lines[before])


def first_lines(path: Path) -> dict[str, int]:
    """Return the sha256 of the first n lines of a file that grows -> n, for every n."""
    found: dict[str, int] = {}
    if path.suffix != GROWS or path.is_symlink():
        return found
    so_far = hashlib.sha256()
    with suppress(OSError), open_file(path) as file:
        for number, line in enumerate(file, start=1):
            so_far.update(line)
            found[so_far.hexdigest()] = number
    return found


def _unrecorded(path: Path, known: int, last: int) -> str:
    """Say that lines are in no record, of which the ledger knows those before and after."""
    first = known + 1
    which = "this line is" if first == last else f"lines {first} to {last} are"
    why = "written while no ledger was kept, left out by a crash, or added by other hands"
    fix = f"Where you know that they are right: ladder audit vouch {path}"
    return f"{path}:{first}: {which} not in the ledger: {why}. {fix}"


def _signatures(
    root: Path,
    latest: Mapping[str, Left],
    keys: Sequence[SSlibKey],
    persons: Sequence[SSlibKey],
) -> Iterator[str]:
    """Check the envelopes among the files that are as they were left."""
    known = {key.keyid for key in persons}
    for place, left in latest.items():
        path, record = root / place, left.by
        kind = FREEZE if record.kind == "freeze" else STATEMENT
        is_signed = kind == FREEZE or place.endswith(SIGNED)
        if not is_signed or digest_of_file(path) != left.digest:
            continue
        if record.kind == "signature" and record.digests.get("key") not in known:
            continue  # told as a note: this person's public key was not given
        try:
            payload_of(path.read_bytes(), kind, persons if record.kind == "signature" else keys)
        except ValueError as error:
            yield f"{path}: {error}"


def _persons(records: Sequence[LedgerRecord], persons: Sequence[SSlibKey]) -> Iterator[str]:
    """Say which signatures could not be checked, and which are no person's."""
    machine = records[0].digests.get(MACHINE_KEY)
    known = {key.keyid for key in persons}
    for record in records:
        key = record.digests.get("key", "")
        if record.kind != "signature":
            continue
        what = f"the signature of record {record.line} ({record.place})"
        if key == machine:
            yield f"{what} was signed with the machine's key, not a person's"
        elif key not in known:
            yield f"{what} is not checked: give the public key {key[:12]} of who signed"


def _strangers(
    root: Path, records: Sequence[LedgerRecord], latest: Mapping[str, Left]
) -> Iterator[str]:
    """Say which files and runs no record names."""
    runs = {record.place for record in records if record.kind == "assess"}
    for place in sorted(runs):
        for name in digests_in(root / place):
            if f"{place}/{name}" not in latest:
                yield f"{root / place / name}: no record names this file: it was added"
    begun = records[0].at.replace(":", "")
    for path in sorted(root.glob(f"*/*/{ASSESSMENT}")):
        place = path.parent.relative_to(root).as_posix()
        if place not in runs and path.parent.name > begun:
            yield f"{path.parent}: no record names this run: it was added, or the ledger was cut"


def _conduct(records: Sequence[LedgerRecord]) -> Iterator[str]:
    yield from _criteria_changed(records)
    yield from _opened_twice(records)
    yield from _vouched(records)


def _vouched(records: Sequence[LedgerRecord]) -> Iterator[str]:
    """Say which lines were vouched for afterwards."""
    for record in records:
        if record.kind == "vouched":
            [name] = record.files
            lines = record.facts.get("lines", "")
            yield (
                f"{_place(record, name)}: lines {lines} were in no record, and vouched for in "
                f"record {record.line}"
            )


def _criteria_changed(records: Sequence[LedgerRecord]) -> Iterator[str]:
    """Say which criteria were changed between two records of a task, and after what."""
    before: dict[str, LedgerRecord] = {}
    for record in records:
        if record.kind not in ("freeze", "assess"):
            continue
        last = before.get(record.task)
        for change in changes(criteria_in(last), criteria_in(record)) if last else ():
            verb = "loosened" if _is_looser(change.field, change.frozen, change.now) else "changed"
            after = "a run" if last and last.kind == "assess" else "freezing"
            then = f"{change.frozen} in record {last.line if last else 1}"
            now = f"{change.now} in record {record.line}"
            yield f"{record.task}: {change.field} was {verb} after {after}: {then}, {now}"
        before[record.task] = record


def _is_looser(field: str, before: str, now: str) -> bool:
    direction = LOOSER.get(field)
    if direction is None:
        return False
    try:
        return (float(now) - float(before)) * direction > 0
    except ValueError:
        return now == "nothing"


def _opened_twice(records: Sequence[LedgerRecord]) -> Iterator[str]:
    """Say which test sets were read for more than one system."""
    opened: dict[str, dict[str, list[LedgerRecord]]] = {}
    for record in records:
        if record.kind == "test set opened":
            systems = opened.setdefault(record.digests.get("test set", ""), {})
            systems.setdefault(record.digests.get("system", ""), []).append(record)
    for digest, systems in opened.items():
        if len(systems) > 1:
            where = ", ".join(map(_places, systems.values()))
            yield f"test set {digest[:12]} was opened for {len(systems)} systems: {where}"


def _places(found: Sequence[LedgerRecord]) -> str:
    """Return where one system was put to a test set, each time: `shop in records 3 and 5`."""
    lines = " and ".join(str(record.line) for record in found)
    return f"{found[0].task} in {'record' if len(found) == 1 else 'records'} {lines}"


def _clock(ledger: Ledger) -> Iterator[str]:
    for before, after in zip(ledger.records, ledger.records[1:], strict=False):
        if after.at < before.at:
            yield (
                f"the clock went back between records {before.line} ({before.at}) and "
                f"{after.line} ({after.at}): the order of the lines decides, not the time"
            )
