"""From what the ablations measured to the causes of failure, and what they rule out. Pure.

An ablation answers the same rows with one thing changed; what it fixes shows the cause. Answers
also change by chance: an ablation counts only where it fixes more than the no-op control does,
which changes nothing but a blank line (exact one-sided McNemar test, Holm's correction over the
ablations).

The gate before training: where the same model with the right documents holds the score and the
real pipeline does not, the gap lies in what the model is given, and training is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from ladder.evidence import (
    Ablation,
    Cause,
    CauseName,
    CutAnswers,
    Diagnosis,
    Estimate,
    Gap,
    Unresolved,
    Verdict,
    Way,
)
from ladder.gate.binomial import at_least
from ladder.gate.bounds import estimate
from ladder.gate.paired import holm
from ladder.gate.verdict import score_holds
from ladder.task import GateLimits, RungName

WRONG_BELOW = 0.5
MOST_IDS = 1000
"""Rows named of a cause: the page of a run shows it beside each of them."""
CREDIBLE = 0.1
"""Least score of a stronger model whose answers speak against the targets."""
WORTH_NAMING = 0.1
"""Causes behind fewer of the wrong answers than this are left out."""

NOT_THERE, NOT_FOUND = 0, -1
"""Places of a right text that stands nowhere in the index, or too deep to be found."""


@dataclass(frozen=True)
class Ablations:
    """Scores by sample id."""

    production: Mapping[str, float]
    changed: Mapping[Ablation, Mapping[str, float]] = field(default_factory=dict)
    """Ablation -> its scores; an ablation that could not be run is left out."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Row -> the rank of its best right text (from 1), NOT_THERE or NOT_FOUND; only where right
    texts are known."""
    k: int = 0
    """Texts that are put in context."""
    guessed: bool = False
    """The rows name no document: what holds the answer's words stood in for the right ones."""
    cut: CutAnswers | None = None
    """How many answers were cut, and the limit that would do; None: none was."""
    cut_rows: frozenset[str] = frozenset()
    """Rows whose answer was cut, and asked for again with a higher limit (`longer`)."""

    def cut_short(self, row: str) -> bool:
        """Tell whether the end that a row's answer lacks would have made it right, or better."""
        longer = self.changed.get("longer", {}).get(row, 0.0)
        return row in self.cut_rows and longer >= WRONG_BELOW and longer > self.production[row]

    def score(self, ablation: Ablation) -> float:
        """Return an ablation's mean score."""
        return fmean(self.changed[ablation].values())


SAME_ANSWERS: tuple[Ablation, ...] = ("lenient", "lenient oracle")
"""The same answers, read leniently."""
UNTESTED: tuple[Ablation, ...] = ("no-op control", "longer", *SAME_ANSWERS)
"""Ablations that are not tested against chance: they are chance, or the same answers."""

Right = Callable[[Ablation, str], bool]


def diagnose(
    way: Way,
    verdict: Verdict,
    ablations: Ablations,
    gate: GateLimits,
    fixes: Mapping[RungName, frozenset[Gap]],
) -> Diagnosis:
    """Name the causes of a rung's failure, and the rungs that cannot fix it.

    Args:
        way: how the base model was made to do the task.
        verdict: on its eval set.
        ablations: what the same samples score with one thing changed.
        gate: the score that is asked for, and the confidence of every claim.
        fixes: what each rung can fix.
    """
    min_score, confidence = gate.min_score, gate.confidence
    not_passed = [limit.limit for limit in verdict.limits if limit.verdict != "pass"]
    if "min_score" not in not_passed:
        return _only_cost_or_latency(not_passed, fixes)
    wrong = [
        row
        for row, score in ablations.production.items()
        if score < WRONG_BELOW or ablations.cut_short(row)
    ]
    scores = {
        name: estimate(list(found.values()), confidence) for name, found in _those_run(ablations)
    }
    if score_holds(verdict):  # over all rows; the ablations see the first of them
        return Diagnosis(causes=(), ablations=scores)
    causes = _causes(way, ablations, wrong, confidence)
    held = way == "retrieving" and _right_documents_hold(
        ablations, wrong, min_score, 1 - confidence
    )
    gap: Gap | None = "context" if held else None
    if 2 * sum(map(ablations.cut_short, wrong)) >= len(wrong) > 0:
        gap = "length"  # what else is wrong shows once answers are whole
    refuses = _unfit(gap, fixes) if gap else ()
    if gap == "context" and refuses:
        causes = [cause for cause in causes if cause.name != "skill"]
    return Diagnosis(
        causes=tuple(causes),
        gap=gap,
        refuses=refuses,
        cut=ablations.cut,
        ablations=scores,
        without_oracle=_where_oracle(ablations) if ablations.changed.get("oracle") else None,
        unresolved=_unresolved(way, ablations),
    )


