"""Mend a system before it is measured: try what would show a cause, keep what is proven to help.

Each change is tried alone on the rows that choose; the best one is kept when it is better than
chance allows (paired, Holm over all that were tried) and also wins on rows that chose nothing.
Then the others are tried again on top of it: mends hang together, so gains are what each adds in
this order.
"""

from __future__ import annotations

from statistics import fmean

from ladder.diagnosis.rules import Arm
from ladder.evidence import Candidate, Comparison, Mend
from ladder.gate.paired import holm, paired
from ladder.rungs.asking import Outcome, answer
from ladder.rungs.base import Climb
from ladder.rungs.changes import IN_WORDS, SHOWS, changes
from ladder.rungs.proving import compare_unseen

MOST_ROWS = 60


def mend(climb: Climb, candidate: Candidate) -> tuple[Candidate, tuple[Mend, ...]]:
    """Return a candidate with the changes that help it, and what was tried.

    Nothing is tried where it holds the score on the rows that choose, or reads nothing.
    """
    mends: list[Mend] = []
    applied: set[Arm] = set()
    while candidate.retrieval is not None:
        usual = _answers(climb, candidate, "as it is")
        score = fmean(o.scores[0] if o.scores else 0.0 for o in usual) if usual else 1.0
        ways = {a: way for a, way in changes(climb, candidate).items() if a not in applied}
        if score >= climb.task.gate.min_score or not ways:
            break
        arm, tried, compared = _best(climb, usual, ways)
        if compared.claim != "better":
            break
        unseen = compare_unseen(climb, candidate, ways[arm])
        kept = unseen is None or unseen.difference > 0
        mends.append(
            Mend(
                cause=SHOWS[arm],
                change=IN_WORDS[arm],
                on_dev=compared,
                unseen=unseen,
                tokens=(_tokens(usual), _tokens(tried)),
                kept=kept,
            )
        )
        if not kept:
            break
        applied.add(arm)
        words = f"{candidate.technique}, {IN_WORDS[arm]}"
        candidate = ways[arm].model_copy(update={"technique": words})
    return candidate, tuple(mends)


def _answers(climb: Climb, candidate: Candidate, title: str) -> list[Outcome]:
    return answer(climb, candidate, climb.splits.dev[:MOST_ROWS], f"mending: {title}")


def _best(
    climb: Climb, usual: list[Outcome], ways: dict[Arm, Candidate]
) -> tuple[Arm, list[Outcome], Comparison]:
    """Try every change; return the one that helps most, and how sure that is."""
    confidence = climb.task.gate.confidence
    found = []
    for arm, way in ways.items():
        tried = _answers(climb, way, arm)
        both = [(a, b) for a, b in zip(tried, usual, strict=True) if a.scores and b.scores]
        grouped = any(outcome.sample.group for outcome in usual)
        groups = [a.sample.witness for a, _ in both] if grouped else ()
        gains = paired(
            [a.scores[0] for a, _ in both], [b.scores[0] for _, b in both], confidence, groups
        )
        found.append((arm, tried, gains, len(both)))
    adjusted = holm([gains[3] for _, _, gains, _ in found])
    at = max(range(len(found)), key=lambda at: (found[at][2][0], -_tokens(found[at][1])))
    arm, tried, (difference, low, high, _), n = found[at]
    better = difference > 0 and adjusted[at] <= 1 - confidence
    compared = Comparison(
        other="without the change",
        difference=difference,
        low=low,
        high=high,
        n=n,
        p_value=adjusted[at],
        claim="better" if better else "no difference proven",
    )
    return arm, tried, compared


def _tokens(outcomes: list[Outcome]) -> float:
    return fmean(outcome.completion.tokens_in for outcome in outcomes) if outcomes else 0.0
