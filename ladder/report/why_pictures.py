"""Pictures of why a rung did not pass, each with its figures as a table."""

from __future__ import annotations

from ladder.evidence import Attempt, ContextCosts, Diagnosis
from ladder.figures import Bar, Mark, Rule, curve_svg, intervals_svg
from ladder.report.blocks import Figure, tabled
from ladder.wording import span


def ablations_figure(attempt: Attempt, found: Diagnosis) -> Figure:
    """Draw what each ablation scores beside the rung as it was measured.

    Args:
        attempt: the rung.
        found: its diagnosis, with at least one ablation.
    """
    own = attempt.measurement.score if attempt.measurement else None
    changed = sorted(found.ablations.items(), key=lambda item: -item[1].mean)
    bars = []
    for name, one in changed:
        helps: Mark = "good" if own and one.low > own.high else "reference"
        bars.append(Bar(name, one.mean, one.low, one.high, helps))
    rows = [(name, span(one), str(one.n)) for name, one in changed]
    rules = [Rule(least, f"gate {least:g}") for least in _gate(attempt)]
    if own:
        bars.append(Bar("as measured", own.mean, own.low, own.high, "reference", hollow=True))
        rows.append(("as measured", span(own), str(own.n)))
        rules.append(Rule(own.mean, "", dashed=True))
    return Figure(
        "Score of the same rows with one thing changed, beside the rung as it was measured",
        lambda width: intervals_svg(bars, rules, width),
        tabled(("ablation", "score", "n"), *rows),
    )


def curve_figure(attempt: Attempt, costs: ContextCosts) -> Figure:
    """Draw the score over the texts in context."""
    curve = sorted(costs.curve.items())
    points = [(k, found.mean, found.low, found.high) for k, found in curve]
    least = next(iter(_gate(attempt)), None)
    return Figure(
        f"Score over texts in context; filled: {costs.knee}, the fewest that do as well as any",
        lambda width: curve_svg(points, costs.knee, least, width),
        tabled(
            ("texts", "score", "n"),
            *((str(k), span(found), str(found.n)) for k, found in curve),
        ),
    )


def _gate(attempt: Attempt) -> list[float]:
    """Return the score that the gate asks for, where the record says so."""
    limits = attempt.verdict.limits if attempt.verdict else ()
    return [limit.wanted for limit in limits if limit.limit == "min_score"]
