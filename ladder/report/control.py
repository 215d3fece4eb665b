"""What the report says of the control: what answers without a language model."""

from __future__ import annotations

from ladder.evidence import Assessment, Attempt, Comparison, Control, ControlLine
from ladder.wording import apart


def control_sentence(a: Assessment) -> str:
    """Say what the best control scores, and what follows from it.

    Args:
        a: with a control.
    """
    assert a.control is not None
    best, min_score = a.control.best, float(a.task.gate["min_score"] or 0)
    if best.score.n == 0:
        return "What answers without a language model score is unknown: the judge graded none."
    if best.score.mean >= min_score:
        return (
            f"{best.name}, without any language model, scores {best.score.mean:.2f} and the gate "
            f"asks for {min_score:.2f}: consider it first."
        )
    if control_leads(a):
        return (
            f"Without a language model the best is {best.name} at {best.score.mean:.2f}: above "
            "every rung that was measured."
        )
    return (
        f"Without a language model the best is {best.name} at {best.score.mean:.2f}: a rung that "
        "does not clearly beat this is not worth its model."
    )


def control_leads(a: Assessment) -> bool:
    """Tell whether what answers without a language model is above every rung that was measured."""
    if a.control is None or not a.control.best.score.n:
        return False
    measured = [attempt.measurement.score.mean for attempt in a.attempts if attempt.measurement]
    return bool(measured) and a.control.best.score.mean > max(measured)


def control_instead(chosen: Attempt, control: Control | None, min_score: float) -> str:
    """Say that the control is the better choice, where the chosen rung is not proven better.

    Returns:
        nothing where it is, where there is no control, or where the two were not compared.
    """
    found = _unproven(chosen)
    if control is None or found is None:
        return ""
    best = control.best
    against = (
        f"{chosen.rung} is not proven better than {best.name}, which needs no language model: "
        f"{apart(found.difference, 3)} ({found.low:+.3f} to {found.high:+.3f}, "
        f"p {found.p_value:.2f}) on {found.n} rows."
    )
    if best.score.mean >= min_score:
        judged = control.verdict.status if control.verdict else "none"
        proven = judged == "pass" and control.judged == best.name
        how = "too" if proven else "by the estimate, without a proof"
        return (
            f"{against} Take {best.name} instead: its {best.score.mean:.2f} holds the gate {how}."
        )
    short = min_score - best.score.mean
    missed = f"Its {best.score.mean:.2f} misses the gate by {short:.2f}"
    return f"{against} {missed}: consider it all the same."


def _unproven(chosen: Attempt) -> Comparison | None:
    """Return the comparison with the control that proves nothing for the chosen rung."""
    found = chosen.over_control
    return None if found is None or found.claim == "better" else found


def shown_line(a: Assessment) -> ControlLine | None:
    """Return the control that stands beside the rungs: the answer, where it is one, else the best.

    Which one answers was chosen on the dev set; the best on the eval set is there to be beaten.
    """
    if a.control is None:
        return None
    return a.control.judged_line if a.recommendation.control else a.control.best


def p95_of(control: Control, line: ControlLine) -> float | None:
    """Return the 95th percentile of a control, in ms; None: it was not timed row by row."""
    limits = control.verdict.limits if control.verdict and line.name == control.judged else ()
    return next((limit.got for limit in limits if limit.limit == "max_p95_ms"), None)


def take_control(a: Assessment) -> str:
    """Say that the control is the better choice; nothing where a rung is, or none is chosen."""
    chosen = a.chosen
    return control_instead(chosen, a.control, _min_score(a)) if chosen else ""


def replaced_by_control(a: Assessment) -> bool:
    """Tell whether the report says to take the control instead of the rung that was chosen."""
    chosen = a.chosen
    if chosen is None or a.control is None or _unproven(chosen) is None:
        return False
    return a.control.best.score.mean >= _min_score(a)


def _min_score(a: Assessment) -> float:
    return float(a.task.gate["min_score"] or 0)
