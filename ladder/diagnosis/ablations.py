"""Run the ablations of a diagnosis: the same rows, one thing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ladder.diagnosis.changes import changes, diagnostic_ablations
from ladder.diagnosis.cut_answers import ask_for_longer
from ladder.diagnosis.rules import NOT_FOUND, NOT_THERE, WRONG_BELOW, Ablations, diagnose
from ladder.economy.cost import since
from ladder.evidence import Ablation, Candidate, Diagnosis, Gap, Retrieval, Verdict
from ladder.gate.verdict import score_holds
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_conclusive
from ladder.inference.outcome import Outcome, scores_of
from ladder.language.words import comparable
from ladder.retrieval.retriever import DEPTH
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer, best_score
from ladder.scorers.contains import contains
from ladder.task import RungName

MOST_ROWS, ENOUGH_MISSES = 80, 30
"""The rows of a diagnosis: the first ones until so many misses are among them. That is its cost,
too: each ablation asks about these rows and no others."""


def explain(
    evaluator: Evaluator,
    candidate: Candidate,
    verdict: Verdict,
    outcomes: Sequence[Outcome],
    fixes: Mapping[RungName, frozenset[Gap]],
) -> Diagnosis:
    """Return why a candidate did not pass.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what did not pass.
        verdict: on its eval set.
        outcomes: its answers there.
        fixes: what each rung can fix.

    Raises:
        NoVerdictError: too many requests of an ablation failed to say so.
    """
    before = evaluator.models.asked
    gate = evaluator.task.gate
    missed = any(v.limit == "min_score" and v.verdict != "pass" for v in verdict.limits)
    production = scores_of(outcomes)
    # Ablations cost calls: none is run where nothing is missed, or the score holds so far.
    asked = missed and not score_holds(verdict)
    ablations = run_ablations(evaluator, candidate, outcomes) if asked else Ablations(production)
    found = diagnose(candidate.way, verdict, ablations, gate, fixes)
    return found.but(asked=since(before, evaluator.models.asked))


def run_ablations(
    evaluator: Evaluator, candidate: Candidate, outcomes: Sequence[Outcome], *, every: bool = False
) -> Ablations:
    """Answer the first rows, or every row, in each way that tells causes apart."""
    answered = [outcome for outcome in outcomes if outcome.score is not None]
    judged = answered if every else enough(answered)
    longer = ask_for_longer(evaluator, candidate, judged)
    rows = [outcome.sample for outcome in judged]
    changed: dict[Ablation, Mapping[str, float]] = {"lenient": leniently(evaluator, judged)}
    if longer is not None:
        changed["longer"] = {**scores_of(judged), **longer.scores}
    if evaluator.engine(candidate).abilities.instructed:
        ways = diagnostic_ablations(evaluator, candidate) | changes(evaluator, candidate)
        for ablation, way in ways.items():
            found = _answered(evaluator, ablation, way, rows)
            if not scores_of(found):
                continue
            changed[ablation] = scores_of(found)
            if ablation == "oracle" and way.decoding in ("free", "json"):
                changed["lenient oracle"] = leniently(evaluator, found)
    retrieval = candidate.retrieval
    return Ablations(
        production=scores_of(judged),
        changed=changed,
        cut=longer.found if longer else None,
        cut_rows=frozenset(longer.scores) if longer else frozenset(),
        places=places(evaluator, retrieval, rows) if retrieval else {},
        k=retrieval.k if retrieval else 0,
        guessed="oracle" in changed and not any(row.doc_ids for row in rows),
    )


def enough(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the first outcomes, until enough misses are among them."""
    taken: list[Outcome] = []
    misses = 0
    for outcome in outcomes[:MOST_ROWS]:
        taken.append(outcome)
        misses += outcome.score is not None and outcome.score < WRONG_BELOW
        if misses >= ENOUGH_MISSES:
            break
    return taken


def _answered(
    evaluator: Evaluator, ablation: Ablation, way: Candidate, rows: Sequence[Sample]
) -> list[Outcome]:
    if way.retrieval is not None and way.retrieval.source == "gold":
        rows = [row for row in rows if evaluator.reader.right_passages(row)]
    outcomes = answer(evaluator, way, rows, f"why: {ablation}")
    require_conclusive(outcomes, evaluator.task.gate, f"the {ablation} ablation of the diagnosis")
    return outcomes


def places(evaluator: Evaluator, retrieval: Retrieval, rows: Sequence[Sample]) -> dict[str, int]:
    """Return where the search ranks the best right document of each row that names one."""
    if retrieval.source not in ("documents", "both"):
        return {}
    retriever = evaluator.retriever
    found = {}
    for row in rows:
        if not row.doc_ids:
            continue
        if not any(doc_id in evaluator.reader.passages_of for doc_id in row.doc_ids):
            found[row.id] = NOT_THERE
            continue
        there = retriever.found(retrieval, "documents", row)
        handed = retriever.nearest(retrieval.but(k=DEPTH), "documents", row)
        right = (
            place
            for place, at in enumerate(handed, start=1)
            if at in there and evaluator.data.documents[at].source in row.doc_ids
        )
        found[row.id] = next(right, NOT_FOUND)
    return found


def leniently(evaluator: Evaluator, outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the scores of the same answers, read leniently, of those that have one."""
    return {o.sample.id: _lenient(evaluator, o, o.score) for o in outcomes if o.score is not None}


def _lenient(evaluator: Evaluator, outcome: Outcome, score: float) -> float:
    """Score an answer read leniently: the one label it names, or the target inside it."""
    text, scorer = outcome.text, evaluator.scorers[0][1]
    if isinstance(scorer, ModelScorer):  # a judge reads leniently as it is
        return score
    said = comparable(text)
    labels = [label for label in evaluator.data.labels if comparable(label) in said]
    # A label that is part of a longer one that is named too does not count as named.
    named = [a for a in labels if not any(a != b and a in b for b in labels)]
    if len(named) == 1:
        return best_score(scorer, named[0], outcome.sample.targets).value
    if evaluator.data.labels:
        return score
    return max(score, best_score(contains(), text, outcome.sample.targets).value)
