"""Fix a system before it is measured: try what would show a cause, keep what is proven to help.

Each change is tried alone on the dev set; the cheapest with which the score holds, else
the one that helps most, is kept when it is better than chance allows (paired, Holm over all that
were tried) and also wins on fresh training examples. Where the score is still missed, the others
are tried again on top of it: fixes hang together, so gains are what each adds in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from ladder.diagnosis.changes import IN_WORDS, SHOWS, changes, oracle
from ladder.evaluation.comparing import compare_outcomes, together
from ladder.evidence import Ablation, Candidate, Comparison, Fix, Retrieval
from ladder.gate.early import surely_holds
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.inference.forms import DOCUMENT_COUNTS, named
from ladder.inference.outcome import Outcome
from ladder.selection.proving import compare_unseen

MOST_ROWS = 60
FEW_ROWS = 32
"""That may say already that there is nothing to fix."""


def apply_fixes(evaluator: Evaluator, candidate: Candidate) -> tuple[Candidate, tuple[Fix, ...]]:
    """Return a candidate with the changes that help it, and what was tried.

    Nothing is tried where it holds the score on the dev set, reads nothing, or where the
    right documents alone would not hold the score either. Where examples won the race only because
    what the documents need is more than one change, the documents have another chance.

    Raises:
        NoVerdictError: too many requests failed to tell what helps.
    """
    if (
        candidate.retrieval is None or candidate.is_trained
    ):  # training examples prove nothing of what learnt them
        return candidate, ()
    few = answer(evaluator, candidate, evaluator.data.dev[:FEW_ROWS], "fixing: as it is")
    known = [outcome.score for outcome in few if outcome.score is not None]
    if surely_holds(known, evaluator.task.gate.min_score):
        return candidate, ()
    if _score(evaluator, candidate) >= evaluator.task.gate.min_score:
        return candidate, ()
    if not _context_could_hold(evaluator, candidate):
        return candidate, ()
    found, fixes = _fixed(evaluator, candidate)
    if candidate.retrieval.source == "examples" and evaluator.data.documents:
        other, others = _fixed(evaluator, _reading_documents(candidate))
        if any(fix.kept for fix in others):
            unseen = compare_unseen(evaluator, found, other)
            if (
                unseen
                and unseen.difference > 0
                and _score(evaluator, other) > _score(evaluator, found)
            ):
                return other, others
    return found, fixes


def _context_could_hold(evaluator: Evaluator, candidate: Candidate) -> bool:
    """Tell whether the right documents would hold the score, as far as they are known."""
    given = oracle(evaluator, candidate)
    if given is None:
        return True
    rows = [row for row in evaluator.data.dev[:MOST_ROWS] if evaluator.reader.right_passages(row)]
    outcomes = answer(evaluator, given, rows, "fixing: the right documents")
    require_conclusive(outcomes, evaluator.task.gate, "fixing")
    return _mean(outcomes) >= evaluator.task.gate.min_score


def _reading_documents(candidate: Candidate) -> Candidate:
    method = candidate.retrieval.method if candidate.retrieval else "bm25"
    retrieval = Retrieval(source="documents", method=method, k=DOCUMENT_COUNTS[-1])
    (reading,) = named([candidate.but(retrieval=retrieval)])
    return reading


def _fixed(evaluator: Evaluator, candidate: Candidate) -> tuple[Candidate, tuple[Fix, ...]]:
    fixes: list[Fix] = []
    applied: set[Ablation] = set()
    while _score(evaluator, candidate) < evaluator.task.gate.min_score:
        usual = _answers(evaluator, candidate, "as it is")
        ways = {a: way for a, way in changes(evaluator, candidate).items() if a not in applied}
        if not ways:
            break
        ablation, tried, compared = _best(evaluator, usual, ways)
        if compared.claim != "better":
            break
        unseen = compare_unseen(evaluator, candidate, ways[ablation])
        kept = unseen is not None and unseen.difference > 0
        fixes.append(
            Fix(
                cause=SHOWS[ablation],
                ablation=ablation,
                on_dev=compared,
                unseen=unseen,
                tokens=(_tokens(usual), _tokens(tried)),
                kept=kept,
            )
        )
        if not kept:
            break
        applied.add(ablation)
        words = f"{candidate.description}, {IN_WORDS[ablation]}"
        candidate = ways[ablation].but(description=words)
    return candidate, tuple(fixes)


def _score(evaluator: Evaluator, candidate: Candidate) -> float:
    return _mean(_answers(evaluator, candidate, "as it is"))


def _mean(outcomes: Sequence[Outcome]) -> float:
    """Return the mean score of what was answered.

    1 where nothing was asked; 0 where nothing was answered, for a reason of the system's own.
    """
    scores = [outcome.score for outcome in outcomes if outcome.score is not None]
    return fmean(scores) if scores else float(not outcomes)


def _answers(evaluator: Evaluator, candidate: Candidate, title: str) -> list[Outcome]:
    outcomes = answer(evaluator, candidate, evaluator.data.dev[:MOST_ROWS], f"fixing: {title}")
    require_conclusive(outcomes, evaluator.task.gate, f"fixing, {title}")
    return outcomes


def _best(
    evaluator: Evaluator, usual: list[Outcome], ways: dict[Ablation, Candidate]
) -> tuple[Ablation, list[Outcome], Comparison]:
    """Try every change; return the one to make, and how sure it is that it helps."""
    confidence, least = evaluator.task.gate.confidence, evaluator.task.gate.min_score
    tried = {ablation: _answers(evaluator, way, ablation) for ablation, way in ways.items()}
    each = [
        compare_outcomes("without the change", new, usual, confidence) for new in tried.values()
    ]
    gains = dict(zip(tried, together(each, confidence), strict=True))
    # The cheapest change with which the score holds is enough, and says more: reading three times
    # as much hides whatever crowds the window. Where none holds it, the one that helps most.
    holding = [a for a in gains if gains[a].claim == "better" and _mean(tried[a]) >= least]
    most = max(gains, key=lambda a: gains[a].difference)
    ablation = min(holding, key=lambda a: _tokens(tried[a]), default=most)
    return ablation, tried[ablation], gains[ablation]


def _tokens(outcomes: list[Outcome]) -> float:
    return fmean(outcome.completion.tokens_in for outcome in outcomes) if outcomes else 0.0
