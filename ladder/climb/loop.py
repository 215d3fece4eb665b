"""The only loop that goes up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ladder.advice.recommend import choose
from ladder.climb.attempt import attempt_rung, skipped, without_verdict
from ladder.economy.cost import since, together
from ladder.errors import EndpointDownError, NoVerdictError, SpendLimitError
from ladder.evaluation.confirm import confirm, score_with_leaks
from ladder.evaluation.control import measure_control
from ladder.evaluation.people import judge_agreement
from ladder.evidence import Asked, Attempt, Confirmation, Control, JudgeAgreement
from ladder.gate.verdict import score_holds
from ladder.inference.evaluator import Climb
from ladder.rungs import LADDER
from ladder.rungs.protocol import Rung
from ladder.task import RungName
from ladder.wording import counted

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
            attempt = skipped(rung, reason) if reason else attempt_rung(climb, rung, every=every)
        except ENDED as error:
            # The requests that ended the run never became answers: the endpoint has counted them.
            failed = Asked(errors=error.counts if isinstance(error, EndpointDownError) else {})
            asked = together(since(before, climb.asked), failed)
            climb.attempts.append(
                without_verdict(rung, str(error)).model_copy(update={"asked": asked})
            )
            raise
        climb.attempts.append(attempt)
        climb.watch.say(outcome_line(attempt))
        if until == rung.NAME or attempt.status == "no verdict":
            break
        if not every and ends(climb, attempt):
            break
    return climb.attempts


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


def climb_task(climb: Climb, *, until: RungName | None, every: bool) -> Climbed:
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
