"""The climb: the only loop that goes up a rung."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ladder import __version__
from ladder.advice.recommend import recommend, savings
from ladder.advice.techniques import techniques
from ladder.artefacts.card import write_card
from ladder.climb.opening import open_climb
from ladder.diagnosis.ablations import explain
from ladder.diagnosis.context_costs import context_costs
from ladder.economy.asked import since, together
from ladder.economy.bills import economics
from ladder.errors import EndpointDownError, NoVerdictError, SpendLimitError
from ladder.evaluation.against_teacher import DISTILL, against_teacher
from ladder.evaluation.comparing import compare
from ladder.evaluation.control import measure_control
from ladder.evaluation.measure import confirm, measure, score_with_leaks
from ladder.evaluation.retrieval_health import retrieval_health
from ladder.evidence import (
    AgainstTeacher,
    Asked,
    Assessment,
    Attempt,
    Candidate,
    Confirmation,
    ContextCosts,
    Control,
    DataReport,
    Diagnosis,
    JudgeAgreement,
    Measurement,
    RaceLine,
    Status,
    TaskRecord,
    Verdict,
)
from ladder.figures import costs_svg
from ladder.files import write_json_lines, write_whole
from ladder.gate.verdict import score_holds
from ladder.hardware import hardware, versions
from ladder.inference.answer import Outcome
from ladder.inference.evaluator import Climb
from ladder.inference.judge import judge_agreement
from ladder.lifecycle.plan import PLAN, make_plan
from ladder.progress import Watch
from ladder.redaction import redact_in
from ladder.report.markdown import as_markdown
from ladder.rungs import LADDER
from ladder.rungs.protocol import Rung
from ladder.samples.describe import describe_data, headline, refuse_untestable
from ladder.selection.fixes import mend
from ladder.selection.race import race_rung
from ladder.task import RungName, Task
from ladder.wording import counted, in_json

ENDED = (EndpointDownError, SpendLimitError)
"""What ends a run before its answer; what was measured so far is written down."""


def climb_rungs(
    climb: Climb, rungs: Sequence[Rung], *, until: RungName | None = None, every: bool = False
) -> list[Attempt]:
    """Go up rung by rung; stop at the first that passes, unless every rung is asked for.

    A rung without a verdict is never climbed past: what is above it may not be needed.

    Raises:
        EndpointDownError, SpendLimitError: the run ends; the rung has no verdict.
    """
    for rung in rungs:
        reason = refusal(climb, rung, every=every)
        before = climb.asked
        try:
            attempt = _skipped(rung, reason) if reason else attempt_rung(climb, rung, every=every)
        except ENDED as error:
            # The requests that ended the run never became answers: the endpoint has counted them.
            failed = Asked(errors=error.counts if isinstance(error, EndpointDownError) else {})
            asked = together(since(before, climb.asked), failed)
            climb.attempts.append(
                _without_verdict(rung, str(error)).model_copy(update={"asked": asked})
            )
            raise
        climb.attempts.append(attempt)
        climb.watch.say(outcome_line(attempt))
        if until == rung.NAME or attempt.status == "no verdict":
            break
        if not every and ends(climb, attempt):
            break
    return climb.attempts


def attempt_rung(climb: Climb, rung: Rung, *, every: bool = False) -> Attempt:
    """Build and race a rung's candidates, measure the winner, and explain a failure."""
    climb.watch.say(rung.NAME)
    before, started = climb.asked, time.perf_counter()
    try:
        attempt = _attempted(climb, rung, every=every)
    except NoVerdictError as error:
        attempt = _without_verdict(rung, str(error))
    seconds = round(time.perf_counter() - started, 2)
    return attempt.model_copy(update={"asked": since(before, climb.asked), "seconds": seconds})


