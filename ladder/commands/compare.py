"""`ladder compare`: two runs, row by row where they share rows, and what changed between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ladder.evaluation.comparing import comparison, together
from ladder.evidence import CONTROL, Assessment, Attempt, Measurement
from ladder.evidence.compared import Change, Part, RungsCompared, RunsCompared, Side
from ladder.report.kept import ANSWERED, SAMPLES, kept_rows
from ladder.report.reading import read_assessment
from ladder.report.summary import answer_line

ANSWER = "answer"
CONTENTS = ("input", "target")
"""What makes two rows of one id the same row; runs of before kept no inputs."""
NONE = "–"

Run = tuple[Assessment, Path]
"""A finished run: its record and its folder."""
Rows = dict[str, Mapping[str, Any]]
"""Id -> a measured row: answer, target, score, and what else was kept of it."""


def compare_runs(first: Path, second: Path) -> RunsCompared:
    """Compare the second run with the first.

    The p-values of all rungs, and of the answers where those are other rungs, are adjusted for
    their number (Holm). A rung is measured until its gate is decided, so the shared rows are the
    first rows of the eval set, in its drawn order.

    Raises:
        DataError: one of them is no finished run, or its rows cannot be read.
    """
    (before, old), (after, new) = read_assessment(first), read_assessment(second)
    confidence = float(after.task.gate["confidence"] or 0)
    found = [
        _compared(name, (before, old), (after, new), pair, confidence)
        for name, pair in _pairs((before, old), (after, new))
    ]
    adjusted = iter(together([one.paired for one in found if one.paired], confidence))
    return RunsCompared(
        first=str(old),
        second=str(new),
        first_answer=answer_line(before),
        second_answer=answer_line(after),
        confidence=confidence,
        changes=tuple(_changes(before, after)),
        rungs=tuple(one.but(paired=next(adjusted)) if one.paired else one for one in found),
    )


def _pairs(before: Run, after: Run) -> Iterator[tuple[str, tuple[str | None, str | None]]]:
    """Yield the rungs that a run measured, then the answers where they are of two rungs."""
    measured = [_measured(before), _measured(after)]
    higher, other = sorted(measured, key=len, reverse=True)
    for rung in dict.fromkeys((*higher, *other)):
        first, second = (rung if rung in each else None for each in measured)
        yield rung, (first, second)
    first, second = _answering(before[0]), _answering(after[0])
    if first in measured[0] and second in measured[1] and first != second:
        yield ANSWER, (first, second)


def _answering(found: Assessment) -> str:
    return CONTROL if found.recommendation.control else found.recommendation.rung or ""


def _measured(run: Run) -> dict[str, Side]:
    """Return what a run measured and kept answers of, by rung; a control that ended it first."""
    found, folder = run
    sides: dict[str, Side] = {}
    if found.recommendation.control and found.control and (folder / CONTROL / SAMPLES).is_file():
        line = found.control.judged_line
        sides[CONTROL] = Side(
            description=line.name, score=line.score, usd_per_1k=line.cost_usd_per_1k
        )
    return sides | {
        each.rung: _side(each, each.measurement) for each in found.attempts if each.measurement
    }


def _compared(
    name: str,
    before: Run,
    after: Run,
    rungs: tuple[str | None, str | None],
    confidence: float,
) -> RungsCompared:
    runs = (before, after)
    first, second = (
        _measured(run).get(rung) if rung else None for run, rung in zip(runs, rungs, strict=True)
    )
    if first is None or second is None:
        return RungsCompared(name=name, first=first, second=second)
    old, new = (_rows(folder, rung) for (_, folder), rung in zip(runs, rungs, strict=True))
    both = [row for row in new if row in old]
    shared = [row for row in both if _same_row(old[row], new[row])]
    scored = [row for row in shared if None not in (old[row]["score"], new[row]["score"])]
    scores = [(float(new[row]["score"]), float(old[row]["score"])) for row in scored]
    grouped = any("group" in new[row] for row in scored)
    groups = [new[row].get("group", row) for row in scored] if grouped else ()
    news, olds = [a for a, _ in scores], [b for _, b in scores]
    pairs = list(zip(scored, scores, strict=True))
    return RungsCompared(
        name=name,
        first=first,
        second=second,
        paired=comparison("first", news, olds, confidence, groups) if scored else None,
        won=tuple(row for row, (a, b) in pairs if a > b),
        lost=tuple(row for row, (a, b) in pairs if a < b),
        same_answer=sum(old[row]["answer"] == new[row]["answer"] for row in scored),
        apart=len(both) - len(shared),
    )


def _side(attempt: Attempt, m: Measurement) -> Side:
    return Side(
        description=attempt.candidate.description if attempt.candidate else "",
        score=m.score,
        p95_ms=m.latency_ms.p95 if m.latency_ms else None,
        usd_per_1k=m.cost_usd_per_1k,
    )


def _same_row(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    known = [name for name in CONTENTS if name in first and name in second]
    return all(first[name] == second[name] for name in known)


def _rows(folder: Path, rung: str | None) -> Rows:
    path = folder / str(rung) / SAMPLES
    return {row["id"]: row for row in kept_rows(path, ANSWERED)}


def _changes(before: Assessment, after: Assessment) -> Iterator[Change]:
    """Yield what the two runs do not have in common."""
    for part, facts in _facts(before).items():
        others = _facts(after)[part]
        for what in dict.fromkeys((*facts, *others)):
            first, second = facts.get(what, NONE), others.get(what, NONE)
            if first != second:
                yield Change(part=part, what=what, first=first, second=second)


def _facts(a: Assessment) -> dict[Part, dict[str, str]]:
    """Return what may differ between two runs: part -> what -> how it is."""
    task, counts = a.task, a.data
    return {
        "task": {
            "name": task.name,
            "goal": task.goal,
            "base model": task.base,
            "scorer": task.scorer,
            "seed": str(task.seed),
            **{f"gate {name}": _word(value) for name, value in task.gate.items()},
            "file, by digest": _short(task.digest),
        },
        "data": {
            **{f"{role}, by digest": _short(each) for role, each in counts.digests.items()},
        },
        "system": {
            attempt.rung: attempt.candidate.description
            for attempt in a.attempts
            if attempt.candidate
        },
        "code": {"ladder": a.ladder_version, **a.versions},
        "machine": {**a.hardware, **_where_else(a), **_beside_other_work(a)},
    }


def _where_else(a: Assessment) -> dict[str, str]:
    """Return where models answered, if not on the machine of the run."""
    found = a.cluster
    return {"answered on": f"the Ray cluster {found.address}"} if found else {}


def _beside_other_work(a: Assessment) -> dict[str, str]:
    """Return the rungs whose latency was timed while other work had the processors."""
    return {"timed beside other work": ", ".join(a.disturbed)} if a.disturbed else {}


def _word(value: float | str | None) -> str:
    return NONE if value is None else value if isinstance(value, str) else f"{value:g}"


def _short(digest: str) -> str:
    return digest[:12]
