"""`ladder compare`: two runs, row by row where they share rows, and what changed between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ladder.evaluation.comparing import comparison, together
from ladder.evidence import Assessment, Attempt
from ladder.evidence.compared import Change, Part, RungsCompared, RunsCompared, Side
from ladder.report.kept import ANSWERED, SAMPLES, kept_rows
from ladder.report.reading import read_assessment
from ladder.report.summary import answer_line
from ladder.task import RungName

ANSWER = "answer"
CONTENTS = ("input", "target")
"""What makes two rows of one id the same row; runs of before kept no inputs."""
NONE = "–"

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
        for name, pair in _pairs(before, after)
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


def _pairs(
    before: Assessment, after: Assessment
) -> Iterator[tuple[str, tuple[RungName | None, RungName | None]]]:
    """Yield the rungs that a run measured, then the answers where they are of two rungs."""
    measured = [_measured(before), _measured(after)]
    higher, other = sorted(measured, key=len, reverse=True)
    for rung in dict.fromkeys((*higher, *other)):
        first, second = (rung if rung in each else None for each in measured)
        yield rung, (first, second)
    answers = before.recommendation.rung, after.recommendation.rung
    if all(answers) and answers[0] != answers[1]:
        yield ANSWER, answers


def _measured(found: Assessment) -> dict[RungName, Attempt]:
    return {attempt.rung: attempt for attempt in found.attempts if attempt.measurement}


def _compared(
    name: str,
    before: tuple[Assessment, Path],
    after: tuple[Assessment, Path],
    rungs: tuple[RungName | None, RungName | None],
    confidence: float,
) -> RungsCompared:
    runs = (before, after)
    first, second = (
        _side(_measured(run).get(rung) if rung else None)
        for (run, _), rung in zip(runs, rungs, strict=True)
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


def _side(attempt: Attempt | None) -> Side | None:
    if attempt is None or attempt.measurement is None:
        return None
    m = attempt.measurement
    return Side(
        description=attempt.candidate.description if attempt.candidate else "",
        score=m.score,
        p95_ms=m.latency_ms.p95 if m.latency_ms else None,
        usd_per_1k=m.cost_usd_per_1k,
    )


def _same_row(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    known = [name for name in CONTENTS if name in first and name in second]
    return all(first[name] == second[name] for name in known)


def _rows(folder: Path, rung: RungName | None) -> Rows:
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
        "machine": a.hardware,
    }


def _word(value: float | str | None) -> str:
    return NONE if value is None else value if isinstance(value, str) else f"{value:g}"


def _short(digest: str) -> str:
    return digest[:12]
