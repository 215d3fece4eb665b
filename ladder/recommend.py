"""From the attempts to the answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.economy.cost import usd_per_month
from ladder.evidence import (
    CONTROL,
    Attempt,
    Control,
    DataReport,
    Estimate,
    LimitVerdict,
    Recommendation,
    Savings,
    Technique,
)
from ladder.task import RUNGS, RungName, Task
from ladder.techniques import score_of

Confirmation = tuple[Estimate, LimitVerdict, int]


def recommend(
    task: Task,
    control: Control | None,
    attempts: Sequence[Attempt],
    chosen: Attempt | None,
    confirmed: Confirmation | None,
    leaky: Estimate | None = None,
    ways: tuple[Technique, ...] = (),
) -> Recommendation:
    """Return the recommendation with its reasons."""
    if chosen is None or chosen.candidate is None or chosen.measurement is None:
        return Recommendation(
            rung=None,
            technique="none of the rungs",
            reasons=tuple(_why_none(task, attempts, control)),
            techniques=ways,
        )
    unproven = chosen.status != "passed"
    measured = chosen.measurement
    reasons = [_measured(chosen)]
    reasons += _mended(chosen)
    below = list(attempts)[: list(attempts).index(chosen)]
    reasons += [f"{attempt.rung} {attempt.status}: {_short(attempt)}" for attempt in below]
    if unproven and chosen.verdict:
        more = [limit.more_rows for limit in chosen.verdict.limits if limit.more_rows]
        rows = f"; about {max(more):,} more rows would settle it" if more else ""
        reasons.append(f"Unproven: the estimates hold every limit, the evidence does not{rows}.")
    if confirmed and confirmed[1].verdict == "fail":
        reasons.append("Not confirmed: the sealed rows miss the gate. Do not ship on this.")
    if control:
        reasons.append(control.sentence)
    volume = task.use.requests_per_month
    per_1k = measured.cost_usd_per_1k
    return Recommendation(
        rung=chosen.rung,
        technique=chosen.candidate.technique,
        unproven=unproven,
        confirmed=confirmed[0] if confirmed else None,
        confirmed_verdict=confirmed[1].verdict if confirmed else None,
        with_leaked_rows=leaky,
        reasons=tuple(reasons),
        instead=control_instead(chosen, control, task.gate.min_score),
        techniques=ways,
        cost={
            "usd_per_1k": per_1k,
            "usd_per_month": None if per_1k is None else usd_per_month(per_1k, volume),
            "build_usd": measured.build.usd,
            "requests_per_month": float(volume),
        },
        deployment={
            "model": chosen.candidate.model,
            "adapter": chosen.candidate.adapter,
            "form": chosen.candidate.form,
            "instruction": chosen.candidate.instruction or task.goal,
            "reads": chosen.candidate.retrieval and chosen.candidate.retrieval.model_dump(),
            "fingerprint": measured.fingerprint,
        },
    )


def savings(task: Task, data: DataReport, attempts: Sequence[Attempt], confirming: int) -> Savings:
    """Return what was answered, against measuring every rung on every held-out row."""
    measured = [(a.rung, a.measurement) for a in attempts if a.measurement]
    each = {rung: m.tokens.input_mean + m.tokens.output_mean for rung, m in measured}
    made = sum(m.requests for _, m in measured) + confirming
    tokens = sum(m.requests * each[rung] for rung, m in measured)
    trainings: tuple[RungName, ...] = ("lora", "distill")
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
    word = "is the first rung that passes" if attempt.status == "passed" else "leads, unproven"
    return f"{attempt.rung} {word}: {score_of(attempt)}."


def _mended(attempt: Attempt) -> list[str]:
    """Say what had to be mended for this rung to be what it is."""
    what = ", ".join(
        f"{mend.cause} ({mend.change}: {mend.unseen.difference:+.2f})"
        for mend in attempt.mends
        if mend.kept and mend.unseen
    )
    return [f"Mended first, by rows that chose nothing: {what}."] if what else []


def _short(attempt: Attempt) -> str:
    if attempt.diagnosis:
        return attempt.diagnosis.sentence
    return attempt.reason


def _why_none(task: Task, attempts: Sequence[Attempt], control: Control | None) -> list[str]:
    reasons = [f"{a.rung} {a.status}: {_short(a)}" for a in attempts]
    refused = [a for a in attempts if a.diagnosis and "lora" in a.diagnosis.refuses]
    if refused:
        reasons.append("Do not train for this: mend what the diagnosis names, then assess again.")
    elif left_out := [rung for rung in RUNGS if rung not in {a.rung for a in attempts}]:
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
