"""Criteria that were frozen before anything was measured, and what was changed since.

A freeze shows that the criteria existed no later than its time, by this machine's clock; not that
nobody had looked at the data before. What the ledger knows of earlier looks is told with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ladder.audit.canonical import digest, encoded
from ladder.audit.folders import digest_of_file
from ladder.audit.keys import load_signer, private_file
from ladder.audit.ledger import LEDGER, add, begin, is_kept, read_ledger
from ladder.audit.signing import FREEZE, payload_of, signed
from ladder.errors import Problem, StateError, TaskError
from ladder.evidence import CitedFreeze, FrozenChange, FrozenCriteria, LedgerRecord
from ladder.files import clear_disk_errors, private_folder
from ladder.redaction import redact_in
from ladder.task import Task

PLAIN = ("gate.", "data.", "rungs", "seed")
"""Fields that stand in the ledger as they are: numbers, digests and names of rungs."""


def criteria(task: Task, data: Mapping[str, str]) -> dict[str, str]:
    """Return what is frozen of a task, each field as text.

    Args:
        task: the user's job.
        data: file of the task -> digest of its rows.
    """
    gate = {f"gate.{name}": value for name, value in task.gate.model_dump().items()}
    values = {
        **gate,
        "score": [choice.model_dump() for choice in task.score],
        "metric_rationale": task.metric_rationale,
        "rungs": list(task.rungs),
        "seed": task.seed,
        "use.strata": dict(task.use.strata),
        **{f"data.{role}": value for role, value in data.items()},
    }
    shown = {name: value for name, value in values.items() if value is not None and value != {}}
    return {name: _text(value) for name, value in redact_in(shown).items()}


def facts_of(fields: Mapping[str, str]) -> dict[str, str]:
    """Return criteria as a record of the ledger has them: free text by its digest alone."""
    return {
        name: value if name.startswith(PLAIN) else f"sha256 {digest(value)[:16]}"
        for name, value in fields.items()
    }


def criteria_in(record: LedgerRecord) -> dict[str, str]:
    """Return the criteria that a record has, of a freeze or an assessment."""
    return {
        name: str(value)
        for name, value in record.facts.items()
        if name.startswith((*PLAIN, "score", "metric_rationale", "use."))
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else encoded(value).decode().strip('"')


def freeze(task: Task, data: Mapping[str, str], runs: Path) -> tuple[Path, LedgerRecord]:
    """Sign a task's criteria and write their digest into the ledger; begin one if there is none.

    Args:
        task: with the rationale of its metric.
        data: file of the task -> digest of its rows.
        runs: the folder of all runs.

    Returns:
        the signed file, and the record.

    Raises:
        TaskError: the task says no reason for its metric.
        SettingsError: there is no machine key.
        StateError: the ledger is broken, or cannot be written.
    """
    if not task.metric_rationale.strip():
        where = f"{task.source}: metric_rationale"
        fix = "Say in a sentence why this score is what a user of the answers cares for."
        raise TaskError([Problem(where, "nothing", "the reason for the metric", fix)])
    path, now = begin(runs), datetime.now(UTC)
    found = FrozenCriteria(
        task=task.name,
        at=now.isoformat(timespec="seconds"),
        metric_rationale=task.metric_rationale,
        fields=criteria(task, data),
    )
    file = path.parent / task.name / f"freeze-{now:%Y-%m-%dT%H%M%S.%fZ}.json"
    content = signed(found.model_dump(mode="json"), FREEZE, load_signer(private_file("machine")))
    with clear_disk_errors(file):
        private_folder(file.parent)
        file.write_bytes(content)
    record = add(
        path,
        "freeze",
        task=task.name,
        place=task.name,
        facts=facts_of(found.fields),
        digests={"criteria": digest(found.fields)},
        files={file.name: digest_of_file(file)},
    )
    return file, record


def cited(
    task: Task, data: Mapping[str, str], sets: tuple[str, str], runs: Path
) -> CitedFreeze | None:
    """Return the newest freeze of a task, and what is another one now; None without a ledger.

    Args:
        task: as it is to be assessed.
        data: file of the task -> digest of its rows.
        sets: digests of the eval examples and of the held-out test examples.
        runs: the folder of all runs.

    Raises:
        SettingsError: there is a ledger and no machine key.
        StateError: the ledger, or the freeze, is not what was written.
    """
    path = runs.resolve() / LEDGER
    if not is_kept(path):
        return None
    keys = [load_signer(private_file("machine")).public_key]
    records = read_ledger(path, keys).records
    freezes = [each for each in records if each.kind == "freeze" and each.task == task.name]
    if not freezes:
        return CitedFreeze(frozen=False)
    newest = freezes[-1]
    [(name, wanted)] = newest.files.items()
    file = path.parent / newest.place / name
    if digest_of_file(file) != wanted:
        fix = "Put it back from a copy, or freeze the task anew."
        raise StateError(f"{file}: not the freeze that record {newest.line} names. {fix}")
    found = FrozenCriteria.model_validate(payload_of(file.read_bytes(), FREEZE, keys))
    before, (eval_set, test_set) = records[: newest.number], sets
    opened = [each for each in before if each.kind == "test set opened"]
    return CitedFreeze(
        frozen=True,
        at=found.at,
        digest=wanted,
        record=newest.number,
        looks_before=sum(_looked(each, eval_set) for each in before),
        openings_before=sum(each.digests.get("test set") == test_set for each in opened),
        metric_rationale=found.metric_rationale,
        changes=tuple(changes(found.fields, criteria(task, data))),
    )


def _looked(record: LedgerRecord, eval_set: str) -> bool:
    """Tell whether a record is of a look at eval examples, or of a run that needed none."""
    once = record.kind == "assess" and not any(name.startswith("looks") for name in record.facts)
    return (record.kind == "look" or once) and record.digests.get("eval set") == eval_set


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[FrozenChange]:
    """Yield the fields that differ, in the order of their names."""
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield FrozenChange(
                field=name.removeprefix("gate."),
                frozen=before.get(name, "nothing"),
                now=now.get(name, "nothing"),
            )
