"""Pictures of why a rung did not pass, each with its figures as a table."""

from __future__ import annotations

from ladder.evidence import Ablation, Attempt, ContextCosts, Diagnosis
from ladder.figures import Bar, Mark, Rule, curve_svg, intervals_svg
from ladder.report.blocks import Figure, tabled
from ladder.wording import span

CHANGED: dict[Ablation, str] = {
    "no-op control": "a blank line in the prompt, and nothing else: what chance alone moves",
    "longer": "a higher limit of tokens for the answers that were cut",
    "lenient": "nothing: the same answers, right where they name the target among other words",
    "constrained": "held to the task's labels",
    "no context": "without what the search found",
    "oracle": "with the right document alone in context",
    "lenient oracle": "the answers of oracle, right where they name the target among other words",
    "constrained oracle": "as oracle, and held to the task's labels",
    "unique": "texts left out that repeat an earlier one",
    "rerank": "what the search found put in a new order by the reranker",
    "more": "more texts in context",
    "fewer": "fewer texts in context",
    "compress": "sentences left out that hardly ever answer",
    "reorder": "the texts in context in another order",
    "other source": "training examples in context instead of documents, or the reverse",
    "strong": "the stronger model (models.teacher) in place of this one",
    "strong oracle": "the stronger model, with the right document in context",
}
"""Ablation -> what it changes of the system as it was measured."""


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
    words = {str(name): text for name, text in CHANGED.items()}
    rows = [(name, words.get(name, ""), span(one), str(one.n)) for name, one in changed]
    rules = [Rule(least, f"gate {least:g}") for least in _gate(attempt)]
    if own:
        bars.append(Bar("as measured", own.mean, own.low, own.high, "reference", hollow=True))
        rows.append(("as measured", "nothing; all rows that were measured", span(own), str(own.n)))
        rules.append(Rule(own.mean, "", dashed=True))
    return Figure(
        "Score of the same rows with one thing changed, beside the rung as it was measured",
        lambda width: intervals_svg(bars, rules, width),
        tabled(("ablation", "what is changed", "score", "n"), *rows),
        explains=True,
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
