"""Why a rung has its status, and why it is recommended or is not.

From records whose texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evidence import Assessment, Attempt, Recommendation
from ladder.inference.failures import in_words
from ladder.report.causes import change_of, common_miss_sentence, diagnosis_sentence
from ladder.report.control import control_sentence
from ladder.report.frozen import frozen_lines
from ladder.report.limits import limit_reason
from ladder.wording import counted, latency

ASK_AGAIN = "What was answered is kept: the same command asks only for what is missing."
"""What to do where requests failed."""


def attempt_reason(attempt: Attempt, attempts: Sequence[Attempt]) -> str:
    """Say why a rung has the status that it has.

    Args:
        attempt: the rung.
        attempts: all of the climb.
    """
    if attempt.reason:
        return attempt.reason
    if attempt.refused_after:
        whys = [diagnosis_sentence(a) for a in attempts if a.rung == attempt.refused_after]
        return f"refused after {attempt.refused_after}: {' '.join(whys)}"
    lost = [line.description for line in attempt.race if line.unheard]
    if attempt.status == "no verdict" and lost and _decided(attempt):
        raced = _limits(attempt)
        return f"too many requests failed to race {', '.join(lost)}; what was raced: {raced}"
    return _limits(attempt)


def _decided(attempt: Attempt) -> bool:
    return attempt.verdict is not None and attempt.verdict.status != "none"


def _limits(attempt: Attempt) -> str:
    """Say what the limits that decided rest on; where requests failed, in whose words."""
    verdict, m = attempt.verdict, attempt.measurement
    if verdict is None:
        return ""
    decisive = [limit for limit in verdict.limits if limit.verdict == verdict.status]
    text = "; ".join(f"{limit.limit}: {limit_reason(limit)}" for limit in decisive)
    if verdict.status == "none" and m and m.error_kinds:
        text += f" ({counted(m.error_kinds)}: {m.commonest_error})"
    return text


def answer_reasons(a: Assessment) -> list[str]:
    """Say what speaks for the answer: the rungs, what to do where none passes, the control."""
    found = a.recommendation
    control = []
    if a.control and not found.control:
        control = [control_sentence(a)]
    read = openings_sentence(found)
    return [
        *rung_lines(found, a.attempts),
        *([read] if read else []),
        *frozen_lines(a.criteria),
        *advice_lines(found, a.attempts),
        *control,
    ]


def openings_sentence(found: Recommendation) -> str:
    """Say that the held-out test set was read before, for other systems; nothing if it was not."""
    if found.openings < 2:
        return ""
    return (
        f"The held-out test set has been used for {found.openings} systems so far: it no longer "
        "confirms a choice among them. Use fresh test examples for a decision that counts."
    )


def rung_lines(found: Recommendation, attempts: Sequence[Attempt]) -> list[str]:
    """Say how each rung went; of a recommended one and those below it only.

    Args:
        found: the answer.
        attempts: of the whole climb.
    """
    at = next((n for n, attempt in enumerate(attempts) if attempt.rung == found.rung), None)
    lines = [_line(attempt, attempts) for attempt in attempts[:at]]
    return lines if at is None else [_measured(attempts[at]), *_fixed(attempts[at]), *lines]


def score_of(attempt: Attempt) -> str:
    """Say a measured attempt's score with its interval."""
    if attempt.measurement is None:
        return "no score"
    score = attempt.measurement.score
    return f"eval score {score.mean:.2f} ({score.low:.2f}–{score.high:.2f}, n = {score.n})"


def _measured(attempt: Attempt) -> str:
    passed = attempt.status == "passed"
    word = "is the first rung that passes" if passed else "is inconclusive, leans to pass"
    return f"{attempt.rung} {word}: {score_of(attempt)}."


def _fixed(attempt: Attempt) -> list[str]:
    """Say what had to be fixed for this rung to be what it is."""
    changed = [
        (fix.cause, change_of(fix), fix.unseen.difference)
        for fix in attempt.fixes
        if fix.kept and fix.unseen
    ]
    what = ", ".join(
        f"{cause} ({change}: {gain:+.2f})" if change else f"{cause} ({gain:+.2f})"
        for cause, change, gain in changed
    )
    return [f"Mended first, by fresh training examples: {what}."] if what else []


