"""From what the arms measured to the causes of failure, and what they rule out. Pure.

An arm answers the same rows with one thing changed; what it mends shows the cause. Answers also
change by chance: an arm counts only where it mends more than the placebo does, which changes
nothing but a blank line (exact one-sided McNemar test, Holm's correction over the arms).

The gate before training: where the same model with the right documents holds the score and the
real pipeline does not, the gap lies in what the model is given, and training is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from scipy.stats import binom

from ladder.evidence import (
    Arm,
    Cause,
    CauseName,
    Diagnosis,
    Estimate,
    Gap,
    Unresolved,
    Verdict,
    Way,
)
from ladder.gate.bounds import estimate
from ladder.gate.paired import holm
from ladder.gate.verdict import score_holds
from ladder.task import GateLimits, RungName

WRONG_BELOW = 0.5
MOST_IDS = 20
WITNESS = 0.1
"""Least score of a stronger model whose answers speak against the targets."""
WORTH_NAMING = 0.1
"""Causes behind fewer of the wrong answers than this are left out."""

NOT_THERE, NOT_FOUND = 0, -1
"""Places of a right text that stands nowhere in the index, or too deep to be found."""


@dataclass(frozen=True)
class Arms:
    """Scores by sample id."""

    production: Mapping[str, float]
    changed: Mapping[Arm, Mapping[str, float]] = field(default_factory=dict)
    """Arm -> its scores; an arm that could not be run is left out."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Row -> the rank of its best right text (from 1), NOT_THERE or NOT_FOUND; only where right
    texts are known."""
    k: int = 0
    """Texts that are handed over."""
    guessed: bool = False
    """The rows name no document: what holds the answer's words stood in for the right ones."""

    def score(self, arm: Arm) -> float:
        """Return an arm's mean score."""
        return fmean(self.changed[arm].values())


Right = Callable[[Arm, str], bool]


def diagnose(
    way: Way,
    verdict: Verdict,
    arms: Arms,
    gate: GateLimits,
    mends: Mapping[RungName, frozenset[Gap]],
) -> Diagnosis:
    """Name the causes of a rung's failure, and the rungs that cannot mend it.

    Args:
        way: how the base model was made to do the task.
        verdict: on its eval set.
        arms: what the same samples score with one thing changed.
        gate: the score that is asked for, and the confidence of every claim.
        mends: what each rung can mend.
    """
    min_score, confidence = gate.min_score, gate.confidence
    failed = [limit.limit for limit in verdict.limits if limit.verdict != "pass"]
    if "min_score" not in failed:
        return _only_cost_or_latency(failed, mends)
    wrong = [row for row, score in arms.production.items() if score < WRONG_BELOW]
    scores = {name: estimate(list(found.values()), confidence) for name, found in _run(arms)}
    if score_holds(verdict):  # over all rows; the arms see the first of them
        return Diagnosis(causes=(), arms=scores)
    causes = _causes(way, arms, wrong, confidence)
    held = way == "retrieving" and _right_documents_hold(arms, wrong, min_score, 1 - confidence)
    refuses = _unfit("context", mends) if held else ()
    if refuses:
        causes = [cause for cause in causes if cause.name != "skill"]
    return Diagnosis(
        causes=tuple(causes),
        refuses=refuses,
        arms=scores,
        without_oracle=_where_oracle(arms) if arms.changed.get("oracle") else None,
        unresolved=_unresolved(way, arms),
    )


def _unfit(gap: Gap, mends: Mapping[RungName, frozenset[Gap]]) -> tuple[RungName, ...]:
    """Return the rungs that cannot mend a gap."""
    return tuple(rung for rung, mended in mends.items() if gap not in mended)


def _right_documents_hold(arms: Arms, wrong: Sequence[str], min_score: float, error: float) -> bool:
    """Tell whether the right documents close the gap: beyond chance, and for most of the misses."""
    oracle = arms.changed.get("oracle", {})
    known = [row for row in wrong if row in oracle]
    return (
        2 * len(known) >= len(wrong)
        and "oracle" in beyond_chance(arms, error)
        and arms.score("oracle") >= min_score
        and _where_oracle(arms) < min_score
    )


def _where_oracle(arms: Arms) -> float:
    """Return the system's own score on the rows of the oracle arm."""
    return fmean(arms.production[row] for row in arms.changed["oracle"])


def _run(arms: Arms) -> list[tuple[str, Mapping[str, float]]]:
    return [(name, found) for name, found in arms.changed.items() if found]


