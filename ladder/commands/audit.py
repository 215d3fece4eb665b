"""`ladder freeze` and `ladder audit`: what is written down, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ladder.audit.folders import digests_in
from ladder.audit.frozen import cited, criteria, facts_of, freeze
from ladder.audit.keys import load_signer, private_file
from ladder.audit.ledger import note
from ladder.audit.statements import of_control, of_rung, write_statement
from ladder.audit.verify import Verified
from ladder.climb.opening import open_bench
from ladder.evaluation.recorded import digest_of_rows
from ladder.evidence import CONTROL, Assessment, Attempt, CitedFreeze, LedgerRecord
from ladder.files import digest_of
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.task import load_task

STATEMENTS = "statements"
"""In the run's folder: one on each rung that was judged."""


def freeze_task(
    path: Path, data: Path | None, runs: Path
) -> tuple[Path, LedgerRecord, dict[str, str]]:
    """Freeze a task's criteria; return the signed file, the ledger's record, and the criteria.

    Raises:
        TaskError: the task is wrong, or says no reason for its metric.
        DataError: its data are wrong.
        SettingsError: there is no machine key.
        StateError: the ledger is broken, or cannot be written.
    """
    load_signer(private_file("machine"))
    bench = open_bench(load_task(path, data), runs, Quiet())
    try:
        digests = dict(bench.data.digests)
        return *freeze(bench.task, digests, runs), criteria(bench.task, digests)
    finally:
        bench.evaluator.models.cache.close()


def frozen_words(file: Path, record: LedgerRecord, fields: Mapping[str, str]) -> Iterator[str]:
    """Say what was frozen: in the words of the signed file, beside a digest that the ledger has."""
    yield f"frozen: {record.task}, {record.at} (record {record.line})"
    for name, value in fields.items():
        kept = record.facts.get(name, value)
        yield f"  {name} {value}" + (f" (in the ledger: {kept})" if kept != value else "")
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
    beside = f", {found.signatures} signed by persons" if found.signatures else ""
    beside += ", consistent with the head kept elsewhere" if found.anchored else ""
    counted = f"{found.records} records, {found.heads} signed heads, {found.files} files"
    yield f"holds: {counted}{head}{beside}"


def cited_by(bench: Bench) -> CitedFreeze | None:
    """Return the freeze of a task that a climb is about to be measured by; None without a ledger.

    Raises:
        SettingsError: there is a ledger and no machine key.
        StateError: the ledger, or the freeze, is not what was written.
    """
    sets = digest_of_rows(bench.data.gate), digest_of_rows(bench.data.sealed)
    return cited(bench.task, dict(bench.data.digests), sets, bench.folder.parent.parent)


def note_assessment(bench: Bench, found: Assessment) -> None:
    """Write a finished assessment into the ledger, with a signed statement on each rung.

    Args:
        bench: the task, its data, and the run's folder.
        found: what is written there.
    """
    if found.criteria is None:
        return
    folder, signer = bench.folder, load_signer(private_file("machine"))
    judged = {
        "eval set": digest_of_rows(bench.data.gate),
        "task": found.task.digest,
        **({"freeze": found.criteria.digest} if found.criteria.frozen else {}),
    }
    said = {x.rung: of_rung(x, _subject(bench, x), judged) for x in found.attempts}
    if found.control:
        rows = {name: x for name, x in bench.data.digests if name in ("train", "examples")}
        said[CONTROL] = of_control(found.control, rows, judged)
    for name, statement in said.items():
        if statement is not None:
            write_statement(folder / STATEMENTS / f"{name}.dsse.json", statement, signer)
    answer = found.recommendation
    decision = "control" if answer.control else answer.rung or "none"
    facts = {
        **facts_of(criteria(bench.task, dict(bench.data.digests))),
        "decision": "withheld" if answer.withheld else decision,
        "openings": answer.openings,
        **{f"looks: {x.rung}": len(x.measurement.looks) for x in found.attempts if x.measurement},
    }
    digests = {**judged, "test set": digest_of_rows(bench.data.sealed)}
    note(folder, "assess", facts=facts, digests=digests, files=digests_in(folder))


def _subject(bench: Bench, attempt: Attempt) -> dict[str, str]:
    """Return what a rung's system is made of, each part by what identifies it."""
    measured, candidate = attempt.measurement, attempt.candidate
    if measured is None or candidate is None:
        return {}
    subject = {f"model: {name}": value for name, value in measured.fingerprint.items()}
    subject["prompt"] = candidate.digest
    if candidate.retrieval is not None:
        documents = dict(bench.data.digests).get("documents", "")
        subject["index"] = digest_of([documents, candidate.retrieval.model_dump(mode="json")])
    return subject
