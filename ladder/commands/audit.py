"""`ladder freeze` and `ladder audit`: what is written down, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ladder.audit.frozen import freeze
from ladder.audit.keys import load_signer, private_file
from ladder.audit.verify import Verified
from ladder.climb.opening import open_bench
from ladder.evidence import LedgerRecord
from ladder.progress import Quiet
from ladder.task import load_task


def freeze_task(path: Path, data: Path | None, runs: Path) -> tuple[Path, LedgerRecord]:
    """Freeze a task's criteria; return the signed file, and the ledger's record.

    Raises:
        TaskError: the task is wrong, or says no reason for its metric.
        DataError: its data are wrong.
        SettingsError: there is no machine key.
        StateError: the ledger is broken, or cannot be written.
    """
    load_signer(private_file("machine"))
    bench = open_bench(load_task(path, data), runs, Quiet())
    try:
        return freeze(bench.task, dict(bench.data.digests), runs)
    finally:
        bench.evaluator.models.cache.close()


def frozen_words(file: Path, record: LedgerRecord) -> Iterator[str]:
    """Say what was frozen."""
    yield f"frozen: {record.task}, {record.at} (record {record.number})"
    yield from (f"  {name} {value}" for name, value in record.facts.items())
    yield f"signed: {file}"


def verified_lines(found: Verified) -> Iterator[str]:
    """Say what a check of the ledger found: what does not hold first."""
    yield from found.faults
    yield from (f"Note: {note}" for note in found.notes)
    if found.faults:
        count = len(found.faults)
        yield f"does not hold: {count} {'fault' if count == 1 else 'faults'}"
        return
    head = f", head {found.head.root[:16]}… of {found.head.at}" if found.head else ""
    yield f"holds: {found.records} records, {found.heads} signed heads, {found.files} files{head}"