def _attempted(climb: Climb, rung: Rung, *, every: bool) -> Attempt:
    winner, lines = race_rung(climb, rung)
    if winner is None:
        return _skipped(rung, "no candidate could be built")
    winner, mends = mend(climb, winner)
    rows = climb.splits.gate
    measurement, verdict, outcomes = measure(
        climb, winner, rows, all_rows=every, title=f"measuring {rung.NAME}"
    )
    climb.gate_scores[rung.NAME] = {o.sample.id: o.scores[0] for o in outcomes if o.scores}
    _keep_outcomes(climb, rung, outcomes)
    parts = Parts()
    status, reason = status_of(measurement, verdict, lines)
    try:
        parts = _explained(climb, rung, winner, measurement, verdict, outcomes)
    except NoVerdictError as error:
        if status != "passed":
            status, reason = "no verdict", str(error)
    return Attempt(
        rung=rung.NAME,
        status=status,
        reason=reason,
        candidate=winner,
        race=lines,
        measurement=measurement,
        verdict=verdict,
        diagnosis=parts.diagnosis,
        mends=mends,
        context=parts.context,
        retrieval=retrieval_health(climb, winner.retrieval, rows),
        comparisons=compare(climb, rung.NAME),
        against_teacher=parts.taught,
    )


@dataclass(frozen=True)
class Parts:
    """What is found out beside the measurement."""

    diagnosis: Diagnosis | None = None
    context: ContextCosts | None = None
    taught: AgainstTeacher | None = None


def _explained(
    climb: Climb,
    rung: Rung,
    winner: Candidate,
    measurement: Measurement,
    verdict: Verdict,
    outcomes: Sequence[Outcome],
) -> Parts:
    """Say why a rung did not pass, and how a student does beside its teacher.

    Raises:
        NoVerdictError: too many requests failed to say so.
    """
    if verdict.status == "none":
        return Parts()
    diagnosis, context, taught = None, None, None
    if verdict.status != "pass":
        diagnosis = explain(climb, winner, verdict, outcomes)
    if diagnosis and diagnosis.arms:  # they are run where the score is missed
        context = context_costs(climb, winner, [outcome.sample for outcome in outcomes])
    if rung.NAME == DISTILL:
        taught = against_teacher(climb, measurement, outcomes)
    return Parts(diagnosis, context, taught)


def status_of(
    measured: Measurement, verdict: Verdict, lines: Sequence[RaceLine]
) -> tuple[Status, str]:
    """Return the status of a measured rung, and the reason.

    A rung fails only where each of its candidates was heard: one that failed by chance might have
    passed.
    """
    decisive = [limit for limit in verdict.limits if limit.verdict == verdict.status]
    reason = "; ".join(f"{limit.limit}: {limit.reason}" for limit in decisive)
    if verdict.status == "none":
        kinds = counted(measured.error_kinds)
        words = f" ({kinds}: {measured.commonest_error})" if kinds else ""
        return "no verdict", f"{reason}{words}"
    lost = [line for line in lines if line.inconclusive]
    if lost and verdict.status != "pass" and not verdict.unproven:
        names = ", ".join(line.technique for line in lost)
        return "no verdict", f"too many requests failed to race {names}; what was raced: {reason}"
    known: dict[str, Status] = {"pass": "passed", "fail": "failed"}
    return known.get(verdict.status, "undecided"), reason


