"""From the attempts to the answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ladder.advice.training_methods import score_of
from ladder.economy.cost import usd_per_month
from ladder.evidence import (
    CONTROL,
    Attempt,
    Candidate,
    Confirmation,
    Control,
    DataReport,
    Measurement,
    Recommendation,
    Savings,
    TrainingMethod,
)
from ladder.task import RungName, Task


def recommend(
    task: Task,
    control: Control | None,
    attempts: Sequence[Attempt],
    chosen: Attempt | None,
    confirmed: Confirmation | None,
    stopped: str = "",
    trains: Mapping[RungName, str] | None = None,
) -> Recommendation:
    """Return the recommendation with its reasons.

    Nothing is recommended that the held-out test set refutes, or that too many failed requests kept
    from being confirmed.

    Args:
        task: the user's job.
        control: what answers without a language model score.
        attempts: what was measured.
        chosen: the lowest rung that passed, if any.
        confirmed: what it did on the held-out test set.
        stopped: why the climb ended before its answer.
        trains: every rung there is -> what it trains (`rungs.protocol.Trains`).
    """
    withheld = _withheld(attempts, chosen, confirmed, stopped)
    refuted = confirmed is not None and confirmed.verdict.verdict == "fail"
    if chosen is None or chosen.candidate is None or chosen.measurement is None:
        return Recommendation(
            rung=None,
            description="none of the rungs",
            withheld=withheld,
            reasons=tuple(_why_none(attempts, control, withheld, trains or {})),
        )
    if withheld or refuted:
        return Recommendation(
            rung=None,
            description=chosen.candidate.description,
            tested=chosen.rung,
            confirmed=confirmed.score if confirmed else None,
            confirmed_verdict=confirmed.verdict.verdict if confirmed else None,
            withheld=withheld,
            with_leaked_rows=confirmed.leaky if confirmed else None,
            reasons=tuple(_why_not_confirmed(attempts, chosen, control, withheld)),
        )
    return Recommendation(
        rung=chosen.rung,
        description=chosen.candidate.description,
        tested=chosen.rung,
        leans_to_pass=chosen.status != "passed",
        confirmed=confirmed.score if confirmed else None,
        confirmed_verdict=confirmed.verdict.verdict if confirmed else None,
        with_leaked_rows=confirmed.leaky if confirmed else None,
        reasons=tuple(_why(attempts, chosen, control)),
        instead=control_instead(chosen, control, task.gate.min_score),
        cost=_cost(task, chosen.measurement),
        deployment=_deployment(task, chosen.candidate, chosen.measurement),
    )


def with_training_methods(found: Recommendation, ways: Sequence[TrainingMethod]) -> Recommendation:
    """Return a recommendation with every way of training; none is chosen where nothing stands."""
    stands = found.rung is not None or not (found.withheld or found.tested)
    chosen = tuple(way if stands else way.but(chosen=False) for way in ways)
    return found.but(training_methods=chosen)


def _cost(task: Task, measured: Measurement) -> dict[str, float | None]:
    volume, per_1k = task.use.requests_per_month, measured.cost_usd_per_1k
    return {
        "usd_per_1k": per_1k,
        "usd_per_month": None if per_1k is None else usd_per_month(per_1k, volume),
        "build_usd": measured.build.usd,
        "requests_per_month": float(volume),
    }


def _deployment(task: Task, candidate: Candidate, measured: Measurement) -> dict[str, Any]:
    return {
        "model": candidate.model,
        "adapter": candidate.adapter,
        "form": candidate.form,
        "instruction": candidate.instruction or task.goal,
        "reads": candidate.retrieval and candidate.retrieval.model_dump(),
        "fingerprint": measured.fingerprint,
    }


def savings(
    task: Task,
    data: DataReport,
    attempts: Sequence[Attempt],
    confirming: int,
    trainings: Sequence[RungName],
) -> Savings:
    """Return what was answered, against measuring every rung on every held-out example.

    Args:
        task: the user's job.
        data: how many held-out examples there are.
        attempts: what was measured.
        confirming: requests on the held-out test set.
        trainings: the rungs that train.
    """
    measured = [(a.rung, a.measurement) for a in attempts if a.measurement]
    each = {rung: m.tokens.input_mean + m.tokens.output_mean for rung, m in measured}
    made = sum(m.requests for _, m in measured) + confirming
    tokens = sum(m.requests * each[rung] for rung, m in measured)
    climbed = set(each)
    rows = data.gate + data.sealed
    dearest = max(each.values(), default=0.0)
    return Savings(
        calls_made=made,
        calls_if_exhaustive=len(task.rungs) * rows,
        tokens_made=round(tokens + confirming * (list(each.values()) or [0.0])[-1]),
        tokens_if_exhaustive=round(sum(rows * each.get(rung, dearest) for rung in task.rungs)),
        trainings_made=len(climbed & set(trainings)),
        training_avoided=tuple(r for r in trainings if r in task.rungs and r not in climbed),
    )


def control_instead(chosen: Attempt, control: Control | None, min_score: float) -> str:
    """Say that the control is the better choice, where the chosen rung is not proven better."""
    found = next((c for c in chosen.comparisons if c.other == CONTROL), None)
    if control is None or found is None or found.claim == "better":
        return ""
    best = max(control.lines, key=lambda line: line.score.mean)
    against = (
        f"{chosen.rung} is not proven better than {best.name}, which needs no language model: "
        f"{found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f}, p {found.p_value:.2f}) "
        f"on {found.n} rows."
    )
    if best.score.mean >= min_score:
        return f"{against} Take {best.name} instead: {best.score.mean:.2f} holds the gate too."
    short = min_score - best.score.mean
    missed = f"Its {best.score.mean:.2f} misses the gate by {short:.2f}"
    return f"{against} {missed}: consider it all the same."


def _measured(attempt: Attempt) -> str:
    if attempt.measurement is None:
        return attempt.reason
    word = (
        "is the first rung that passes"
        if attempt.status == "passed"
        else "is inconclusive, leans to pass"
    )
    return f"{attempt.rung} {word}: {score_of(attempt)}."


def _fixed(attempt: Attempt) -> list[str]:
    """Say what had to be fixed for this rung to be what it is."""
    what = ", ".join(
        f"{fix.cause} ({fix.change}: {fix.unseen.difference:+.2f})"
        for fix in attempt.fixes
        if fix.kept and fix.unseen
    )
    return [f"Mended first, by rows that chose nothing: {what}."] if what else []


def _line(attempt: Attempt) -> str:
    if attempt.status == "no verdict":  # the answer itself says why
        return f"{attempt.rung}: no verdict"
    return f"{attempt.rung} {attempt.status}: {_short(attempt)}"


def _short(attempt: Attempt) -> str:
    if attempt.diagnosis:
        return attempt.diagnosis.sentence
    return attempt.reason


def _why(attempts: Sequence[Attempt], chosen: Attempt, control: Control | None) -> list[str]:
    """Say why a rung is recommended: what it scored, and why those below it are not."""
    reasons = [_measured(chosen), *_fixed(chosen)]
    below = list(attempts)[: list(attempts).index(chosen)]
    reasons += [_line(attempt) for attempt in below]
    if chosen.status != "passed" and chosen.verdict:
        more = [limit.more_rows for limit in chosen.verdict.limits if limit.more_rows]
        rows = f"; about {max(more):,} more rows would settle it" if more else ""
        reasons.append(f"Unproven: the estimates hold every limit, the evidence does not{rows}.")
    return [*reasons, *([control.sentence] if control else [])]


def _withheld(
    attempts: Sequence[Attempt],
    chosen: Attempt | None,
    confirmed: Confirmation | None,
    stopped: str,
) -> str:
    """Return why there is no verdict, or nothing where there is one."""
    if stopped:
        return stopped
    if chosen is not None:
        if confirmed is not None and confirmed.verdict.verdict == "none":
            return f"{chosen.rung} is not confirmed: {confirmed.verdict.reason}"
        return ""
    without = [attempt for attempt in attempts if attempt.status == "no verdict"]
    return f"{without[0].rung}: {without[0].reason}" if without else ""


def _why_not_confirmed(
    attempts: Sequence[Attempt], chosen: Attempt, control: Control | None, withheld: str
) -> list[str]:
    reasons = [_line(attempt) for attempt in attempts]
    if withheld:
        reasons.append(f"{chosen.rung} is not confirmed on sealed rows: nothing is called passed.")
    else:
        reasons.append("The sealed rows miss the gate: do not ship on this.")
    return [*reasons, *([control.sentence] if control else [])]


def _why_none(
    attempts: Sequence[Attempt],
    control: Control | None,
    withheld: str,
    trains: Mapping[RungName, str],
) -> list[str]:
    reasons = [_line(attempt) for attempt in attempts]
    if withheld:
        above = "Nothing is concluded from this, and no rung above is climbed to."
        return [*reasons, above, *([control.sentence] if control else [])]
    bases = {rung for rung, what in trains.items() if what == "base"}
    refused = [a for a in attempts if a.diagnosis and bases & set(a.diagnosis.refuses)]
    if refused:
        reasons.append("Do not train for this: fix what the diagnosis names, then assess again.")
    elif left_out := [rung for rung in trains if rung not in {a.rung for a in attempts}]:
        reasons.append(
            f"Not measured: {', '.join(left_out)}, left out by `rungs:` or --until. Whether they "
            "would pass is not known: climb on before you decide against them."
        )
    else:
        reasons.append("No rung passes this gate with this base model: try a stronger base first.")
    measured = [a.measurement.score.mean for a in attempts if a.measurement]
    best = max((line.score.mean for line in control.lines), default=0.0) if control else 0.0
    if control and measured and best > max(measured):
        reasons.append(f"The best measured so far needs no language model: {best:.2f}.")
    if control:
        reasons.append(control.sentence)
    return reasons


def choose(task: Task, attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the lowest rung that passed or, leans_to_pass, holds every limit by its estimate."""
    judged = [a for a in attempts if a.status != "no verdict"]
    passed = [a for a in judged if a.status == "passed"]
    holding = [a for a in judged if a in passed or (a.verdict and a.verdict.leans_to_pass)]
    climbs_on = task.gate.when_undecided == "climb"
    return next(iter(passed if passed and climbs_on else holding), None)
