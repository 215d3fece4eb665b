"""What the chances of a system's answers are worth, and what may be answered by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evaluation.calibration import LEAST_ROWS
from ladder.evidence import Abstention, Assessment, Calibration, Estimate, Reliability
from ladder.evidence.calibration import CalibrationMethod
from ladder.figures import reliability_svg
from ladder.report.blocks import Block, Figure, say, tabled
from ladder.report.control import replaced_by_control

METHODS: dict[CalibrationMethod, str] = {
    "none": "not calibrated: no correction lowered the Brier score, cross-fitted on the dev set",
    "platt": "calibrated by Platt scaling",
    "isotonic": "calibrated by isotonic regression",
}
JUDGED = {
    "pass": "held on the eval set",
    "fail": "not held on the eval set",
    "undecided": "neither proven nor refuted on the eval set",
    "none": "no eval example reaches it",
}


def calibration_line(a: Assessment) -> str:
    """Return the line of a terminal: of the answer, else of the last rung that has chances."""
    whose, found = _answering(a)
    if found is None:
        return ""
    parts = f"ECE {_ece(found.before)}"
    parts += f", calibrated {_ece(found.after)}" if found.curve else ", not calibrated"
    return f"probabilities of {whose}: {parts}; {abstention_words(found.abstention)}"


def _answering(a: Assessment) -> tuple[str, Calibration | None]:
    """Return what is to answer, and what its chances are worth; None: it has none."""
    if a.recommendation.control or replaced_by_control(a):
        return "the linear control", a.control_calibration
    chosen = a.chosen
    known = [x for x in a.attempts if x.calibration and (chosen is None or x.rung == chosen.rung)]
    return (known[-1].rung, known[-1].calibration) if known else ("", None)


def calibration_blocks(found: Calibration | None, whose: str = "the") -> Iterator[Block]:
    """Yield what the chances of a system's answers are worth; nothing where they have none.

    Args:
        found: what they are worth.
        whose: answers they are, where not those of the rung that is told of.
    """
    if found is None:
        return
    yield say(
        f"Probabilities of {whose} answers, {_method(found)}: {_figures(found.before)}"
        + (f" as given; {_figures(found.after)} calibrated." if found.curve else ".")
        + f" A perfectly calibrated system of n = {found.before.n} stays below ECE "
        + f"{found.after.ece_by_chance:.3f} in 95 of 100 cases."
        + (f" {found.without} scored answers have none." if found.without else "")
    )
    words = abstention_words(found.abstention)
    yield say(f"{words[:1].upper()}{words[1:]}.")
    if found.before.bins:
        yield reliability_figure(found)


def abstention_words(found: Abstention) -> str:
    """Say what can be answered at the certified error, or what it would take to tell."""
    error = f"{100 * found.error:g} %"
    if found.threshold is None:
        return _not_certified(found, error) + _spread(found)
    share = f"{_percent(found.share)} of the inputs" if found.share else "no input"
    wrong = f": {_percent(found.wrong)} of those wrong (n = {found.wrong.n})" if found.wrong else ""
    among = ", out-of-scope inputs among them" if found.beyond_rows[0] else ""
    astray = f"; of out-of-scope inputs {_percent(found.beyond)} are" if found.beyond else ""
    return (
        f"from a probability of {found.threshold:.2f} on, certified on {found.dev_rows} dev "
        f"examples{_and_beyond(found)}, {share} can be answered with at most {error} wrong{among}; "
        f"{JUDGED[found.verdict]}{wrong}{astray}"
        f"{_spread(found)}"
    )


def _not_certified(found: Abstention, error: str) -> str:
    said = (
        f"{found.dev_rows} dev examples{_and_beyond(found)} certify no threshold above which at "
        f"most {error} of the answers are wrong"
    )
    if found.needed is None:
        return f"{said}: the surest answers are wrong too often"
    return f"{said}: it would take {found.needed:,} or more"


def _spread(found: Abstention) -> str:
    """Say how sure the system is of what no label answers, beside what one does."""
    if found.medians is None:
        return ""
    within, beyond = found.medians
    return (
        f"; half of the answers to {found.beyond_rows[1]:,} out-of-scope inputs have a probability "
        f"of {beyond:.2f} or more, of those to eval examples {within:.2f}"
    )


def _and_beyond(found: Abstention) -> str:
    beyond, _ = found.beyond_rows
    return f" and {beyond:,} out-of-scope input{'s' if beyond > 1 else ''}" if beyond else ""


def reliability_figure(found: Calibration) -> Figure:
    """Draw how often answers are right over the chance that they were given."""
    before, after = _points(found.before), _points(found.after) if found.curve else ()
    rows = [_row("as given", point, n) for point, n in before]
    rows += [_row("calibrated", point, n) for point, n in after]
    return Figure(
        "How often answers are right over their probability: on the dashed line the two agree",
        lambda width: reliability_svg([p for p, _ in before], [p for p, _ in after], width),
        tabled(("probabilities", "mean", "share right", "n"), *rows),
    )


Point = tuple[float, float, float, float]


def _points(found: Reliability) -> Sequence[tuple[Point, int]]:
    return [
        ((each.chance, each.right.mean, each.right.low, each.right.high), each.right.n)
        for each in found.bins
    ]


def _row(name: str, point: Point, n: int) -> tuple[str, ...]:
    chance, mean, low, high = point
    return name, f"{chance:.2f}", f"{mean:.2f} ({low:.2f}–{high:.2f})", str(n)


def _method(found: Calibration) -> str:
    if found.dev_rows < LEAST_ROWS:
        return f"not calibrated: {found.dev_rows} dev examples are too few to learn from"
    on = f" on {found.dev_rows} dev examples"
    return METHODS[found.method] + ("" if found.method == "none" else on)


def _figures(found: Reliability) -> str:
    brier = found.brier
    return f"ECE {_ece(found)}, Brier {brier.mean:.3f} ({brier.low:.3f}–{brier.high:.3f})"


def _ece(found: Reliability) -> str:
    if found.ece_low is None or found.ece_high is None:
        return f"{found.ece:.3f}"
    return f"{found.ece:.3f} ({found.ece_low:.3f}–{found.ece_high:.3f})"


def _percent(found: Estimate) -> str:
    return f"{100 * found.mean:.1f} % ({100 * found.low:.1f}–{100 * found.high:.1f})"
