"""A rehearsal: is a certified answer still to be had? Loaded, checked, and asked anew.

Nothing is taken from a cache, and nothing is left behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ladder.artefacts.inspection import canary_finding
from ladder.climb.opening import COMPLETIONS, make_bench
from ladder.climb.preflight import refuse_at_once
from ladder.engines.base import here
from ladder.engines.local import LocalEngine
from ladder.engines.passport import PASSPORT, read_passport
from ladder.errors import EngineError
from ladder.evaluation.control import fitted_way, measure_way, outcomes_of
from ladder.evidence import CONTROL, Candidate, RevalidationPlan
from ladder.files import private_folder
from ladder.gate.paired import mcnemar
from ladder.inference.answer import answer
from ladder.inference.outcome import Outcome
from ladder.lifecycle.own_rows import with_own_rows
from ladder.lifecycle.plan import (
    learn_abilities,
    load_plan,
    reads_others,
    refuse_other_endpoint,
    task_of,
    with_secrets,
)
from ladder.models.cache import Cache
from ladder.models.staying import stay_here
from ladder.progress import Watch
from ladder.report.kept import ANSWERED, SAMPLES, kept_rows
from ladder.rungs.protocol import Bench
from ladder.samples.loading import load_data
from ladder.samples.rows import Sample
from ladder.trust.code import Granted

ROWS = 20
WORSE = 0.05
"""Chance that answers which are as good as before are called worse, one-sided."""


@dataclass(frozen=True)
class Rehearsal:
    """What came of it."""

    rows: int = 0
    same: int | None = None
    """Answers that are to the letter as they were kept; None: none were."""
    score_then: float | None = None
    score_now: float | None = None
    findings: tuple[str, ...] = ()
    """Reasons not to rely on it."""
    answers: Mapping[str, str] | None = None
    """Sample id -> what was answered now; None: nothing was."""


def rehearse(path: Path, watch: Watch, granted: Granted = "trusted", rows: int = ROWS) -> Rehearsal:
    """Load a certified answer, check passport and canaries, and have it answer rows again.

    Args:
        path: its plan.
        watch: sees progress.
        granted: what of the code that the task names may run (`ladder.trust.code`).
        rows: eval examples to answer, of those that its run has kept, in their order.

    Raises:
        TaskError, DataError: the plan, its task or its rows are not there, or are wrong.
    """
    plan = load_plan(path)
    task = task_of(path, plan, granted)
    plan = with_secrets(plan, path, task)
    refuse_other_endpoint(path, plan, task)
    refuse_at_once(task)
    stay_here(task)
    with tempfile.TemporaryDirectory(prefix=".rehearsal-", dir=path.parent) as made:
        folder = private_folder(Path(made))
        cache = Cache(folder / COMPLETIONS)
        try:
            data = with_own_rows(load_data(task, cache, watch), path, plan)
            bench = make_bench(task, data, cache, folder, folder / "artefacts", watch)
            learn_abilities(bench, plan)
            if plan.candidate is None:
                return _by_way(bench, plan, path.parent / CONTROL / SAMPLES)
            kept = _kept(path.parent / plan.candidate.rung / SAMPLES)
            return _asked(bench, plan.candidate, kept, rows)
        except EngineError as error:  # a passport that does not hold, a server that is gone
            return Rehearsal(findings=(f"it cannot be had: {error}",))
        finally:
            cache.close()


def _kept(path: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in kept_rows(path, ANSWERED) if row["error"] is None}


def _by_way(bench: Bench, plan: RevalidationPlan, file: Path) -> Rehearsal:
    """Have a way without a language model answer every row that its run has kept: it is quick."""
    if not file.is_file():
        return _measured(bench, plan)
    kept = _kept(file)
    rows = [_row(name, values) for name, values in kept.items()]
    outcomes = outcomes_of(bench.evaluator, fitted_way(bench.evaluator, plan.control), rows)
    return _compared([(one, kept[one.sample.id]) for one in outcomes], list(_others(bench, plan)))


def _measured(bench: Bench, plan: RevalidationPlan) -> Rehearsal:
    """Measure the way of a run that has kept no answers, on the eval examples of today."""
    error = 1 - bench.task.gate.confidence
    now, then = measure_way(bench.evaluator, plan.control, error)[0].score, plan.baseline.gate_rows
    fell = f"the score fell from {then.mean:.3f} to {now.mean:.3f}"
    findings = [fell] if now.high < then.low else []
    findings += _others(bench, plan)
    return Rehearsal(now.n, None, then.mean, now.mean, tuple(findings))


def _others(bench: Bench, plan: RevalidationPlan) -> Iterator[str]:
    if names := reads_others(plan, bench.task):
        yield f"it is fitted on other rows than were certified: {names}"


def _row(name: str, values: Mapping[str, Any]) -> Sample:
    """Return a row as its run has kept it."""
    first, *others = values.get("targets") or [values.get("target") or ""]
    kind, group = str(values.get("slice") or ""), str(values.get("group") or "")
    asked = str(values.get("input") or "")
    return Sample(name, asked, first, tuple(others), group=group, stratum=kind)


def _asked(
    bench: Bench, candidate: Candidate, kept: Mapping[str, dict[str, Any]], rows: int
) -> Rehearsal:
    engine = here(bench.evaluator.engine(candidate).engine)
    findings = list(_of_artefact(candidate))
    moved = canary_finding(engine) if isinstance(engine, LocalEngine) else None
    findings += [moved] if moved else []
    samples = [s for s in bench.data.gate if _is_kept(s, kept)][:rows]
    if not samples:
        gone = "none of the eval examples that its run has kept is in the task's data any more"
        return Rehearsal(findings=(*findings, gone))
    outcomes = answer(bench.evaluator, candidate, samples, "rehearsing")
    pairs = [(one, kept[one.sample.id]) for one in outcomes if one.error is None]
    lost = [one for one in outcomes if one.error is not None]
    if lost:
        findings.append(f"{len(lost)} of {len(outcomes)} requests failed: {lost[0].error}")
    return _compared(pairs, findings, len(samples))


def _compared(
    pairs: Sequence[tuple[Outcome, Mapping[str, Any]]],
    findings: list[str],
    asked: int | None = None,
) -> Rehearsal:
    """Return what came of rows, each with what its run has kept of it."""
    then = [was["score"] for one, was in pairs if _scored(one, was)]
    now = [one.score for one, was in pairs if one.score is not None and _scored(one, was)]
    return Rehearsal(
        rows=len(pairs) if asked is None else asked,
        same=sum(one.text == was["answer"] for one, was in pairs),
        score_then=fmean(then) if then else None,
        score_now=fmean(now) if now else None,
        findings=(*findings, *_worse(pairs)),
        answers={one.sample.id: one.text for one, _ in pairs},
    )


def _is_kept(sample: Sample, kept: Mapping[str, dict[str, Any]]) -> bool:
    return sample.id in kept and kept[sample.id].get("input") == sample.input


def _of_artefact(candidate: Candidate) -> Iterator[str]:
    """Say that a trained artefact has nothing to be checked by; its digests are, on loading."""
    made = candidate.adapter or candidate.build.folder
    if made and read_passport(Path(made)) is None:
        yield f"{made} has no {PASSPORT}: nothing vouches for its weights"


def _scored(one: Outcome, was: Mapping[str, Any]) -> bool:
    return one.score is not None and was["score"] is not None


def _worse(pairs: Sequence[tuple[Outcome, Mapping[str, Any]]]) -> Iterator[str]:
    """Say that the answers have become worse beyond chance (exact McNemar, by sign)."""
    gaps = [(one.score or 0) - was["score"] for one, was in pairs if _scored(one, was)]
    won, lost = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    if lost > won and mcnemar(won, lost) / 2 <= WORSE:
        yield f"{lost} of {len(gaps)} answers score less than they did, {won} more"
