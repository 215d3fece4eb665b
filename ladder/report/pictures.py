"""Pictures of the rungs side by side, each with its figures as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ladder.evidence import Assessment, Estimate
from ladder.figures import NARROW, Bar, Rule, Spot, intervals_svg, trade_svg
from ladder.report.blocks import Figure, tabled
from ladder.report.control import p95_of, shown_line
from ladder.report.headline import Step, mark_of, steps
from ladder.report.summary import usd
from ladder.wording import latency, span

MOST_BARS = 24
"""In the picture of kinds of row: those with most rows; the table has all."""
LONGEST_LABEL = 24
"""Characters."""


def scores_figure(a: Assessment) -> Figure | None:
    """Draw each rung's score beside the gate and the control; None where none was measured."""
    bars, rows = [], []
    for step, score in _measured(a):
        bars.append(_bar(step.name, score, step))
        rows.append((step.name, "eval", span(score), str(score.n), step.word))
        if step.chosen and (test := a.recommendation.confirmed):
            bars.append(Bar(f"{step.name}, test", test.mean, test.low, test.high, "chosen", True))
            rows.append((step.name, "test", span(test), str(test.n), "answer"))
    if not bars:
        return None
    least = _least(a)
    return Figure(
        f"Score of each rung with its {_confidence(a):g} % interval, beside the gate at {least:g}",
        lambda width: intervals_svg(bars, [Rule(least, f"gate {least:g}")], width),
        tabled(("rung", "examples", "score", "n", "verdict"), *rows),
    )


def trade_figure(a: Assessment) -> Figure | None:
    """Draw cost, latency and score of each system; None where fewer than two are known."""
    spots, rows = [], []
    for step, score in _measured(a):
        p95, cost = _latency_and_cost(a, step)
        if p95 is None:
            continue
        price = f", {usd(cost)} USD" if cost is not None else ""
        label = f"{step.name}{price}"
        spots.append(Spot(label, p95, score.mean, score.low, score.high, cost, mark_of(step)))
        known = "?" if cost is None else usd(cost)
        mean = "mean " if step.name == "control" and _is_mean(a) else ""
        rows.append((step.name, span(score), mean + latency(p95), known))
    if len(spots) < 2:
        return None
    most = a.task.gate.get("max_p95_ms")
    most_ms = float(most) if most is not None else None
    return Figure(
        "Score over p95 latency, with USD per 1,000 requests: up and to the left is better",
        lambda width: trade_svg(_named(spots, width), _least(a), most_ms, width),
        tabled(("system", "score", "p95", "$ per 1k"), *rows),
    )


def slices_figure(a: Assessment) -> Figure | None:
    """Draw each rung's score by kind of row; None where the task has no kinds."""
    measured = [(x, x.measurement) for x in a.attempts if x.measurement and x.measurement.slices]
    if not measured:
        return None
    stepped = {step.name: step for step in steps(a)}
    sizes: dict[str, int] = {}
    for _, m in measured:
        for kind, score in m.slices.items():
            sizes[kind] = max(sizes.get(kind, 0), score.n)
    shown = sorted(sizes, key=lambda kind: -sizes[kind])[: max(1, MOST_BARS // len(measured))]
    bars, rows = [], []
    for kind in sizes:
        for attempt, m in measured:
            found = m.slices.get(kind)
            if found is None:
                continue
            rows.append((kind, attempt.rung, span(found), str(found.n)))
            if kind in shown and found.n:
                label = f"{_short(kind)} · {attempt.rung}"
                bars.append(_bar(label, found, stepped[attempt.rung]))
    least = _least(a)
    return Figure(
        "Score by kind of row",
        lambda width: intervals_svg(bars, [Rule(least, f"gate {least:g}")], width),
        tabled(("kind of row", "rung", "score", "n"), *rows),
    )


def _measured(a: Assessment) -> Sequence[tuple[Step, Estimate]]:
    scores = {x.rung: x.measurement.score for x in a.attempts if x.measurement}
    if line := shown_line(a):
        scores["control"] = line.score
    return [(step, score) for step in steps(a) if (score := scores.get(step.name)) and score.n]


def _latency_and_cost(a: Assessment, step: Step) -> tuple[float | None, float | None]:
    if step.name == "control" and a.control and (line := shown_line(a)):
        return p95_of(a.control, line) or line.latency_ms, line.cost_usd_per_1k
    attempt = next(x for x in a.attempts if x.rung == step.name)
    m = attempt.measurement
    if m is None or m.latency_ms is None:
        return None, None
    return m.latency_ms.p95, m.cost_usd_per_1k


def _is_mean(a: Assessment) -> bool:
    """Tell whether the control was not timed row by row, so that its mean stands there."""
    line = shown_line(a)
    return bool(a.control and line and p95_of(a.control, line) is None)


def _bar(label: str, score: Estimate, step: Step) -> Bar:
    return Bar(label, score.mean, score.low, score.high, mark_of(step))


def _least(a: Assessment) -> float:
    return float(a.task.gate["min_score"] or 0)


def _confidence(a: Assessment) -> float:
    return 100 * float(a.task.gate["confidence"] or 0)


def _short(kind: str) -> str:
    return kind if len(kind) <= LONGEST_LABEL else f"{kind[: LONGEST_LABEL - 1]}…"


def _named(spots: Sequence[Spot], width: float) -> list[Spot]:
    """Return systems with as much of a label as a picture has room for: the table has the rest."""
    if width > NARROW:
        return list(spots)
    return [replace(spot, label=spot.label.partition(",")[0]) for spot in spots]