def _line(attempt: Attempt, attempts: Sequence[Attempt]) -> str:
    if attempt.status == "no verdict":  # the answer itself says why
        return f"{attempt.rung}: no verdict"
    why = diagnosis_sentence(attempt) or attempt_reason(attempt, attempts)
    missed = common_miss_sentence(attempt.measurement) if attempt.measurement else ""
    more = f"; {missed[:-1]}" if missed and attempt.status == "failed" else ""
    return f"{attempt.rung} {attempt.status}: {why}{more}"


def advice_lines(found: Recommendation, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say what follows from the rungs together.

    Args:
        found: the answer.
        attempts: of the whole climb.
    """
    if found.control:
        yield (
            f"No language model is needed: {found.description} holds the gate. "
            "`ladder assess --climb` measures the rungs all the same."
        )
    elif found.rung is not None:
        yield from _leaning(found, attempts)
    elif found.confirmed and not found.tested:
        yield "The held-out test examples miss the gate: do not ship on this."
    elif found.tested and found.withheld:
        yield (
            f"{found.tested} is not confirmed on the held-out test set: nothing is called passed. "
            f"{ASK_AGAIN}"
        )
    elif found.tested:
        yield "The held-out test examples miss the gate: do not ship on this."
    elif found.withheld:
        yield f"Nothing is concluded from this, and no rung above is climbed to. {ASK_AGAIN}"
    else:
        yield from _without_a_rung(found, attempts)


def _leaning(found: Recommendation, attempts: Sequence[Attempt]) -> Iterator[str]:
    verdicts = [a.verdict for a in attempts if a.rung == found.rung and a.verdict]
    if not found.leans_to_pass or not verdicts:
        return
    more = [limit.more_rows for limit in verdicts[0].limits if limit.more_rows]
    rows = f"; about {max(more):,} more rows would settle it" if more else ""
    yield f"Unproven: the estimates hold every limit, the evidence does not{rows}."


def _too_slow(attempt: Attempt) -> str:
    """Say by how much a rung misses its limits of latency and cost."""
    limits = attempt.verdict.limits if attempt.verdict else ()
    said = []
    for limit in limits:
        if limit.verdict != "fail":
            continue
        if limit.limit == "max_p95_ms" and limit.got is not None:
            said.append(f"p95 {latency(limit.got)}, limit {latency(limit.wanted)}")
        elif limit.limit == "max_cost_usd_per_1k" and limit.got is not None:
            said.append(f"{limit.got:.4g} USD per 1,000, limit {limit.wanted:.4g}")
        else:
            said.append(limit.limit)
    return f"{attempt.rung}: {' and '.join(said)}"


def _without_a_rung(found: Recommendation, attempts: Sequence[Attempt]) -> Iterator[str]:
    if found.advice == "fix":
        yield "Do not train for this: fix what the diagnosis names, then assess again."
    elif found.advice == "climb on":
        yield (
            f"Not measured: {', '.join(found.not_measured)}, left out by `rungs:` or --until. "
            "Whether they would pass is not known: climb on before you decide against them."
        )
    elif found.advice == "lighter":
        held = [attempt for attempt in attempts if attempt.rung in found.holds_score]
        verb, miss = ("holds", "misses") if len(held) == 1 else ("hold", "miss")
        yield (
            f"{' and '.join(a.rung for a in held)} {verb} the score and {miss} a limit of latency "
            f"or cost alone ({'; '.join(map(_too_slow, held))}): a faster machine, a smaller model "
            "or another limit decides this, not more training."
        )
    elif found.advice == "stronger base":
        yield "No rung passes this gate with this base model: try a stronger base first."
    if found.needs_weights:
        yield (
            f"{', '.join(found.needs_weights)} would train the base, whose weights are not here: "
            "name one that is (`models.base: hf:FOLDER`) to measure it."
        )


def why_withheld(a: Assessment) -> str:
    """Say why there is no verdict; nothing where there is one."""
    found = a.recommendation
    if not found.withheld or a.stopped:
        return a.stopped if found.withheld else ""
    if found.tested:
        failed = found.sealed_failures
        why = (
            in_words("the held-out test examples", failed) if failed else "too many requests failed"
        )
        return f"{found.tested} is not confirmed: {why}"
    without = next((x for x in a.attempts if x.status == "no verdict"), None)
    return f"{without.rung}: {attempt_reason(without, a.attempts)}" if without else ""
