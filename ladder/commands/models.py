"""`ladder models`, and what `promote`, `rollback` and `deprecate` say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ladder.evidence import Announced, Promoted, Rehearsed, RolledBack, Stepped
from ladder.files import file_digest
from ladder.lifecycle.notices import alias_fault, base_note, notice_of
from ladder.lifecycle.plan import PLAN
from ladder.lifecycle.production import (
    Production,
    days_left,
    digest_of_entry,
    in_production,
    observed,
)
from ladder.lifecycle.registry import Registry
from ladder.task import ModelRef

SHORT = 12
"""Characters of a digest that are shown."""


def lines(registry: Registry, today: date) -> Iterator[str]:
    """Say what is in production, line by line."""
    known = in_production(registry.entries)
    if not known:
        yet = "" if registry.path.exists() else "no such file yet, "
        place = registry.path.absolute()
        yield f"{place}: {yet}nothing is in production. Put a run there: ladder promote RUN"
        return
    seen = observed(registry.entries)
    for name, found in known.items():
        yield from _of_name(registry, name, found, seen, today)
    yield (
        f"{registry.path}: {len(registry.entries)} records, the last {registry.head[:SHORT]}: "
        "keep that elsewhere, lines cut off the end are not seen"
    )


def _of_name(
    registry: Registry, name: str, found: Production, seen: dict[str, int], today: date
) -> Iterator[str]:
    champion, record = found.champion, found.record
    yield f"{name}: {champion.place} ({champion.rung}{_model(champion)})"
    assert record is not None
    cites = f", cites release {champion.release[:SHORT]}" if champion.release else ""
    yield f"  {record.kind} {record.at[:10]}, line {found.line}{_by(record.by)}{cites}"
    if not _intact(registry.path, champion):
        yield "  NOT THERE: its plan is gone, or is not what was promoted"
    if found.before is None:
        yield "  before: nothing, so there is nothing to roll back to"
    else:
        last = found.rehearsal(found.before.system.plan)
        yield f"  before: {found.before.place}, {_rehearsed(last)}"
    yield from _of_notice(found, seen, today)


def _of_notice(found: Production, seen: dict[str, int], today: date) -> Iterator[str]:
    champion = found.champion
    notice, left = notice_of(champion.model, seen.get(champion.model)), days_left(found.end, today)
    owner = f"owner {champion.owner}" if champion.owner else "no owner"
    fallback = f"fallback {champion.fallback}" if champion.fallback else "no fallback"
    days = "nobody takes it away" if notice.days is None else f"{notice.days} days of notice"
    yield f"  notice: {notice.name}, {days} ({notice.source}); {owner}, {fallback}"
    if found.end is not None and left is not None:
        when = f"{left} days left" if left >= 0 else f"over for {-left} days"
        yield f"  ENDS {found.end.ends}: {when}. ladder deprecate {champion.name} --replacement RUN"
    for note in (alias_fault(champion.model), base_note(champion.model)):
        if note:
            yield f"  {note}"


def as_json(registry: Registry, today: date) -> dict[str, Any]:
    """Return what is in production, for programs."""
    seen = observed(registry.entries)
    return {
        "registry": str(registry.path),
        "records": len(registry.entries),
        "head": registry.head,
        "models": {
            name: _values(registry, found, seen, today)
            for name, found in in_production(registry.entries).items()
        },
    }


def _values(
    registry: Registry, found: Production, seen: dict[str, int], today: date
) -> dict[str, Any]:
    champion, before, record = found.champion, found.before, found.record
    assert record is not None
    last = found.rehearsal(before.system.plan) if before else None
    notice = notice_of(champion.model, seen.get(champion.model))
    return {
        "run": champion.place,
        "plan": champion.system.plan,
        "intact": _intact(registry.path, champion),
        "rung": champion.rung,
        "model": champion.model,
        "production": champion.production,
        "since": record.at,
        "line": found.line,
        "record": digest_of_entry(record),
        "kind": record.kind,
        "release": champion.release,
        "before": before.place if before else None,
        "rehearsed": last.at if last else None,
        "rehearsal_holds": not last.findings if last else None,
        "owner": champion.owner,
        "fallback": champion.fallback,
        "notice": {"class": notice.name, "days": notice.days, "source": notice.source},
        "pinned": not alias_fault(champion.model),
        "ends": found.end.ends.isoformat() if found.end else None,
        "days_left": days_left(found.end, today),
    }


def _intact(registry: Path, promoted: Promoted) -> bool:
    plan = registry.parent / promoted.place / PLAN
    return plan.is_file() and file_digest(plan) == promoted.system.plan


def promoted_lines(entry: Promoted) -> Iterator[str]:
    """Say what a promotion did."""
    yield f"{entry.name}: {entry.place} is in production{_by(entry.by)}"
    if entry.release:
        again = f", the last of {entry.checks} checks" if entry.checks > 1 else ""
        yield f"cites the release check {entry.release[:SHORT]}{again}"
    else:
        yield "the first of its name: its test set confirms it"
    if note := alias_fault(entry.model):
        yield f"warning: {note}; --production refuses it"
    if note := base_note(entry.model):
        yield f"warning: {note}"


def rolled_back_lines(entry: RolledBack, found: Production) -> Iterator[str]:
    """Say what a rollback did."""
    yield f"{entry.name}: {entry.place} is in production again{_by(entry.by)}"
    yield f"took off: {entry.previous.folder}; to bring it back, check its release and promote it"
    if found.rehearsal(entry.system.plan) is None:
        yield "it was never rehearsed: measure it now, ladder revalidate"


def rehearsed_lines(entry: Rehearsed) -> Iterator[str]:
    """Say what a rehearsal found."""
    if entry.score_now is not None and entry.score_then is not None:
        scores = f"score {entry.score_now:.3f}, and {entry.score_then:.3f} when it was certified"
        same = f", {entry.same} as they were kept" if entry.same is not None else ""
        yield f"{entry.rows} eval examples answered{same}; {scores}"
    yield from (f"- {finding}" for finding in entry.findings)
    yield (
        "Do not rely on it." if entry.findings else f"{entry.system.folder} can be rolled back to."
    )


def announced_lines(entry: Announced, today: date) -> Iterator[str]:
    """Say what an announcement means."""
    left = days_left(entry, today)
    told = (entry.ends - entry.told).days
    yield f"{entry.name}: {entry.model} ends {entry.ends}, in {left} days; told {told} days before"
    if note := base_note(entry.model):
        yield note


def stepped_line(entry: Stepped, is_new: bool) -> str:
    """Say what a step left."""
    facts = ", ".join(f"{key} {_short(value)}" for key, value in entry.facts.items() if value != "")
    kept = f", {len(entry.kept)} files by digest" if entry.kept else ""
    when = "" if is_new else f" (done {entry.at[:10]})"
    return f"{entry.step:16}{facts}{kept}{when}"


def _short(value: str | float | int) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    return text[:SHORT] if len(text) == 64 and text.isalnum() else text


def _rehearsed(last: Rehearsed | None) -> str:
    if last is None:
        return "never rehearsed"
    return f"rehearsed {last.at[:10]}" + (", and not to be relied on" if last.findings else "")


def _model(entry: Promoted) -> str:
    return f", {ModelRef(entry.model).label}" if entry.model else ""


def _by(by: str) -> str:
    return f" by {by}" if by else ""


def today() -> date:
    """Return the UTC day."""
    return datetime.now(UTC).date()
