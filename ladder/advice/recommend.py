"""From the attempts to the answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ladder.economy.cost import usd_per_month
from ladder.economy.sizing import Wanted, size
from ladder.evidence import (
    Advice,
    Attempt,
    Candidate,
    Confirmation,
    Control,
    Latency,
    LimitName,
    Measurement,
    Recommendation,
    Sizing,
    TokenUse,
    TrainingMethod,
    Verdict,
)
from ladder.task import RungName, Task

NO_RUNG = "none of the rungs"
SPEED: frozenset[LimitName] = frozenset({"max_p95_ms", "max_cost_usd_per_1k"})
"""Limits that hang on the machine and the size of the model, and not on what it knows."""


def recommend(
    task: Task,
    attempts: Sequence[Attempt],
    chosen: Attempt | None,
    confirmed: Confirmation | None,
    stopped: str = "",
    trains: Mapping[RungName, str] | None = None,
    *,
    weights_here: bool = True,
) -> Recommendation:
    """Return the recommendation.

    Nothing is recommended that the held-out test set refutes, or that too many failed requests kept
    from being confirmed.

    Args:
        task: the user's job.
        attempts: what was measured.
        chosen: the lowest rung that passed, if any.
        confirmed: what it did on the held-out test set.
        stopped: why the climb ended before its answer.
        trains: every rung there is -> what it trains (`rungs.protocol.Trains`).
        weights_here: of the base, in a form that can be trained.
    """
    withheld = _withheld(attempts, chosen, confirmed, stopped)
    refuted = confirmed is not None and confirmed.verdict.verdict == "fail"
    if chosen is None or chosen.candidate is None or chosen.measurement is None:
        if withheld:
            return Recommendation(rung=None, description=NO_RUNG, withheld=True)
        return _without_a_rung(attempts, trains or {}, weights_here=weights_here)
    if withheld or refuted:
        return Recommendation(
            rung=None,
            description=chosen.candidate.description,
            tested=chosen.rung,
            confirmed=confirmed.score if confirmed else None,
            confirmed_verdict=confirmed.verdict.verdict if confirmed else None,
            openings=confirmed.openings if confirmed else 0,
            withheld=withheld,
            sealed_failures=confirmed.failures if confirmed else None,
            with_leaked_rows=confirmed.leaky if confirmed else None,
        )
    return Recommendation(
        rung=chosen.rung,
        description=chosen.candidate.description,
        tested=chosen.rung,
        leans_to_pass=chosen.status != "passed",
        confirmed=confirmed.score if confirmed else None,
        confirmed_verdict=confirmed.verdict.verdict if confirmed else None,
        openings=confirmed.openings if confirmed else 0,
        with_leaked_rows=confirmed.leaky if confirmed else None,
        cost=_cost(task, chosen.measurement),
        deployment=_deployment(task, chosen.candidate, chosen.measurement),
        sizing=_sizing(task, chosen.measurement.latency_ms, chosen.measurement.tokens),
    )


def at_control(task: Task, control: Control, confirmed: Confirmation) -> Recommendation:
    """Return the recommendation of no language model at all, as far as the test set allows.

    Args:
        task: the user's job.
        control: its judged line passed the gate.
        confirmed: what that did on the held-out test set.
    """
    word = confirmed.verdict.verdict
    return Recommendation(
        rung=None,
        control=word != "fail",
        description=control.judged,
        confirmed=confirmed.score,
        confirmed_verdict=word,
        openings=confirmed.openings,
        sizing=None if word == "fail" else _sizing(task, control.latency),
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
    says_goal = candidate.with_goal or candidate.form == "chat"  # a chat begins with it
    return {
        "model": candidate.model,
        "adapter": candidate.adapter,
        "form": candidate.form,
        "instruction": (candidate.instruction or task.goal) if says_goal else "",
        "reads": candidate.retrieval and candidate.retrieval.model_dump(),
        "fingerprint": measured.fingerprint,
        "data_may_leave": task.rules.data_may_leave,
        "prices": task.prices and task.prices.model_dump(mode="json"),
    }


def _sizing(task: Task, latency: Latency | None, tokens: TokenUse | None = None) -> Sizing | None:
    """Return the machines for the task's own volume; memory is looked up by `ladder size`."""
    wanted = Wanted(
        requests_per_month=task.use.requests_per_month,
        usd_per_hour=task.hardware.usd_per_hour,
        limit_ms=task.gate.max_p95_ms,
        worked=task.hardware.utilisation,
        confidence=task.gate.confidence,
    )
    return size(latency, wanted, tokens, prices=task.prices)


def _withheld(
    attempts: Sequence[Attempt],
    chosen: Attempt | None,
    confirmed: Confirmation | None,
    stopped: str,
) -> bool:
    """Tell whether there is no verdict."""
    if stopped:
        return True
    if chosen is not None:
        return confirmed is not None and confirmed.verdict.verdict == "none"
    return any(attempt.status == "no verdict" for attempt in attempts)


def _without_a_rung(
    attempts: Sequence[Attempt], trains: Mapping[RungName, str], *, weights_here: bool
) -> Recommendation:
    """Return what to do where no rung passes."""
    bases = {rung for rung, what in trains.items() if what == "base"}
    beyond = () if weights_here else bases
    others = [rung for rung in trains if rung not in {a.rung for a in attempts}]
    left_out = [rung for rung in others if rung not in beyond]
    advice: Advice = "climb on" if left_out else "stronger base"
    if any(a.diagnosis and bases & set(a.diagnosis.refuses) for a in attempts):
        advice = "fix"
    held = tuple(a.rung for a in attempts if a.verdict and _misses_speed_alone(a.verdict))
    if held and not left_out:
        advice = "lighter"
    return Recommendation(
        rung=None,
        description=NO_RUNG,
        advice=advice,
        holds_score=held if advice == "lighter" else (),
        not_measured=tuple(left_out) if advice == "climb on" else (),
        needs_weights=tuple(rung for rung in others if rung in beyond),
    )


def _misses_speed_alone(verdict: Verdict) -> bool:
    """Tell whether every limit but those of latency and cost holds, at least by its estimate."""
    others = [limit for limit in verdict.limits if limit.limit not in SPEED]
    holds = all(
        limit.verdict == "pass" or (limit.verdict == "undecided" and (limit.distance or 0.0) >= 0)
        for limit in others
    )
    return verdict.status == "fail" and bool(others) and holds


def choose(task: Task, attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the lowest rung that passed or, leaning to pass, holds every limit by its estimate."""
    judged = [a for a in attempts if a.status != "no verdict"]
    passed = [a for a in judged if a.status == "passed"]
    holding = [a for a in judged if a in passed or (a.verdict and a.verdict.leans_to_pass)]
    climbs_on = task.gate.when_undecided == "climb"
    return next(iter(passed if passed and climbs_on else holding), None)
