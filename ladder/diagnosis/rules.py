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
from typing import Literal

from scipy.stats import binom

from ladder.evidence import Cause, CauseName, Diagnosis, Estimate, Gap, Verdict, Way
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

Arm = Literal[
    "placebo",
    "lenient",
    "constrained",
    "no context",
    "oracle",
    "unique",
    "rerank",
    "more",
    "fewer",
    "compress",
    "reorder",
    "other source",
    "strong",
    "strong oracle",
]
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

SENTENCES: dict[CauseName, str] = {
    "format": "right, but in another form",
    "missing": "no text in the index holds the answer",
    "labels": "a stronger model with the right document disagrees with the target too",
    "knowledge": "does not know what the documents say",
    "retrieval": "right with the right document, which the search did not find",
    "redundancy": "right once repeated texts are left out: copies fill the window",
    "ranking": "right with the right document, which the search ranked too low",
    "distraction": "right with less beside the right document: the rest distracts",
    "position": "right when the documents stand in another order",
    "harm": "right without the documents: they lead the model astray",
    "routing": "right when the question is put to the other source, or a stronger model",
    "context": "right with the right document alone",
}


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
        return _only_cost_or_latency(failed, verdict, mends)
    wrong = [row for row, score in arms.production.items() if score < WRONG_BELOW]
    scores = {name: estimate(list(found.values()), confidence) for name, found in _run(arms)}
    if score_holds(verdict):  # over all rows; the arms see the first of them
        sentence = "The score holds so far; the rows are too few to prove it."
        return Diagnosis(causes=(), sentence=sentence, arms=scores)
    causes = _causes(way, arms, wrong, confidence)
    held = way == "retrieving" and _right_documents_hold(arms, wrong, min_score, 1 - confidence)
    refuses = _unfit("context", mends) if held else ()
    if refuses:
        causes = [cause for cause in causes if cause.name != "skill"]
        names = ", ".join(cause.name for cause in causes) or "retrieval"
        sentence = (
            f"Given the right documents the same model scores {arms.score('oracle'):.2f} instead "
            f"of {_where_oracle(arms):.2f}: the gap is {names}, not skill, so training "
            "is refused. Mend that first."
        )
    else:
        sentence = causes[0].sentence if causes else "No single cause stands out."
    return Diagnosis(
        causes=tuple(causes),
        refuses=refuses,
        sentence=sentence,
        arms=scores,
        untold=_untold(way, arms),
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
        _cause(way, arms, name, rows, wrong, confidence)
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


def _cause(
    way: Way,
    arms: Arms,
    name: CauseName,
    rows: Sequence[str],
    wrong: Sequence[str],
    confidence: float,
) -> Cause:
    return Cause(
        name=name,
        share=len(rows) / len(wrong),
        recoverable=_recoverable(arms, set(rows), confidence),
        sample_ids=tuple(rows[:MOST_IDS]),
        sentence=f"{_share_of(len(rows), len(wrong))} misses: {_why(way, arms, name)}",
    )


def _recoverable(arms: Arms, rows: set[str], confidence: float) -> Estimate:
    """Return the score had these rows been right."""
    mended = [1.0 if row in rows else score for row, score in arms.production.items()]
    return estimate(mended, confidence)


def _why(way: Way, arms: Arms, name: CauseName) -> str:
    if name != "skill":
        return SENTENCES[name]
    if "oracle" in arms.changed:
        return "wrong even with the right document: the model lacks the skill"
    if way == "prompted":
        return "does not know this task's answers (knowledge and skill cannot be told apart here)"
    return "wrong with what it was shown (skill and retrieval cannot be told apart here)"


def _untold(way: Way, arms: Arms) -> tuple[str, ...]:
    """Say what the arms that could not be run leave open."""
    found = []
    if "oracle" not in arms.changed:
        found.append("knowledge or retrieval from skill: no row names the document with its answer")
    elif arms.guessed:
        found.append(
            "whether the right documents are right: the rows name none, and passages in which the "
            "answer stands word for word were taken"
        )
    if "strong oracle" not in arms.changed and "strong" not in arms.changed:
        found.append("skill from wrong targets: no stronger model is named (models.teacher)")
    elif "strong oracle" in arms.changed and not _is_witness(arms.changed["strong oracle"]):
        found.append("skill from wrong targets: the stronger model is right nowhere either")
    if way == "retrieving" and "rerank" not in arms.changed:
        found.append("what a reranker would mend: none is named (models.reranker)")
    return tuple(found)


def _only_cost_or_latency(
    failed: Sequence[str], verdict: Verdict, mends: Mapping[RungName, frozenset[Gap]]
) -> Diagnosis:
    names = {"max_cost_usd_per_1k": "cost", "max_p95_ms": "latency"}
    causes = []
    for limit in verdict.limits:
        if limit.limit in failed and limit.limit in names:
            name = names[limit.limit]
            sentence = f"the score holds, the {name} does not: {limit.reason}"
            causes.append(Cause.model_validate({"name": name, "share": 0.0, "sentence": sentence}))
    if not causes:
        return Diagnosis(causes=(), sentence="Too many requests failed to say why.")
    what = " and ".join(cause.name for cause in causes)
    return Diagnosis(
        causes=tuple(causes),
        refuses=_unfit("cost", mends),
        sentence=f"Only {what} fails: a smaller model can mend that, more context or an adapter on "
        "the same model cannot.",
    )


def _share_of(part: int, whole: int) -> str:
    return f"all {whole}" if part == whole else f"{part} of {whole}"
