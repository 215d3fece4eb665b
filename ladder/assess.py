"""The climb: the only loop that goes up a rung."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ladder import __version__
from ladder.costing import economics
from ladder.data_report import describe_data, headline, refuse_untestable
from ladder.economy.asked import since
from ladder.evidence import Assessment, Attempt, TaskRecord
from ladder.files import write_json_lines, write_whole
from ladder.gate.verdict import score_holds
from ladder.hardware import hardware, versions
from ladder.lifecycle.plan import make_plan
from ladder.recommend import recommend, savings
from ladder.redaction import redact_in
from ladder.report.markdown import as_markdown
from ladder.report.picture import costs_svg
from ladder.report.watch import Watch
from ladder.rungs import LADDER
from ladder.rungs.arms import explain
from ladder.rungs.asking import Outcome
from ladder.rungs.base import Climb, Rung
from ladder.rungs.comparing import compare
from ladder.rungs.context_costs import context_costs
from ladder.rungs.control import measure_control
from ladder.rungs.handed_over import retrieval_health
from ladder.rungs.judging import judge_agreement
from ladder.rungs.measuring import confirm, measure, score_with_leaks
from ladder.rungs.mending import mend
from ladder.rungs.opening import open_climb
from ladder.rungs.racing import race_rung
from ladder.rungs.teaching import DISTILL, against_teacher
from ladder.task import RungName, Task
from ladder.techniques import techniques
from ladder.training.card import write_card


def climb_rungs(
    climb: Climb, rungs: Sequence[Rung], *, until: RungName | None = None, every: bool = False
) -> list[Attempt]:
    """Go up rung by rung; stop at the first that passes, unless every rung is asked for."""
    for rung in rungs:
        reason = refusal(climb, rung, every=every)
        attempt = _skipped(rung, reason) if reason else attempt_rung(climb, rung, every=every)
        climb.attempts.append(attempt)
        climb.watch.say(outcome_line(attempt))
        if until == rung.NAME or (not every and ends(climb, attempt)):
            break
    return climb.attempts


def attempt_rung(climb: Climb, rung: Rung, *, every: bool = False) -> Attempt:
    """Build and race a rung's candidates, measure the winner, and explain a failure."""
    climb.watch.say(rung.NAME)
    before, started = climb.asked, time.perf_counter()
    winner, lines = race_rung(climb, rung)
    if winner is None:
        return _skipped(rung, "no candidate could be built")
    winner, mends = mend(climb, winner)
    rows = climb.splits.gate
    measurement, verdict, outcomes = measure(
        climb, winner, rows, all_rows=every, title=f"measuring {rung.NAME}"
    )
    climb.gate_scores[rung.NAME] = {o.sample.id: o.scores[0] for o in outcomes if o.scores}
    passed = verdict.status == "pass"
    diagnosis = None if passed else explain(climb, winner, verdict, outcomes)
    context = None
    if diagnosis and diagnosis.arms:  # they are run where the score is missed
        context = context_costs(climb, winner, [outcome.sample for outcome in outcomes])
    is_student = rung.NAME == DISTILL
    taught = against_teacher(climb, measurement, outcomes) if is_student else None
    _keep_outcomes(climb, rung, outcomes)
    status = {"pass": "passed", "fail": "failed"}.get(verdict.status, "undecided")
    decisive = [limit for limit in verdict.limits if limit.verdict == verdict.status]
    reason = "; ".join(f"{limit.limit}: {limit.reason}" for limit in decisive)
    return Attempt.model_validate(
        {
            "rung": rung.NAME,
            "status": status,
            "reason": reason,
            "candidate": winner,
            "race": lines,
            "measurement": measurement,
            "verdict": verdict,
            "diagnosis": diagnosis,
            "mends": mends,
            "context": context,
            "retrieval": retrieval_health(climb, winner.retrieval, rows),
            "comparisons": compare(climb, rung.NAME),
            "against_teacher": taught,
            "asked": since(before, climb.asked),
            "seconds": round(time.perf_counter() - started, 2),
        }
    )


def outcome_line(attempt: Attempt) -> str:
    """Say in one line how a rung went, for whoever watches."""
    m = attempt.measurement
    if m is None:
        return f"  {attempt.rung} not climbed: {attempt.reason}"
    return (
        f"  {attempt.status}, score {m.score.mean:.2f} on {m.score.n} rows, {attempt.seconds:.0f} s"
    )


def refusal(climb: Climb, rung: Rung, *, every: bool) -> str | None:
    """Return why a rung is not climbed: it cannot be tried, or cannot mend what failed."""
    missing = rung.unavailable(climb)
    if missing or every:
        return missing
    for attempt in climb.attempts:
        if attempt.diagnosis and rung.NAME in attempt.diagnosis.refuses:
            return f"refused after {attempt.rung}: {attempt.diagnosis.sentence}"
    teachable = [a for a in climb.attempts if a.verdict and score_holds(a.verdict)]
    asked = climb.task.models.teacher is not None or climb.task.rungs[0] == rung.NAME
    if rung.NAME == "distill" and not teachable and not asked:
        return "no system holds the score yet, so there is nothing worth teaching to a student"
    return None