def _unfit(gap: Gap, fixes: Mapping[RungName, frozenset[Gap]]) -> tuple[RungName, ...]:
    """Return the rungs that cannot fix a gap."""
    return tuple(rung for rung, fixed in fixes.items() if gap not in fixed)


def _right_documents_hold(
    ablations: Ablations, wrong: Sequence[str], min_score: float, error: float
) -> bool:
    """Tell whether the right documents close the gap beyond chance.

    They must be known for half of the misses at least: the gap is that of all.
    """
    oracle = ablations.changed.get("oracle", {})
    known = [row for row in wrong if row in oracle]
    return (
        2 * len(known) >= len(wrong)
        and "oracle" in beyond_chance(ablations, error)
        and ablations.score("oracle") >= min_score
        and _where_oracle(ablations) < min_score
    )


def _where_oracle(ablations: Ablations) -> float:
    """Return the system's own score on the rows of the oracle ablation."""
    return fmean(ablations.production[row] for row in ablations.changed["oracle"])


def _those_run(ablations: Ablations) -> list[tuple[str, Mapping[str, float]]]:
    return [(name, found) for name, found in ablations.changed.items() if found]


def _causes(way: Way, ablations: Ablations, wrong: Sequence[str], confidence: float) -> list[Cause]:
    """Sort each wrong row under the first rule that holds for it."""
    # Causes are of the misses: what an ablation does to other rows, such as those that meet another
    # fault, is no matter here. Without a no-op control misses could only get better by chance.
    misses = frozenset(wrong) if ablations.changed.get("no-op control") else None
    proven = beyond_chance(ablations, 1 - confidence, misses)

    def right(ablation: Ablation, row: str) -> bool:
        return ablation in proven and ablations.changed[ablation].get(row, 0.0) >= WRONG_BELOW

    rows_of: dict[CauseName, list[str]] = {}
    for row in wrong:
        rows_of.setdefault(_cause_of(way, ablations, row, right), []).append(row)
    causes = [
        _cause(ablations, name, rows, len(wrong), confidence)
        for name, rows in rows_of.items()
        if len(rows) / len(wrong) >= WORTH_NAMING
    ]
    return sorted(causes, key=lambda cause: -cause.share)