def _causes(way: Way, arms: Arms, wrong: Sequence[str], confidence: float) -> list[Cause]:
    """Sort each wrong row under the first rule that holds for it."""
    proven = beyond_chance(arms, 1 - confidence)

    def right(arm: Arm, row: str) -> bool:
        return arm in proven and arms.changed[arm].get(row, 0.0) >= WRONG_BELOW

    rows_of: dict[CauseName, list[str]] = {}
    for row in wrong:
        rows_of.setdefault(_cause_of(way, arms, row, right), []).append(row)
    causes = [
        _cause(arms, name, rows, len(wrong), confidence)
        for name, rows in rows_of.items()
        if len(rows) / len(wrong) >= WORTH_NAMING
    ]
    return sorted(causes, key=lambda cause: -cause.share)


def beyond_chance(arms: Arms, error: float) -> set[Arm]:
    """Return the arms that mend more rows than the placebo does, with Holm's correction.

    Reading the same answers leniently is no new draw, and needs no such proof.
    """
    tested = [arm for arm in arms.changed if arm not in ("placebo", "lenient")]
    usual = {**arms.production, **arms.changed.get("placebo", {})}
    p_values = []
    for arm in tested:
        found = arms.changed[arm]
        gaps = [
            (score >= WRONG_BELOW) - (usual[row] >= WRONG_BELOW) for row, score in found.items()
        ]
        won, lost = gaps.count(1), gaps.count(-1)
        p_values.append(float(binom.sf(won - 1, won + lost, 0.5)))
    adjusted = holm(p_values)
    proven = {arm for arm, p_value in zip(tested, adjusted, strict=True) if p_value <= error}
    return proven | {arm for arm in arms.changed if arm == "lenient"}


def _cause_of(way: Way, arms: Arms, row: str, right: Right) -> CauseName:
    """Return the first rule that holds for a wrong row."""
    place = arms.places.get(row)
    oracle_wrong = arms.changed.get("oracle", {}).get(row, 1.0) < WRONG_BELOW
    strong = arms.changed.get("strong oracle", {})
    strong_wrong = _is_witness(strong) and strong.get(row, 1.0) < WRONG_BELOW
    too_low = place is not None and place > arms.k
    rules: tuple[tuple[bool, CauseName], ...] = (
        (right("lenient", row) or right("constrained", row), "format"),
        (place == NOT_THERE, "missing"),
        (oracle_wrong and strong_wrong, "labels"),
        (oracle_wrong, "skill"),
        (way == "prompted" and right("oracle", row), "knowledge"),
        (right("unique", row), "redundancy"),
        (right("other source", row), "routing"),
        (place == NOT_FOUND, "retrieval"),
        (too_low or (place is None and right("rerank", row)), "ranking"),
        (place is None and right("more", row), "ranking"),
        (right("reorder", row) and not right("fewer", row), "position"),
        (right("fewer", row) or right("compress", row), "distraction"),
        (right("reorder", row), "position"),
        (right("no context", row), "harm"),
        (right("strong", row), "routing"),
        (right("oracle", row), "context"),
        (True, "skill"),
    )
    return next(name for holds, name in rules if holds)


def _is_witness(strong: Mapping[str, float]) -> bool:
    """Tell whether a stronger model may speak against targets: one that is right nowhere may not.

    Its answers then miss for another reason, such as a form that the scorer cannot read.
    """
    return bool(strong) and fmean(strong.values()) >= WITNESS


def _cause(arms: Arms, name: CauseName, rows: Sequence[str], of: int, confidence: float) -> Cause:
    return Cause(
        name=name,
        share=len(rows) / of,
        count=len(rows),
        of=of,
        recoverable=_recoverable(arms, set(rows), confidence),
        sample_ids=tuple(rows[:MOST_IDS]),
    )


def _recoverable(arms: Arms, rows: set[str], confidence: float) -> Estimate:
    """Return the score had these rows been right."""
    mended = [1.0 if row in rows else score for row, score in arms.production.items()]
    return estimate(mended, confidence)


def _unresolved(way: Way, arms: Arms) -> tuple[Unresolved, ...]:
    """Return what the arms that could not be run leave open."""
    found: list[Unresolved] = []
    if "oracle" not in arms.changed:
        found.append("no right document")
    elif arms.guessed:
        found.append("guessed documents")
    if "strong oracle" not in arms.changed and "strong" not in arms.changed:
        found.append("no stronger model")
    elif "strong oracle" in arms.changed and not _is_witness(arms.changed["strong oracle"]):
        found.append("stronger model never right")
    if way == "retrieving" and "rerank" not in arms.changed:
        found.append("no reranker")
    return tuple(found)


def _only_cost_or_latency(
    failed: Sequence[str], mends: Mapping[RungName, frozenset[Gap]]
) -> Diagnosis:
    names: dict[str, CauseName] = {"max_cost_usd_per_1k": "cost", "max_p95_ms": "latency"}
    causes = tuple(Cause(name=names[limit], share=0.0) for limit in failed if limit in names)
    return Diagnosis(causes=causes, refuses=_unfit("cost", mends) if causes else ())