def ends(climb: Climb, attempt: Attempt) -> bool:
    """Tell whether the climb ends at an attempt: it passed, or the task stops at undecided ones.

    By default an undecided rung leans by the estimate and the report says so: going up on noise
    costs a training, and the report names how many further rows would prove it.
    """
    if attempt.status != "undecided":
        return attempt.status == "passed"
    holds = bool(attempt.verdict and attempt.verdict.unproven)
    way = climb.task.gate.when_undecided
    if way == "ask":
        question = f"{attempt.rung} is undecided ({attempt.reason}). Climb on?"
        return not climb.watch.ask(question, default=not holds)
    return {"lean": holds, "climb": False, "stop": True}[way]


def choose(task: Task, attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the lowest rung that passed or, unproven, holds every limit by its estimate."""
    passed = [a for a in attempts if a.status == "passed"]
    holding = [a for a in attempts if a in passed or (a.verdict and a.verdict.unproven)]
    climbs_on = task.gate.when_undecided == "climb"
    return next(iter(passed if passed and climbs_on else holding), None)


def _skipped(rung: Rung, reason: str) -> Attempt:
    return Attempt(rung=rung.NAME, status="skipped", reason=reason)


def assess(
    task: Task,
    runs: Path,
    watch: Watch,
    *,
    until: RungName | None = None,
    every: bool = False,
) -> tuple[Assessment, Path]:
    """Assess a task: climb, recommend, confirm, plan, and write it all down.

    Args:
        task: the user's job.
        runs: folder of all runs; completions and trained artefacts are shared in it.
        watch: sees progress.
        until: the last rung to climb.
        every: measure every rung on every gate row, for comparison.

    Returns:
        the assessment, and the folder that holds it.
    """
    started = time.perf_counter()
    climb, rows = open_climb(task, runs, watch)
    report = describe_data(task, climb.splits, rows)
    watch.say(headline(task, report))
    refuse_untestable(task, report)
    judge = judge_agreement(climb)
    if judge:
        watch.say(judge.sentence)
    control = measure_control(climb)
    rungs = [rung for rung in LADDER if rung.NAME in task.rungs]
    climb_rungs(climb, rungs, until=until, every=every)
    chosen = choose(task, climb.attempts)
    confirmed = confirm(climb, chosen.candidate) if chosen and chosen.candidate else None
    leaky = score_with_leaks(climb, chosen.candidate) if chosen and chosen.candidate else None
    plan = make_plan(climb, chosen, confirmed[0] if confirmed else None) if chosen else None
    costs = economics(task, len(climb.splits.observed), len(climb.splits.gate), climb.attempts)
    rows_to_learn, memory = len(climb.splits.train), climb.training_memory()
    ways = techniques(task, climb.attempts, chosen, rows_to_learn, memory)
    assessment = Assessment(
        ladder_version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=TaskRecord(
            name=task.name,
            goal=task.goal,
            source=str(task.source),
            digest=task.digest,
            base=task.models.base,
            scorer=task.score[0].name,
            gate=task.gate.model_dump(),
            seed=task.seed,
        ),
        data=report,
        control=control,
        judge=judge,
        attempts=tuple(climb.attempts),
        recommendation=recommend(task, control, climb.attempts, chosen, confirmed, leaky, ways),
        economics=costs,
        savings=savings(task, report, climb.attempts, confirmed[2] if confirmed else 0),
        hardware=hardware(),
        versions=versions(),
        seconds=round(time.perf_counter() - started, 2),
        every_rung=every,
        plan="revalidation.yaml" if plan else None,
    )
    assessment = Assessment.model_validate(redact_in(assessment.model_dump(mode="json")))
    write_whole(climb.folder / "assessment.json", assessment.model_dump_json(indent=2) + "\n")
    write_whole(climb.folder / "report.md", as_markdown(assessment))
    if costs.bills:
        write_whole(climb.folder / "costs.svg", costs_svg(costs))
    if plan:
        write_whole(climb.folder / "revalidation.yaml", plan)
    for attempt in climb.attempts:
        if attempt.candidate is not None and attempt.candidate.build.folder:
            write_card(Path(attempt.candidate.build.folder), assessment, attempt)
    climb.store.close()
    return assessment, climb.folder


def _keep_outcomes(climb: Climb, rung: Rung, outcomes: Sequence[Outcome]) -> None:
    write_json_lines(
        climb.folder / rung.NAME / "samples.jsonl",
        (
            {
                "id": outcome.sample.id,
                "answer": outcome.text,
                "target": outcome.sample.target,
                "score": outcome.scores[0] if outcome.scores else None,
                "error": outcome.error,
            }
            for outcome in outcomes
        ),
    )
