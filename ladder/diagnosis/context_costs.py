"""What context costs this model on this task: how much to read, and what lies beside the answer.

The curve reads nested contexts: each larger one is a smaller one with further texts. It ends where
two larger ones in a row brought nothing: the largest cost most of all. The split
puts the right document alone, beside as many words that say nothing, and beside what the search
really brings, each with the evidence first, in the middle and last. What filler takes away is the
cost of length, what real texts take away beyond that is distraction, and what the worst place
takes away, against the best, is position ("Lost in the middle", Liu et al., 2024; smaller models
lose elsewhere).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from statistics import fmean, stdev

from ladder.evaluation.comparing import comparison, together
from ladder.evidence import Candidate, Comparison, ContextCosts, Order, Retrieval
from ladder.gate.bounds import estimate
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.inference.outcome import scores_of
from ladder.samples.rows import Sample

BUDGETS = (1, 2, 4, 8, 16)
FLAT_AFTER = 2
"""Larger budgets in a row that do no better than a smaller one, after which no larger one is read.
One may do so by chance, where the search finds more and more; texts are added by doubling."""
MOST_ROWS = 40
LEAST_BESIDE = 3
"""Texts in all, where the split would otherwise have nothing beside the evidence."""
ROUNDING = 1e-9
PLACES: tuple[Order, ...] = ("best first", "best in the middle", "best last")

Scores = Mapping[str, float]


def context_costs(
    evaluator: Evaluator, candidate: Candidate, rows: Sequence[Sample]
) -> ContextCosts | None:
    """Return the curve and the split; None where no right documents are known or none are read.

    Raises:
        NoVerdictError: too many requests failed to tell.
    """
    known = [row for row in rows if evaluator.reader.right_passages(row)][:MOST_ROWS]
    retrieval = candidate.retrieval
    if retrieval is None or retrieval.source != "documents" or len(known) < 2:
        return None

    def scores(changed: Retrieval) -> dict[str, float]:
        way = candidate.but(retrieval=changed)
        outcomes = answer(evaluator, way, known, "what context costs")
        require_conclusive(outcomes, evaluator.task.gate, "what context costs")
        return scores_of(outcomes)

    there = [k for k in BUDGETS if k <= len(evaluator.data.documents)]
    curve = curve_until_flat(there, lambda k: scores(retrieval.but(k=k)))
    count = max(LEAST_BESIDE, retrieval.k)
    gold = Retrieval(source="gold", method=retrieval.method, k=count)
    alone = scores(gold)
    beside = {
        (what, place): scores(gold.but(beside=what, order=place))
        for what in ("filler", "distractors")
        for place in PLACES
    }
    if not (curve and alone and all(beside.values())):
        return None
    whole = {w: _mean([beside[w, place] for place in PLACES]) for w in ("filler", "distractors")}
    confidence = evaluator.task.gate.confidence
    moved, places = position({place: beside["distractors", place] for place in PLACES}, confidence)
    return ContextCosts(
        rows=len(known),
        texts=count,
        curve={k: estimate(list(found.values()), confidence) for k, found in curve.items()},
        knee=knee(curve),
        alone=estimate(list(alone.values()), confidence),
        split={
            f"{what}, {place}": estimate(list(found.values()), confidence)
            for (what, place), found in beside.items()
        },
        length=_cost(alone, whole["filler"], "beside filler", confidence),
        distraction=_cost(whole["filler"], whole["distractors"], "beside real texts", confidence),
        position=moved,
        places=places,
    )


def curve_until_flat(budgets: Sequence[int], scores: Callable[[int], Scores]) -> dict[int, Scores]:
    """Return the scores at each budget, from the smallest, until larger ones bring nothing.

    Args:
        budgets: texts in context, rising.
        scores: answers the rows with so many texts; empty: too many for the model.
    """
    curve: dict[int, Scores] = {}
    best, no_better = -math.inf, 0
    for k in budgets:
        found = scores(k)
        if not found:
            break
        curve[k] = found
        mean = fmean(found.values())
        no_better = no_better + 1 if mean <= best else 0
        best = max(best, mean)
        if no_better == FLAT_AFTER:
            break
    return curve


def knee(curve: Mapping[int, Scores]) -> int:
    """Return the smallest budget within one standard error of the best, row by row.

    The one-standard-error rule (Breiman et al., 1984): of budgets that are not identifiable the
    smallest is the best advice.
    """
    best = max(curve, key=lambda k: (fmean(curve[k].values()), -k))
    for k in sorted(curve):
        gaps = [curve[best][row] - curve[k][row] for row in curve[k] if row in curve[best]]
        if not gaps:
            continue
        error = stdev(gaps) / math.sqrt(len(gaps)) if len(gaps) > 1 else 0.0
        if fmean(gaps) <= error * (1 + ROUNDING):  # one row's difference is one standard error
            return k
    return best


def position(
    at: Mapping[Order, Scores], confidence: float
) -> tuple[Comparison, tuple[Order, Order]]:
    """Compare the best place with the worst; return the comparison, and these two places.

    Which two these are is seen on the same rows: the interval and p are made for all the pairs.
    """
    best_first = sorted(at, key=lambda place: -fmean(at[place].values()))
    pairs = list(combinations(best_first, 2))
    each = 1 - (1 - confidence) / len(pairs)
    found = together([_cost(at[a], at[b], b, each) for a, b in pairs], confidence)
    return max(zip(found, pairs, strict=True), key=lambda one: one[0].difference)


def _mean(found: Sequence[Scores]) -> dict[str, float]:
    shared = set.intersection(*(set(scores) for scores in found))
    return {row: fmean(scores[row] for scores in found) for row in sorted(shared)}


def _cost(better: Scores, worse: Scores, name: str, confidence: float) -> Comparison:
    rows = [row for row in better if row in worse]
    return comparison(name, [better[r] for r in rows], [worse[r] for r in rows], confidence)
