"""What a rung showed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evidence import AgainstTeacher, Attempt, Comparison, LimitVerdict, Measurement
from ladder.language.stems import in_words
from ladder.report.blocks import Block, Heading, Strong, Table, say, tabled
from ladder.report.calibrated import calibration_blocks
from ladder.report.causes import (
    cause_blocks,
    common_miss_sentence,
    context_blocks,
    fix_blocks,
    miss_blocks,
)
from ladder.report.people import human_blocks
from ladder.report.race import meaning, race_blocks
from ladder.report.reasons import attempt_reason
from ladder.report.training import build_blocks
from ladder.wording import apart, counted, disturbed_words, latency, span

SUSPECT_TAIL = 5
"""A p95 of so many times the p50 is worth a word."""
SAME = 0.005
"""Two costs are alike whose ratio is so near to 1."""


def attempt_blocks(attempt: Attempt, attempts: Sequence[Attempt]) -> Iterator[Block]:
    """Yield the section of a rung: what was measured, raced, compared, and why it failed.

    Args:
        attempt: the rung.
        attempts: all of the climb.
    """
    yield from result_blocks(attempt, attempts)
    yield from why_blocks(attempt)
    yield from race_blocks(attempt)


def result_blocks(attempt: Attempt, attempts: Sequence[Attempt]) -> Iterator[Block]:
    """Yield what was measured of a rung, and what it is compared with."""
    yield Heading(3, f"{attempt.rung}: {attempt.status}")
    reason = attempt_reason(attempt, attempts)
    m = attempt.measurement
    if m is None or attempt.candidate is None:
        yield say(reason)
        yield from _failed_blocks(attempt)
        return
    described = attempt.candidate.description
    yield say(f"Best candidate: {described}. {reason}.")
    if meant := meaning([described]):
        yield say(f"In words: {meant}")
    yield _limit_table(attempt)
    yield from _measured_blocks(attempt, m)


def why_blocks(attempt: Attempt) -> Iterator[Block]:
    """Yield why a rung did not pass, what it missed all the same, and what context costs it."""
    if attempt.measurement and attempt.candidate:
        if said := common_miss_sentence(attempt.measurement):
            yield say(said)
        yield from cause_blocks(attempt)
        yield from miss_blocks(attempt)
        yield from context_blocks(attempt)


def _measured_blocks(attempt: Attempt, m: Measurement) -> Iterator[Block]:
    """Say what was measured of the best candidate, and what it is compared with."""
    if m.tokens.thoughts_mean:
        yield say(
            f"Of {m.tokens.output_mean:.0f} tokens of an answer {m.tokens.thoughts_mean:.0f} are "
            "thoughts before it: they are paid and waited for, and never scored."
        )
    if m.negotiated:
        yield say(f"The server refused how requests were put. Sent: {'; '.join(m.negotiated)}.")
    if len(m.served_by) > 1:
        yield say(
            f"The server named more than one model or build: {', then '.join(m.served_by)}. The "
            "figures are not those of one model: measure again."
        )
    yield from _failed_blocks(attempt)
    yield from fix_blocks(attempt.fixes)
    if m.macro_f1 is not None:
        yield say(f"Macro-F1 {m.macro_f1:.3f} beside a score of {m.score.mean:.3f}.")
    yield from calibration_blocks(attempt.calibration)
    yield from _latency_blocks(m)
    for name, other in m.others.items():
        yield say(f"Also {name}: {span(other)}.")
    yield from _retrieval_blocks(attempt)
    yield from human_blocks(m)
    yield from _slice_blocks(m)
    yield from _comparison_blocks(attempt)
    yield from _teacher_blocks(attempt)
    yield from build_blocks(m.build)


def _failed_blocks(attempt: Attempt) -> Iterator[Block]:
    """Say which requests failed, from the race to the explanation, and what became of them."""
    m, failed = attempt.measurement, attempt.asked.errors
    if failed:
        yield say(
            f"Requests that failed, from the race on: {counted(failed)}. "
            "What may pass was asked again; what failed again was left out; none counts as wrong."
        )
    if m and m.errors:
        yield say(
            f"{m.errors} of the {m.requests} eval examples have no score; the commonest error: "
            f"{m.commonest_error}"
        )


def _latency_blocks(m: Measurement) -> Iterator[Block]:
    if m.latency_ms is None:
        if m.untimed:
            yield say(f"Latency: none of {m.untimed} timed requests was answered.")
        return
    found = m.latency_ms
    parts = []
    for name, value in (("p50", found.p50), ("p95", found.p95), ("p99", found.p99)):
        low, high = found.intervals.get(name, (None, None))
        # So few requests may set no upper end: the slowest is yet to come.
        ends = f"{latency(low or 0)} " + ("or more" if high is None else f"to {latency(high)}")
        parts.append(f"{name} {latency(value)} ({ends})")
    text = f"Latency over {found.n} requests, {found.clients} at once: {', '.join(parts)}"
    if found.queue_p95:
        text += f"; waiting in line: p95 {latency(found.queue_p95)}"
    if found.first_token_p50 is not None:
        text += (
            f"; first token: p50 {latency(found.first_token_p50)}, "
            f"p95 {latency(found.first_token_p95 or 0)}"
        )
    if m.requests_per_second:
        text += f". In batches: its eval requests at {m.requests_per_second:.1f} a second"
    if m.untimed:
        text += f". {m.untimed} more timed requests got no answer"
    yield say(f"{text}.")
    if found.waited is not None and found.disturbed:
        words = disturbed_words(found.waited)
        yield say(f"{words[:1].upper()}{words[1:]}.")
    if found.p95 > SUSPECT_TAIL * found.p50:
        yield say(
            f"The p95 is {found.p95 / found.p50:.0f} times the p50: a few far longer inputs, or "
            "other work on the machine. If nothing else should have run, measure again."
        )


def _retrieval_blocks(attempt: Attempt) -> Iterator[Block]:
    for found in attempt.retrieval:
        text = f"The search put {found.k} of the {found.source} in context for each row"
        if found.language:
            text += f", by {in_words(found.language)}"
        if found.recall:
            n = next(iter(found.recall.values())).n
            at = ", ".join(f"{share.mean:.2f} at {k}" for k, share in found.recall.items())
            text += f"; recall, on the {n} rows whose right document is known: {at}"
        yield say(
            f"{text}. {100 * found.redundancy:.0f} % of the words put in context had been said "
            "by an "
            f"earlier text of the same row; Gini of the hits {found.inequality:.2f} (near 1: the "
            "same few texts for every row)." + _calibration(found.calibration_error)
        )


def _calibration(error: float | None) -> str:
    if error is None:
        return ""
    return (
        f" Chances of being right that are read from the scores are off by {error:.2f} (expected "
        "calibration error)."
    )


def _slice_blocks(m: Measurement) -> Iterator[Block]:
    if m.unweighted:
        yield say(f"Weighted to the shares in production; unweighted {span(m.unweighted)}.")
    if m.slices:
        rows = ((kind, span(score), str(score.n)) for kind, score in m.slices.items())
        yield tabled(("kind of row", "score", "n"), *rows)


def _comparison_blocks(attempt: Attempt) -> Iterator[Block]:
    chose = next((line for line in attempt.race if not line.dropped), None)
    fixed = any(fix.kept for fix in attempt.fixes)  # what raced is not what was measured
    if chose and attempt.measurement and not fixed:
        seen, unseen = chose.score, attempt.measurement.score.mean
        yield say(
            f"On the {chose.n} dev examples that chose it: {seen:.2f}; on the eval examples: "
            f"{unseen:.2f} ({apart(unseen - seen)})."
        )
    of = len(attempt.comparisons)
    corrected = f" (of {of} comparisons, Holm)" if of > 1 else ""
    for c in attempt.comparisons:
        against = (
            f"Against {c.other}, on the {c.n} rows that both answered: {apart(c.difference)} "
            f"({c.low:+.2f} to {c.high:+.2f}), p = {c.p_value:.2g}{corrected}: "
        )
        yield say((against, Strong(c.claim), "."))


def _teacher_blocks(attempt: Attempt) -> Iterator[Block]:
    """Say what a student keeps; and what it saves, where its teacher is worth having at all."""
    found = attempt.against_teacher
    if found is None:
        return
    text = (
        f"Beside its teacher, {found.teacher}, on the {found.n} rows that both answered: "
        f"{found.kept:.0%} of the score kept ({found.low:.0%} to {found.high:.0%})"
    )
    if found.worth_having and found.cheaper:
        text += f"; a request costs {_part(found.cheaper)} of the teacher's"
        if found.cheaper_busy and found.cheaper_busy != found.cheaper:
            text += f" ({_part(found.cheaper_busy)} on machines that are busy all the time)"
    if found.worth_having and found.faster:
        text += f", and takes 1/{found.faster:.3g} of the time (p50)"
    yield say(f"{text}.")
    yield from _teacher_unproven(found, attempt.over_control)


def _part(times: float) -> str:
    """Say what a cost is of another that is so many times as high."""
    return "100 %" if abs(times - 1) < SAME else f"1/{times:.3g}"


def _teacher_unproven(found: AgainstTeacher, own: Comparison | None) -> Iterator[Block]:
    """Say that a teacher is not proven worth having; nothing where it is.

    Args:
        found: the student beside its teacher.
        own: the student against the control.
    """
    over = found.over_control
    if over is None:
        yield say(
            "This teacher was not compared with the control, what needs no language model, so "
            "what the student saves is not said."
        )
    elif not found.worth_having:
        needless = own is None or own.claim != "better"
        yield say(
            f"The teacher, {found.teacher}, is not proven better than the control "
            f"({apart(over.difference)}, {over.low:+.2f} to {over.high:+.2f}, on {over.n} rows)"
            + (", so no student of it is needed." if needless else "; the student itself is.")
        )


def _limit_table(attempt: Attempt) -> Table:
    lines: list[tuple[str, ...]] = []
    for limit in attempt.verdict.limits if attempt.verdict else ():
        got = "?" if limit.got is None else f"{limit.got:.4g}"
        rows = limit.more_rows
        more = f", about {rows:,} more rows would settle it" if rows else ""
        verdict = f"{limit.verdict}{more}"
        lines.append((limit.limit, f"{limit.wanted:g}", got, _distance(limit), verdict))
    return tabled(("limit", "wanted", "measured", "distance", "verdict"), *lines)


def _distance(limit: LimitVerdict) -> str:
    """Say on which side of a limit what was measured lies, and how far."""
    if limit.got is None or limit.distance is None:
        return "?"
    words = f"{abs(limit.distance):.4g}"
    if float(words) == 0:
        return "at the limit"
    return f"{words} {'above' if limit.got > limit.wanted else 'below'}"
