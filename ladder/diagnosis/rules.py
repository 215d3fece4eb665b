"""From what the arms measured to the causes of failure, and what they rule out. Pure.

An arm answers the same rows with one thing changed; what it mends shows the cause. The gate before
training: where the same model with the right documents holds the score and the real pipeline does
not, the gap is retrieval, and training is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ladder.evidence import Cause, Diagnosis, Verdict
from ladder.gate.bounds import estimate
from ladder.task import RungName

WRONG_BELOW = 0.5
MOST_IDS = 20
WORTH_NAMING = 0.1
"""Causes behind fewer of the wrong answers than this are left out."""


@dataclass(frozen=True)
class Arms:
    """Scores by sample id. An arm that could not be run is None."""

    production: Mapping[str, float]
    lenient: Mapping[str, float]
    """The same answers, read leniently."""
    oracle: Mapping[str, float] | None
    """The same system, given the documents that hold the answer."""


def diagnose(
    rung: RungName, verdict: Verdict, arms: Arms, min_score: float, confidence: float
) -> Diagnosis:
    """Name the causes of a rung's failure."""
    failed = [limit.limit for limit in verdict.limits if limit.verdict != "pass"]
    if "min_score" not in failed:
        return _only_cost_or_latency(failed, verdict)
    wrong = [row for row, score in arms.production.items() if score < WRONG_BELOW]
    causes = [_format(arms, wrong, confidence)]
    refuses: tuple[RungName, ...] = ()
    if arms.oracle is not None:
        held = fmean(arms.oracle.values()) >= min_score
        causes.append(_missing_text(rung, arms.oracle, wrong, confidence))
        if rung == "rag" and held:
            refuses = ("lora", "distill")
    named = [cause for cause in causes if cause and cause.share >= WORTH_NAMING]
    explained = _explained(arms, {cause.name for cause in named})
    rest = [row for row in wrong if row not in explained]
    if rest and not refuses:
        named.append(_skill(rung, arms, rest, len(wrong)))
    named.sort(key=lambda cause: -cause.share)
    if refuses and arms.oracle is not None:
        sentence = (
            f"Given the right documents the same model scores {fmean(arms.oracle.values()):.2f}: "
            "the gap is retrieval, not skill, so training is refused. Mend the search first."
        )
    else:
        sentence = named[0].sentence if named else "No single cause stands out."
    return Diagnosis(causes=tuple(named), refuses=refuses, sentence=sentence)


def _explained(arms: Arms, names: set[str]) -> set[str]:
    """Return every row that the named causes account for (a cause itself lists only a few)."""
    mended: set[str] = set()
    if "format" in names:
        mended |= {row for row, score in arms.lenient.items() if score >= WRONG_BELOW}
    if names & {"knowledge", "retrieval"}:
        mended |= {row for row, score in (arms.oracle or {}).items() if score >= WRONG_BELOW}
    return mended


def _only_cost_or_latency(failed: Sequence[str], verdict: Verdict) -> Diagnosis:
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
        refuses=("rag", "lora"),
        sentence=f"Only {what} fails: a smaller model can mend that, more context or an adapter on "
        "the same model cannot.",
    )


def _format(arms: Arms, wrong: list[str], confidence: float) -> Cause | None:
    mended = [row for row in wrong if arms.lenient.get(row, 0.0) >= WRONG_BELOW]
    if not mended:
        return None
    return Cause(
        name="format",
        share=len(mended) / len(wrong),
        recoverable=estimate(list(arms.lenient.values()), confidence),
        sample_ids=tuple(mended[:MOST_IDS]),
        sentence=f"{_share_of(len(mended), len(wrong))} misses: right, but in another form",
    )


def _missing_text(
    rung: RungName, oracle: Mapping[str, float], wrong: list[str], confidence: float
) -> Cause | None:
    asked = [row for row in wrong if row in oracle]
    mended = [row for row in asked if oracle[row] >= WRONG_BELOW]
    if not mended:
        return None
    if rung == "prompt":
        name, why = "knowledge", "does not know what the documents say"
    else:
        name, why = "retrieval", "right with the right document, which the search did not bring"
    return Cause.model_validate(
        {
            "name": name,
            "share": len(mended) / len(asked),
            "recoverable": estimate(list(oracle.values()), confidence),
            "sample_ids": tuple(mended[:MOST_IDS]),
            "sentence": f"{_share_of(len(mended), len(asked))} misses: {why}",
        }
    )


def _skill(rung: RungName, arms: Arms, rest: list[str], wrong: int) -> Cause:
    if arms.oracle is not None:
        why = "wrong even with the right document: the model lacks the skill"
    elif rung == "prompt":
        why = "does not know this task's answers (knowledge and skill cannot be told apart here)"
    else:
        why = "wrong with what it was shown: the model lacks the skill"
    return Cause(
        name="skill",
        share=len(rest) / wrong,
        sample_ids=tuple(rest[:MOST_IDS]),
        sentence=f"{_share_of(len(rest), wrong)} misses: {why}",
    )


def _share_of(part: int, whole: int) -> str:
    return f"all {whole}" if part == whole else f"{part} of {whole}"
