"""One rung of the climb: race its candidates, measure the winner, explain a failure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ladder.climb.kept import keep_outcomes
from ladder.diagnosis.ablations import explain
from ladder.diagnosis.context_costs import context_costs
from ladder.diagnosis.cut_answers import why_none_began
from ladder.diagnosis.misses import misses
from ladder.economy.cost import since, together
from ladder.errors import EndpointDownError, NoVerdictError, SpendLimitError
from ladder.evaluation.against_teacher import against_teacher
from ladder.evaluation.calibration import calibration
from ladder.evaluation.comparing import compare
from ladder.evaluation.measure import measure
from ladder.evaluation.out_of_scope import chances_beyond
from ladder.evaluation.retrieval_health import retrieval_health
from ladder.evidence import (
    AgainstTeacher,
    Attempt,
    Calibration,
    Candidate,
    Diagnosis,
    Measurement,
    Misses,
    RaceLine,
    Status,
    Verdict,
)
from ladder.inference.answer import answer
from ladder.inference.outcome import Outcome, Scores, scores_of
from ladder.rungs import fixes
from ladder.rungs.protocol import Bench, Rung, Stage
from ladder.selection.fixes import apply_fixes
from ladder.selection.proving import compare_unseen, proving_rows
from ladder.selection.race import race

NO_SCORES: Scores = {}


def race_rung(bench: Bench, rung: Rung) -> tuple[Candidate | None, tuple[RaceLine, ...]]:
    """Race a rung's stages; each stage's candidates meet the incumbent of those before.

    Where an incumbent surely holds the gate, no further stage looks for a better one. A
    challenger, costlier or found by much searching, must also be better on fresh training examples.

    Raises:
        NoVerdictError: of every candidate's requests too many failed.
    """
    incumbent: Candidate | None = None
    lines: dict[str, RaceLine] = {}
    for stage in rung.STAGES:
        incumbent, found = _race_stage(bench, stage, incumbent)
        lines |= {line.candidate: line for line in found}
        if incumbent is not None and _holds(lines.get(incumbent.digest)):
            break
    # Without fresh training examples no challenger can win: none is tried.
    sought = incumbent is None or not _holds(lines.get(incumbent.digest))
    challenges = rung.CHALLENGERS if sought and proving_rows(bench.evaluator) else ()
    for number, stage in enumerate(challenges, start=1):
        before = incumbent
        try:
            incumbent, found = _race_stage(bench, stage, before)
            lines |= {line.candidate: line for line in found}
            if before is not None and incumbent is not None and incumbent != before:
                unseen = compare_unseen(bench.evaluator, before, incumbent)
                incumbent = incumbent if unseen and unseen.claim == "better" else before
        except NoVerdictError as error:  # it may have won: the rung cannot fail without it
            bench.evaluator.watch.say(f"  {error}")
            incumbent, name = before, f"challenge {number}: {error}"
            lines[name] = RaceLine(description=name, score=0.0, n=0, dropped=True, unheard=True)
    won = incumbent.digest if incumbent else ""
    last = [line.but(dropped=line.candidate != won) for line in lines.values()]
    return incumbent, tuple(sorted(last, key=lambda line: (-line.n, -line.score)))


def _holds(line: RaceLine | None) -> bool:
    return line is not None and line.settled == "holds"


def _race_stage(
    bench: Bench, stage: Stage, incumbent: Candidate | None
) -> tuple[Candidate | None, list[RaceLine]]:
    models = bench.evaluator.models
    with models.asking("prompt search"):
        candidates = stage(bench, incumbent)
    if incumbent is not None and candidates:
        candidates = [incumbent, *candidates]
    with models.asking("race"):
        return race(bench.evaluator, candidates) if candidates else (incumbent, [])


def attempt_rung(bench: Bench, rung: Rung, *, every: bool = False) -> tuple[Attempt, Scores]:
    """Build and race a rung's candidates, measure the winner, and explain a failure.

    Returns:
        the attempt, and the winner's scores on the eval set; none where it was not measured.
    """
    models, scores = bench.evaluator.models, NO_SCORES
    before, started = models.asked, time.perf_counter()
    try:
        attempt, scores = _attempted(bench, rung, every=every)
    except NoVerdictError as error:
        attempt = without_verdict(rung, str(error))
    seconds = round(time.perf_counter() - started, 2)
    asked = since(before, models.asked)
    return attempt.but(asked=asked, seconds=seconds), scores


def _attempted(bench: Bench, rung: Rung, *, every: bool) -> tuple[Attempt, Scores]:
    winner, lines = race_rung(bench, rung)
    if winner is None:
        return skipped(rung, "no candidate could be built"), NO_SCORES
    with bench.evaluator.models.asking("fixes"):
        winner, fixed = apply_fixes(bench.evaluator, winner)
    rows = bench.data.gate
    measurement, verdict, outcomes = measure(
        bench.evaluator,
        winner,
        rows,
        all_rows=every,
        failed_clearly=bench.history.failed_clearly,
        title=f"measuring {rung.NAME}",
    )
    scores = scores_of(outcomes)
    keep_outcomes(bench, rung.NAME, winner, outcomes)
    parts = Parts()
    status, reason = status_of(verdict, lines), ""
    if verdict.status == "none":
        reason = why_none_began(bench.evaluator, winner, outcomes)
    try:
        parts = _explained(bench, rung, winner, measurement, verdict, outcomes)
    except NoVerdictError as error:
        if status != "passed":
            status, reason = "no verdict", str(error)
    attempt = Attempt(
        rung=rung.NAME,
        status=status,
        reason=reason,
        candidate=winner,
        race=lines,
        measurement=measurement,
        verdict=verdict,
        diagnosis=parts.diagnosis,
        misses=parts.misses,
        fixes=fixed,
        retrieval=retrieval_health(bench.evaluator, winner.retrieval, [o.sample for o in outcomes]),
        comparisons=compare(
            rung.NAME, scores, bench.history.scores, rows, bench.task.gate.confidence
        ),
        against_teacher=parts.taught,
        calibration=_calibrated(bench, winner, lines, outcomes),
    )
    return attempt, scores


@dataclass(frozen=True)
class Parts:
    """What is found out beside the measurement."""

    diagnosis: Diagnosis | None = None
    misses: Misses | None = None
    taught: AgainstTeacher | None = None


def _explained(
    bench: Bench,
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
    diagnosis, seen, taught = None, None, None
    asking = bench.evaluator.models.asking
    if verdict.status != "pass":
        with asking("diagnosis"):
            diagnosis = explain(bench.evaluator, winner, verdict, outcomes, fixes())
    if not (diagnosis and diagnosis.ablations):  # they are run where the score is missed
        seen = misses(bench.evaluator, winner, outcomes)
    if rung.TRAINS == "student":
        taught = against_teacher(
            bench.evaluator,
            measurement,
            outcomes,
            bench.best_on_dev(),
            bench.history.scores,
            rung.NAME,
        )
    return Parts(diagnosis, seen, taught)


def explain_context(bench: Bench) -> None:
    """Measure what context costs, at the last rung that reads documents and was diagnosed.

    It decides nothing and may cost as much as all else: it is measured once, where no rung passed,
    and an outage or a limit on spending in the middle of it takes nothing from the answer.
    """
    history = bench.history
    for at, attempt in reversed(list(enumerate(history.attempts))):
        if attempt.candidate is None or not (attempt.diagnosis and attempt.diagnosis.ablations):
            continue
        before, started = bench.evaluator.models.asked, time.perf_counter()
        measured = history.scores[attempt.rung]
        rows = [row for row in bench.data.gate if row.id in measured]
        try:
            with bench.evaluator.models.asking("context curve"):
                found = context_costs(bench.evaluator, attempt.candidate, rows)
        except (NoVerdictError, EndpointDownError, SpendLimitError) as error:  # all else stands
            bench.evaluator.watch.say(f"  {error}")
            return
        if found is not None:
            history.attempts[at] = attempt.but(
                context=found,
                asked=together(attempt.asked, since(before, bench.evaluator.models.asked)),
                seconds=round(attempt.seconds + time.perf_counter() - started, 2),
            )
            return


def _calibrated(
    bench: Bench, winner: Candidate, lines: Sequence[RaceLine], outcomes: Sequence[Outcome]
) -> Calibration | None:
    """Say what a winner's chances are worth, by the dev answers that its race asked for.

    A classifier that tells its chances answers the other dev examples too: it takes no time.
    """
    evaluator, dev = bench.evaluator, bench.data.dev
    told = any(o.completion.choice_logprobs or o.completion.chance is not None for o in outcomes)
    if not told or not bench.data.labels:
        return None
    asks = {line.asks for line in lines if line.candidate == winner.digest}
    read = max((line.n + line.errors for line in lines if line.asks in asks), default=0)
    if any(outcome.completion.chance is not None for outcome in outcomes):
        read = len(dev)
    try:
        heard = answer(evaluator, winner, dev[:read], f"{winner.rung} on the dev examples")
        beyond = chances_beyond(evaluator, winner, len(heard), len(outcomes))
        return calibration(evaluator, winner, heard, outcomes, beyond)
    except NoVerdictError:  # its prior could not be asked for again
        return None


def status_of(verdict: Verdict, lines: Sequence[RaceLine]) -> Status:
    """Return the status of a measured rung.

    A rung fails only where each of its candidates was heard: one that failed by chance might have
    passed.
    """
    unheard = any(line.unheard for line in lines)
    if unheard and verdict.status != "pass" and not verdict.leans_to_pass:
        return "no verdict"
    known: dict[str, Status] = {"pass": "passed", "fail": "failed", "none": "no verdict"}
    return known.get(verdict.status, "undecided")


def skipped(rung: Rung, reason: str) -> Attempt:
    """Return the attempt at a rung that was not climbed."""
    return Attempt(rung=rung.NAME, status="skipped", reason=reason)


def refused(rung: Rung, below: Attempt) -> Attempt:
    """Return the attempt at a rung that cannot fix what failed below."""
    return Attempt(rung=rung.NAME, status="skipped", refused_after=below.rung)


def without_verdict(rung: Rung, reason: str) -> Attempt:
    """Return the attempt at a rung without a verdict: too many failed, an outage, a limit."""
    return Attempt(rung=rung.NAME, status="no verdict", reason=reason)
