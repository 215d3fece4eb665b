"""The only loop that goes up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ladder.advice.recommend import choose
from ladder.climb.attempt import (
    NO_SCORES,
    attempt_rung,
    explain_context,
    refused,
    skipped,
    without_verdict,
)
from ladder.climb.kept import TEST, keep_outcomes
from ladder.economy.cost import since, together
from ladder.errors import EndpointDownError, NoVerdictError, SpendLimitError
from ladder.evaluation.confirm import confirm, score_with_leaks
from ladder.evaluation.control import (
    confirm_control,
    control_calibration,
    control_latency,
    fitted_way,
    measure_control,
    outcomes_of,
)
from ladder.evaluation.parity import parity, parity_line
from ladder.evaluation.people import judge_agreement
from ladder.evidence import (
    CONTROL,
    Asked,
    Attempt,
    Calibration,
    Confirmation,
    Control,
    JudgeAgreement,
)
from ladder.evidence.parity import Parity
from ladder.progress import Confirmed, RungEnded, RungStarted
from ladder.rungs import LADDER
from ladder.rungs.protocol import Bench, Rung
from ladder.task import RungName, Task
from ladder.wording import counted, span

ENDED = (EndpointDownError, SpendLimitError)
"""What ends a run before its answer; what was measured so far is written down."""


def climb_rungs(
    bench: Bench, rungs: Sequence[Rung], *, until: RungName | None = None, every: bool = False
) -> list[Attempt]:
    """Go up rung by rung; stop at the first that passes, unless every rung is asked for.

    A rung without a verdict is never climbed past: what is above it may not be needed.

    Raises:
        EndpointDownError, SpendLimitError: the run ends; the rung has no verdict.
    """
    for rung in rungs:
        left_out = not_climbed(bench, rung, every=every)
        before = bench.evaluator.models.asked
        try:
            if left_out:
                attempt, scores = left_out, NO_SCORES
            else:
                bench.evaluator.watch.say(rung.NAME)
                bench.evaluator.watch.tell(_started(bench.task, rung.NAME))
                attempt, scores = attempt_rung(bench, rung, every=every)
        except ENDED as error:
            # The requests that ended the run never became answers: the endpoint has counted them.
            failed = Asked(errors=error.counts if isinstance(error, EndpointDownError) else {})
            asked = together(since(before, bench.evaluator.models.asked), failed)
            ended = without_verdict(rung, str(error))
            bench.history.add(ended.but(asked=asked))
            raise
        bench.history.add(attempt, scores)
        bench.evaluator.watch.say(outcome_line(attempt))
        bench.evaluator.watch.tell(_ended(attempt))
        if until == rung.NAME or attempt.status == "no verdict":
            break
        if not every and ends(bench, attempt):
            break
    return bench.history.attempts


def _started(task: Task, rung: RungName) -> RungStarted:
    """Return that a rung is climbed, for whoever watches."""
    of = len(task.rungs)
    return RungStarted(rung, task.rungs.index(rung) + 1 if rung in task.rungs else of, of)


def _ended(attempt: Attempt) -> RungEnded:
    """Return how a rung went, for whoever watches."""
    measured = attempt.measurement
    score = measured.score if measured and measured.score.n else None
    return RungEnded(
        rung=attempt.rung,
        status=attempt.status,
        reason=attempt.reason or attempt.refused_after or "",
        score=score.mean if score else None,
        low=score.low if score else None,
        high=score.high if score else None,
        n=score.n if score else 0,
        seconds=attempt.seconds,
    )


def _confirmed(found: Confirmation, rung: str) -> Confirmed:
    """Return what the held-out test examples said, for whoever watches."""
    score = found.score
    return Confirmed(rung, score.n, score.mean, score.low, score.high, found.verdict.verdict)


def outcome_line(attempt: Attempt) -> str:
    """Say in one line how a rung went, for whoever watches."""
    m = attempt.measurement
    if m is None and attempt.status == "no verdict":
        return f"  no verdict: {attempt.reason}"
    if m is None:
        below = f"it cannot fix what {attempt.refused_after} lacks"
        return f"  {attempt.rung} not climbed: {attempt.reason or below}"
    failed = counted(attempt.asked.errors)
    score = f"score {m.score.mean:.2f} on {m.score.n} rows" if m.score.n else "no score"
    return f"  {attempt.status}, {score}, {attempt.seconds:.0f} s" + (
        f", requests that failed: {failed}" if failed else ""
    )


def control_passes(control: Control) -> bool:
    """Tell whether answers without a language model hold the gate, and are to end the climb."""
    return control.verdict is not None and control.verdict.status == "pass"


def control_line(control: Control) -> str:
    """Say in one line that no language model is needed, for whoever watches."""
    judged = control.judged_line
    return (
        f"control\n  passed, score {judged.score.mean:.2f} on {judged.score.n} rows: {judged.name} "
        "needs no language model; --climb measures the rungs all the same"
    )


def _climbed_on(control: Control) -> str:
    """Say in one line that the control is not the answer, for whoever watches."""
    judged, verdict = control.judged_line, control.verdict
    word = {"fail": "failed", "undecided": "undecided"}.get(verdict.status if verdict else "", "")
    score = f"score {judged.score.mean:.2f} on {judged.score.n} rows"
    return (
        f"control\n  {word or 'without a verdict'}, {score}: {judged.name}; the rungs are climbed"
    )


def judge_line(judge: JudgeAgreement) -> str:
    """Say in one line how far people agree with the judge, for whoever watches."""
    if judge.agree is None:
        return f"judge {judge.model}: its agreement with people is unknown"
    return f"judge {judge.model}: agrees with people on {span(judge.agree)} of {judge.n} answers"


def not_climbed(bench: Bench, rung: Rung, *, every: bool) -> Attempt | None:
    """Return the attempt at a rung that is not climbed.

    None where it is climbed. It is not where it cannot be tried, cannot fix what failed below, or
    is pointless by its own account.
    """
    missing = rung.needs(bench.task, bench.data) or rung.unavailable(bench)
    if bench.history.parity and bench.history.parity.verdict == "fails":
        missing = parity_line(bench.history.parity)
    if missing or every:
        return skipped(rung, missing) if missing else None
    for attempt in bench.history.attempts:
        if attempt.diagnosis and rung.NAME in attempt.diagnosis.refuses:
            return refused(rung, attempt)
    reason = rung.pointless(bench)
    return skipped(rung, reason) if reason else None


def ends(bench: Bench, attempt: Attempt) -> bool:
    """Tell whether the climb ends at an attempt: it passed, or the task stops at undecided ones.

    By default an undecided rung leans by the estimate and the report says so: going up on noise
    costs a training, and the report names how many further rows would prove it.
    """
    if attempt.status != "undecided":
        return attempt.status == "passed"
    holds = bool(attempt.verdict and attempt.verdict.leans_to_pass)
    way = bench.task.gate.when_undecided
    if way == "ask":
        question = f"{attempt.rung} is undecided ({undecided_limits(attempt)}). Climb on?"
        return not bench.evaluator.watch.ask(question, default=not holds)
    return {"lean": holds, "climb": False, "stop": True}[way]


def undecided_limits(attempt: Attempt) -> str:
    """Say in a few words which limits are undecided, for whoever is asked."""
    limits = attempt.verdict.limits if attempt.verdict else ()
    return "; ".join(
        f"{limit.limit} {limit.wanted:g}: "
        + ("unknown" if limit.got is None else f"{limit.got:.3g} measured")
        for limit in limits
        if limit.verdict == "undecided"
    )


@dataclass
class Climbed:
    """What a climb found, as far as it came."""

    judge: JudgeAgreement | None = None
    parity: Parity | None = None
    """Of a base that is a GGUF file."""
    control: Control | None = None
    control_calibration: Calibration | None = None
    at_control: bool = False
    """Whether it ended before the first rung: the control passed."""
    chosen: Attempt | None = None
    confirmed: Confirmation | None = None
    stopped: str = ""
    """Why it ended before its answer."""

    @property
    def certified(self) -> bool:
        """Whether there is an answer worth revalidating: the test set does not refute it."""
        return (
            self.confirmed is not None
            and self.chosen is not None
            and not self.stopped
            and self.confirmed.verdict.verdict in ("pass", "undecided")
        )


def climb_task(bench: Bench, *, until: RungName | None, every: bool) -> Climbed:
    """Measure the control, climb, and put the chosen rung to the held-out test examples.

    Where the control holds the gate, and the task does not say otherwise, no rung is climbed.
    """
    found = Climbed()
    try:
        bench.evaluator.models.learn_abilities()
        found.judge = judge_agreement(bench.evaluator)
        if found.judge:
            bench.evaluator.watch.say(judge_line(found.judge))
        found.control, scores = measure_control(bench.evaluator)
        found.control_calibration = control_calibration(bench.evaluator)
        bench.history.control, bench.history.scores[CONTROL] = found.control, scores
        if found.control and control_passes(found.control) and not every:
            bench.evaluator.watch.say(control_line(found.control))
            found.control, found.confirmed = _confirmed_control(bench, found.control)
            found.at_control = True
            return found
        if found.control and found.control.verdict:
            bench.evaluator.watch.say(_climbed_on(found.control))
        found.parity = bench.history.parity = parity(bench.evaluator)
        if found.parity:
            bench.evaluator.watch.say(parity_line(found.parity))
        rungs = [rung for rung in LADDER if rung.NAME in bench.task.rungs]
        attempts = climb_rungs(bench, rungs, until=until, every=every)
        found.chosen = choose(bench.task, attempts)
        if found.chosen is None and all(one.status != "no verdict" for one in attempts):
            explain_context(bench)
        if found.chosen and found.chosen.candidate:
            with bench.evaluator.models.asking("confirmation"):
                found.confirmed, outcomes = confirm(bench.evaluator, found.chosen.candidate)
                keep_outcomes(bench, TEST, found.chosen.candidate, outcomes)
                bench.evaluator.watch.tell(_confirmed(found.confirmed, found.chosen.rung))
                scores = bench.history.scores[found.chosen.rung]
                leaky = score_with_leaks(bench.evaluator, found.chosen.candidate, scores)
            found.confirmed = found.confirmed.but(leaky=leaky)
    except (*ENDED, NoVerdictError) as error:
        found.stopped = str(error)
    finally:
        _tell_estimated(bench)
    return found


def _confirmed_control(bench: Bench, control: Control) -> tuple[Control, Confirmation]:
    """Put the control that passed to the held-out test examples, and time it; keep its answers."""
    evaluator, way = bench.evaluator, control.judged
    predict = fitted_way(evaluator, way)
    keep_outcomes(bench, CONTROL, None, outcomes_of(evaluator, predict, bench.data.gate))
    confirmed, outcomes = confirm_control(evaluator, way, predict)
    keep_outcomes(bench, TEST, None, outcomes)
    evaluator.watch.tell(_confirmed(confirmed, CONTROL))
    return control.but(latency=control_latency(evaluator, predict)), confirmed


def _tell_estimated(bench: Bench) -> None:
    """Say what of the spending is an estimate: answers that never came and may be billed."""
    usd = bench.evaluator.models.spending.estimated_here
    if usd:
        bench.evaluator.watch.say(
            f"{usd:.2g} USD of the spending is estimated: requests that gave no answer in time, or "
            "broke off, count as what they may have cost at most"
        )