def outcome_line(attempt: Attempt) -> str:
    """Say in one line how a rung went, for whoever watches."""
    m = attempt.measurement
    if m is None and attempt.status == "no verdict":
        return f"  no verdict: {attempt.reason}"
    if m is None:
        return f"  {attempt.rung} not climbed: {attempt.reason}"
    failed = counted(attempt.asked.errors)
    score = f"score {m.score.mean:.2f} on {m.score.n} rows" if m.score.n else "no score"
    return f"  {attempt.status}, {score}, {attempt.seconds:.0f} s" + (
        f", requests that failed: {failed}" if failed else ""
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
    judged = [a for a in attempts if a.status != "no verdict"]
    passed = [a for a in judged if a.status == "passed"]
    holding = [a for a in judged if a in passed or (a.verdict and a.verdict.unproven)]
    climbs_on = task.gate.when_undecided == "climb"
    return next(iter(passed if passed and climbs_on else holding), None)


def _skipped(rung: Rung, reason: str) -> Attempt:
    return Attempt(rung=rung.NAME, status="skipped", reason=reason)


def _without_verdict(rung: Rung, reason: str) -> Attempt:
    return Attempt(rung=rung.NAME, status="no verdict", reason=reason)


@dataclass
class Climbed:
    """What a climb found, as far as it came."""

    judge: JudgeAgreement | None = None
    control: Control | None = None
    chosen: Attempt | None = None
    confirmed: Confirmation | None = None
    stopped: str = ""
    """Why it ended before its answer."""

    @property
    def certified(self) -> bool:
        """Whether there is an answer to keep alive: no sealed row speaks against it."""
        return (
            self.confirmed is not None
            and not self.stopped
            and self.confirmed.verdict.verdict in ("pass", "undecided")
        )


def _climb(climb: Climb, *, until: RungName | None, every: bool) -> Climbed:
    """Measure the control, climb, and put the chosen rung to the sealed rows."""
    found = Climbed()
    try:
        found.judge = judge_agreement(climb)
        if found.judge:
            climb.watch.say(found.judge.sentence)
        found.control = measure_control(climb)
        rungs = [rung for rung in LADDER if rung.NAME in climb.task.rungs]
        climb_rungs(climb, rungs, until=until, every=every)
        found.chosen = choose(climb.task, climb.attempts)
        if found.chosen and found.chosen.candidate:
            found.confirmed = confirm(climb, found.chosen.candidate)
            leaky = score_with_leaks(climb, found.chosen.candidate)
            found.confirmed = found.confirmed.model_copy(update={"leaky": leaky})
    except (*ENDED, NoVerdictError) as error:
        found.stopped = str(error)
    finally:
        climb.spending.count_rest()
    return found


def assess(
    task: Task,
    runs: Path,
    watch: Watch,
    *,
    until: RungName | None = None,
    every: bool = False,
) -> tuple[Assessment, Path]:
    """Assess a task: climb, recommend, confirm, plan, and write it all down.

    Where an endpoint is down or the spending limit is reached, what was measured so far is written
    down with the reason (`Assessment.stopped`), and nothing is recommended.

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
    found = _climb(climb, until=until, every=every)
    plan = None
    if found.chosen and found.confirmed and found.certified:
        plan = make_plan(climb, found.chosen, found.confirmed.score)
    seconds = round(time.perf_counter() - started, 2)
    assessment = _assessment(climb, report, found, seconds).model_copy(
        update={"every_rung": every, "plan": PLAN if plan else None}
    )
    # What is shown and kept names no password or key that a model's address may hold.
    assessment = Assessment.model_validate(redact_in(assessment.model_dump(mode="json")))
    _write(climb, assessment, plan)
    climb.store.close()
    return assessment, climb.folder


def _assessment(climb: Climb, report: DataReport, found: Climbed, seconds: float) -> Assessment:
    task, attempts = climb.task, tuple(climb.attempts)
    confirmed, rows = found.confirmed, len(climb.splits.train)
    ways = techniques(task, attempts, found.chosen, rows, climb.training_memory())
    return Assessment(
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
        control=found.control,
        judge=found.judge,
        attempts=attempts,
        recommendation=recommend(
            task, found.control, attempts, found.chosen, confirmed, ways, found.stopped
        ),
        economics=economics(task, len(climb.splits.observed), len(climb.splits.gate), attempts),
        savings=savings(task, report, attempts, confirmed.rows if confirmed else 0),
        hardware=hardware(),
        versions=versions(),
        seconds=seconds,
        stopped=found.stopped,
        plan=None,
    )


def _write(climb: Climb, assessment: Assessment, plan: str | None) -> None:
    """Write the record, the report, the picture of costs, the plan and the cards of artefacts."""
    folder = climb.folder
    record = in_json(assessment.model_dump_json(indent=2))
    write_whole(folder / "assessment.json", f"{record}\n")
    write_whole(folder / "report.md", as_markdown(assessment))
    if assessment.economics and assessment.economics.bills:
        write_whole(folder / "costs.svg", costs_svg(assessment.economics))
    if plan:
        write_whole(folder / PLAN, plan)
    for attempt in climb.attempts:
        if attempt.candidate is not None and attempt.candidate.build.folder:
            write_card(Path(attempt.candidate.build.folder), assessment, attempt)


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
