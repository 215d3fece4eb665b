"""What is seen of the wrong answers of a rung that passed, without asking anything more.

Ablations cost calls, and nothing hangs on them where the score holds. What was measured shows some
signs all the same: none of them is proven to be the cause.
"""

from __future__ import annotations

from collections.abc import Sequence

from ladder.diagnosis.ablations import leniently
from ladder.diagnosis.cut_answers import is_cut
from ladder.diagnosis.rules import MOST_IDS, WRONG_BELOW
from ladder.evidence import Candidate, Misses, Sign
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Outcome
from ladder.samples.rows import Sample


def misses(evaluator: Evaluator, candidate: Candidate, outcomes: Sequence[Outcome]) -> Misses:
    """Return the wrong answers of a candidate that passed, by what is seen of them.

    Args:
        evaluator: the task, its data and scorers; no model is asked.
        candidate: what passed, or whose score holds.
        outcomes: its answers to the eval examples.
    """
    scored = [outcome for outcome in outcomes if outcome.score is not None]
    wrong = [o for o in scored if o.score is not None and o.score < WRONG_BELOW]
    lenient = leniently(evaluator, wrong)
    found: dict[Sign, list[str]] = {}
    for outcome in wrong:
        right = lenient[outcome.sample.id] >= WRONG_BELOW
        sign: Sign = "other form" if right else _sign(evaluator, candidate, outcome)
        found.setdefault(sign, []).append(outcome.sample.id)
    most = sorted(found.items(), key=lambda each: -len(each[1]))
    signs = {sign: tuple(ids[:MOST_IDS]) for sign, ids in most}
    return Misses(count=len(wrong), of=len(scored), signs=signs)


def _sign(evaluator: Evaluator, candidate: Candidate, outcome: Outcome) -> Sign:
    if is_cut(outcome.completion):
        return "cut off"
    retrieval, row = candidate.retrieval, outcome.sample
    if retrieval is None or retrieval.source not in ("documents", "both") or not row.doc_ids:
        return "none"
    if not any(name in evaluator.reader.passages_of for name in row.doc_ids):
        return "not in the index"
    handed = evaluator.retriever.nearest(retrieval, "documents", row)
    return "wrong beside its document" if _names(evaluator, row, handed) else "not retrieved"


def _names(evaluator: Evaluator, row: Sample, places: Sequence[int]) -> bool:
    """Tell whether a row names one of these documents."""
    return any(evaluator.data.documents[at].source in row.doc_ids for at in places)