def beyond_chance(
    ablations: Ablations, error: float, rows: frozenset[str] | None = None
) -> set[Ablation]:
    """Return the ablations that fix more rows than the no-op control does, with Holm's correction.

    Args:
        ablations: what the same rows score with one thing changed.
        error: chance that any is returned where none fixes more.
        rows: that are looked at; None: all. Rows that the system has wrong may be, beside a no-op
            control that was asked about them anew: by chance alone both fix as many.

    Reading the same answers leniently is no new draw and needs no such proof. Answers to their end
    have a rule of their own (`cut_short`). What constraining is worth beside the right documents
    is measured against the right documents alone.
    """
    tested = [ablation for ablation in ablations.changed if ablation not in UNTESTED]
    control = {**ablations.production, **ablations.changed.get("no-op control", {})}
    p_values = []
    for ablation in tested:
        found = ablations.changed[ablation]
        beside_oracle = ablation == "constrained oracle"
        usual = ablations.changed.get("oracle", {}) if beside_oracle else control
        changes = [
            (score >= WRONG_BELOW) - (usual[row] >= WRONG_BELOW)
            for row, score in found.items()
            if row in usual and (rows is None or row in rows)
        ]
        won, lost = changes.count(1), changes.count(-1)
        p_values.append(float(at_least(won, won + lost, 0.5)))
    adjusted = holm(p_values)
    proven = {
        ablation for ablation, p_value in zip(tested, adjusted, strict=True) if p_value <= error
    }
    return proven | {ablation for ablation in ablations.changed if ablation in SAME_ANSWERS}


def _cause_of(way: Way, ablations: Ablations, row: str, right: Right) -> CauseName:
    """Return the first rule that holds for a wrong row."""
    place = ablations.places.get(row)
    oracle_wrong = ablations.changed.get("oracle", {}).get(row, 1.0) < WRONG_BELOW
    strong = ablations.changed.get("strong oracle", {})
    strong_wrong = _is_credible(strong) and strong.get(row, 1.0) < WRONG_BELOW
    too_low = place is not None and place > ablations.k
    # Skill is judged in a form that cannot break: the right document's answer is there.
    there = right("lenient oracle", row) or right("constrained oracle", row)
    rules: tuple[tuple[bool, CauseName], ...] = (
        (ablations.cut_short(row), "cut"),
        (right("lenient", row) or right("constrained", row), "format"),
        (place == NOT_THERE, "missing"),
        (oracle_wrong and there, "format"),
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


def _is_credible(strong: Mapping[str, float]) -> bool:
    """Tell whether a stronger model may speak against targets: one that is right nowhere may not.

    Its answers then miss for another reason, such as a form that the scorer cannot read.
    """
    return bool(strong) and fmean(strong.values()) >= CREDIBLE


def _cause(
    ablations: Ablations, name: CauseName, rows: Sequence[str], of: int, confidence: float
) -> Cause:
    return Cause(
        name=name,
        share=len(rows) / of,
        count=len(rows),
        of=of,
        recoverable=_recoverable(ablations, set(rows), confidence),
        sample_ids=tuple(rows[:MOST_IDS]),
    )


def _recoverable(ablations: Ablations, rows: set[str], confidence: float) -> Estimate:
    """Return the score had these rows been right."""
    fixed = [1.0 if row in rows else score for row, score in ablations.production.items()]
    return estimate(fixed, confidence)


def _unresolved(way: Way, ablations: Ablations) -> tuple[Unresolved, ...]:
    """Return what the ablations that could not be run leave open."""
    found: list[Unresolved] = []
    if "oracle" not in ablations.changed:
        found.append("no right document")
    elif ablations.guessed:
        found.append("guessed documents")
    if "strong oracle" not in ablations.changed and "strong" not in ablations.changed:
        found.append("no stronger model")
    elif "strong oracle" in ablations.changed and not _is_credible(
        ablations.changed["strong oracle"]
    ):
        found.append("stronger model never right")
    if way == "retrieving" and "rerank" not in ablations.changed:
        found.append("no reranker")
    return tuple(found)


def _only_cost_or_latency(
    failed: Sequence[str], fixes: Mapping[RungName, frozenset[Gap]]
) -> Diagnosis:
    names: dict[str, CauseName] = {"max_cost_usd_per_1k": "cost", "max_p95_ms": "latency"}
    causes = tuple(Cause(name=names[limit], share=0.0) for limit in failed if limit in names)
    refuses = _unfit("cost", fixes) if causes else ()
    return Diagnosis(causes=causes, gap="cost" if causes else None, refuses=refuses)
