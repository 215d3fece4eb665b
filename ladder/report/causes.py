"""What the report says of causes, fixes and contexts, from records whose texts are escaped."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.diagnosis.changes import IN_WORDS
from ladder.diagnosis.cut_answers import cut_in_words
from ladder.diagnosis.rules import WRONG_BELOW
from ladder.evidence import (
    Attempt,
    Cause,
    CauseName,
    Diagnosis,
    Fix,
    Measurement,
    Misses,
    Sign,
    Unresolved,
)
from ladder.gate.verdict import score_holds
from ladder.report.blocks import (
    Block,
    Bullets,
    Example,
    Missed,
    Part,
    Said,
    Strong,
    say,
)
from ladder.report.limits import limit_reason
from ladder.report.why_pictures import ablations_figure, curve_figure
from ladder.wording import gap

NAMED = 3
"""Examples of a cause."""


def fix_blocks(fixes: tuple[Fix, ...]) -> Iterator[Block]:
    """Say what was changed before the rung was measured, and what that was worth."""
    if not fixes:
        return
    yield say("Mended before it was measured, each change on top of the one before:")
    yield Bullets(tuple(map(_fix, fixes)))


def _fix(fix: Fix) -> Said:
    before, after = fix.tokens
    unseen = f"; on fresh training examples {gap(fix.unseen)}" if fix.unseen else ""
    dropped = "" if fix.kept else " Not kept: it does not win on fresh training examples."
    return (
        Strong(fix.cause),
        f"{_arrow(fix)}: {gap(fix.on_dev)} on the dev set"
        f"{unseen}; {before:.0f} → {after:.0f} prompt tokens.{dropped}",
    )


def change_of(fix: Fix) -> str:
    """Say what was changed in a few words; nothing where the file does not tell."""
    return IN_WORDS.get(fix.ablation, "") if fix.ablation else ""


def _arrow(fix: Fix) -> str:
    change = change_of(fix)
    return f" → {change}" if change else ""


def cause_blocks(attempt: Attempt) -> Iterator[Block]:
    """Say why a rung did not pass, by what the ablations fixed."""
    diagnosis = attempt.diagnosis
    if diagnosis is None or not (diagnosis.causes or diagnosis.ablations):
        return
    # Often the first cause says the same sentence.
    whole = diagnosis_sentence(attempt)
    said = any(whole == cause_sentence(attempt, cause) for cause in diagnosis.causes)
    yield say("Why it did not pass:" + ("" if said else f" {whole}"))
    yield Bullets(tuple(_cause(attempt, cause) for cause in diagnosis.causes))
    if among := _among(attempt):
        only = f"Only those{among} were diagnosed: to the misses after them no cause is given."
        yield say((Missed("All its misses", attempt.rung), f". {only}"))
    yield from _ablation_blocks(attempt, diagnosis)
    for code in diagnosis.unresolved:
        yield say(f"Could not tell {UNRESOLVED[code]}.")


TEST_UNSEEN = "Answers to test examples are not shown: that set stays held out."


def miss_blocks(attempt: Attempt) -> Iterator[Block]:
    """Say which answers of a rung were wrong all the same, where nothing asked for their causes."""
    m, found = attempt.measurement, attempt.misses
    if found is None:  # it was diagnosed, or the file was written before they were counted
        if m and m.score.mean < 1 and attempt.diagnosis is None and attempt.status == "passed":
            yield say((Missed("Its misses", attempt.rung), " are not diagnosed: it passed."))
        return
    which, told = Missed(miss_words(found), attempt.rung), _undiagnosed(attempt)
    unseen = f" {TEST_UNSEEN}" if attempt.status == "passed" else ""
    if set(found.signs) <= {"none"}:
        yield say((which, told, *_first(found.signs.get("none", ())), f".{unseen}"))
        return
    if unseen:
        yield say(unseen.strip())
    yield say((which, f"{told}. What is seen without asking more, a sign and no proven cause:"))
    yield Bullets(tuple(_sign(attempt, sign, ids) for sign, ids in found.signs.items()))


def common_miss_sentence(measured: Measurement) -> str:
    """Say which wrong answer stands for most of the misses; nothing where none does."""
    found = measured.common_miss
    if found is None:
        return ""
    what = f'the answer "{found.answer}"' if found.answer else "empty: nothing was answered"
    return f"{found.count} of its {found.of} wrong answers are {what}."


def miss_sentence(attempt: Attempt) -> str:
    """Say how many answers of a rung were wrong all the same; nothing where none is known to be."""
    found = attempt.misses
    return f"{miss_words(found)}{_undiagnosed(attempt)}." if found and found.count else ""


def miss_words(found: Misses) -> str:
    """Say how many answers are wrong, and from which score on."""
    count = f"{found.count:,}" if found.count else "None"
    return f"{count} of its {found.of:,} eval answers {'are' if found.count > 1 else 'is'} wrong"


def _undiagnosed(attempt: Attempt) -> str:
    found = attempt.misses
    why = "it passed" if attempt.status == "passed" else "its score holds"
    said = f" (a score below {WRONG_BELOW:g})"
    return f"{said}, not diagnosed since {why}" if found and found.count else said


def _sign(attempt: Attempt, sign: Sign, ids: tuple[str, ...]) -> Said:
    name = Missed("no sign" if sign == "none" else sign, attempt.rung, sign_of(sign))
    return (name, f": {len(ids):,}, {SIGNS[sign]}", *_examples(ids), ".")


def sign_of(sign: Sign) -> str:
    """Return a sign as an example has it in the place of its cause."""
    return "sign: none, not diagnosed" if sign == "none" else f"sign: {sign}"


def _first(ids: tuple[str, ...]) -> Iterator[Part]:
    """Yield the first of these examples, and how many more there are."""
    for number, sample in enumerate(ids[:NAMED]):
        yield ", " if number else ": "
        yield Example(sample)
    if len(ids) > NAMED:
        yield f" and {len(ids) - NAMED:,} more"


def _examples(ids: tuple[str, ...]) -> Iterator[Part]:
    """Yield the first of these examples, in brackets."""
    for number, sample in enumerate(ids[:NAMED]):
        yield ", " if number else " (e.g. "
        yield Example(sample)
    if ids:
        yield ")"


def _cause(attempt: Attempt, cause: Cause) -> Said:
    would = ""
    if cause.recoverable:
        r = cause.recoverable
        would = f" Had they been right: {r.mean:.2f} ({r.low:.2f}–{r.high:.2f})."
    said = f": {cause_sentence(attempt, cause)}"
    return (
        Missed(cause.name, attempt.rung, cause.name),
        said,
        *_examples(cause.sample_ids),
        f".{would}",
    )


def _ablation_blocks(attempt: Attempt, diagnosis: Diagnosis) -> Iterator[Block]:
    if not diagnosis.ablations:
        return
    asked = diagnosis.asked
    took = f"{asked.calls:,} calls, {asked.tokens:,} tokens, {asked.seconds:.0f} s of the model"
    took = f"That took {took}." if asked.calls else "That took no call in this run."
    yield say(f"The same {_looked_at(diagnosis)} rows with one thing changed. {took}")
    yield ablations_figure(attempt, diagnosis)


def _looked_at(diagnosis: Diagnosis) -> int:
    """Return how many rows the ablations answered."""
    return max((found.n for found in diagnosis.ablations.values()), default=0)


UNRESOLVED: dict[Unresolved, str] = {
    "no right document": (
        "knowledge or retrieval from skill: no row names the document with its answer"
    ),
    "guessed documents": (
        "whether the right documents are right: the rows name none, and passages in which the "
        "answer stands word for word were taken"
    ),
    "no stronger model": ("skill from wrong targets: no stronger model is named (models.teacher)"),
    "stronger model never right": (
        "skill from wrong targets: the stronger model is right nowhere either"
    ),
    "no reranker": "what a reranker would fix: none is named (models.reranker)",
}

CAUSES: dict[CauseName, str] = {
    "cut": "the answer is cut; with a higher limit it is right, or better",
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
SIGNS: dict[Sign, str] = {
    "other form": "right when read leniently: the answer stands in another form",
    "cut off": "the answer reached its limit of tokens before it ended",
    "not in the index": "no document that the row names is in the index",
    "not retrieved": "no document that the row names was in context",
    "wrong beside its document": "a document that the row names was in context",
    "none": "none of these is seen",
}
LIMIT_OF: dict[CauseName, str] = {"cost": "max_cost_usd_per_1k", "latency": "max_p95_ms"}


def diagnosis_sentence(attempt: Attempt) -> str:
    """Say in one sentence why a rung did not pass; nothing where it was not diagnosed."""
    found, verdict = attempt.diagnosis, attempt.verdict
    if found is None:
        return ""
    if verdict and all(
        limit.verdict == "pass" or limit.limit != "min_score" for limit in verdict.limits
    ):
        return _only_cost_or_latency(found)
    if verdict and score_holds(verdict):
        return "The score holds so far; the rows are too few to prove it."
    if found.gap == "length" and found.cut:
        return f"{cut_in_words(found.cut)} Training is refused: set the limit, then assess again."
    if found.refuses:
        return _context_gap(found)
    return cause_sentence(attempt, found.causes[0]) if found.causes else NO_CAUSE


NO_CAUSE = "No single cause stands out."


def _only_cost_or_latency(found: Diagnosis) -> str:
    if not found.causes:
        return "Too many requests failed to say why."
    what = " and ".join(cause.name for cause in found.causes)
    return (
        f"Only {what} fails: a smaller model can fix that, more context or an adapter on the same "
        "model cannot."
    )


def _context_gap(found: Diagnosis) -> str:
    oracle, own = found.ablations.get("oracle"), found.without_oracle
    names = ", ".join(cause.name for cause in found.causes) or "retrieval"
    refused = f"gap is {names}, not skill, so training is refused. Fix that first."
    if oracle is None or own is None:  # in files written before the second was kept
        return f"The {refused}"
    return (
        f"Given the right documents the same model scores {oracle.mean:.2f} instead of {own:.2f}: "
        f"the {refused}"
    )


def cause_sentence(attempt: Attempt, cause: Cause) -> str:
    """Say how many of the wrong answers a cause explains, and what shows it."""
    if cause.name in LIMIT_OF:
        return f"the score holds, the {cause.name} does not: {_limit(attempt, cause.name)}"
    share = f"{cause.share:.0%} of the"
    if cause.count is not None:
        share = f"all {cause.of}" if cause.count == cause.of else f"{cause.count} of {cause.of}"
    return f"{share} misses{_among(attempt)}: {_why(attempt, cause.name)}"


def _among(attempt: Attempt) -> str:
    """Say among which rows the misses were looked for, where those are not all."""
    m, found = attempt.measurement, attempt.diagnosis
    rows = _looked_at(found) if found else 0
    if m is None or not rows or rows >= m.requests - m.errors:
        return ""
    return f" in the first {rows} rows"


def _limit(attempt: Attempt, name: CauseName) -> str:
    limits = attempt.verdict.limits if attempt.verdict else ()
    missed = [limit for limit in limits if limit.limit == LIMIT_OF[name]]
    return limit_reason(missed[0]) if missed else "its limit is missed"


def _why(attempt: Attempt, name: CauseName) -> str:
    if name in CAUSES:
        return CAUSES[name]
    if attempt.diagnosis and "oracle" in attempt.diagnosis.ablations:
        return "wrong even with the right document: the model lacks the skill"
    if attempt.candidate and attempt.candidate.way == "prompted":
        return "does not know this task's answers (knowledge and skill are not identifiable here)"
    return "wrong with what it was shown (skill and retrieval are not identifiable here)"


def context_blocks(attempt: Attempt) -> Iterator[Block]:
    """Say what context costs."""
    costs = attempt.context
    if costs is None:
        return
    curve = ", ".join(f"{found.mean:.2f} at {k}" for k, found in costs.curve.items())
    best, worst = costs.places or ("", "")
    moved = f"{worst} instead of {best}" if costs.places else costs.position.other
    yield say(
        f"How much to read, on {costs.rows} rows: {curve} texts; {costs.knee} is the smallest "
        "within one standard error of the best."
    )
    yield curve_figure(attempt, costs)
    yield say(
        f"The right document alone scores {costs.alone.mean:.2f}. Among {costs.texts} texts, "
        f"length costs {gap(costs.length)}, real texts beside it instead of filler cost a further "
        f"{gap(costs.distraction)}, and {moved} costs {gap(costs.position)}."
    )
