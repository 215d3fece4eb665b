"""report.md: the assessment in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evidence import (
    AgainstTeacher,
    Assessment,
    Attempt,
    DataReport,
    Measurement,
    WordOverlap,
)
from ladder.report.causes import cause_lines, context_lines, mend_lines
from ladder.report.texts import each_text
from ladder.report.training import build_lines, technique_lines
from ladder.wording import code, counted, duration, in_markdown, span

SUSPECT_TAIL = 5
"""A p95 of so many times the p50 is worth a word."""


def as_markdown(assessment: Assessment) -> str:
    """Return the report. Every text of the record is escaped here, once, whoever wrote it."""
    return "\n".join(_lines(each_text(assessment, in_markdown), assessment)) + "\n"


def _lines(a: Assessment, raw: Assessment) -> Iterator[str]:
    limits = {name: value for name, value in a.task.gate.items() if value is not None}
    gate = ", ".join(
        f"{name} {value if isinstance(value, str) else format(value, 'g')}"
        for name, value in limits.items()
    )
    yield f"# {a.task.name}\n"
    yield f"> {a.task.goal}\n"
    yield f"{answer_line(a)}\n"
    if a.recommendation.instead:
        yield f"**But {a.recommendation.instead}**\n"
    for reason in a.recommendation.reasons:
        yield f"- {reason}"
    yield "\n## What was measured\n"
    yield f"Base model {code(raw.task.base)}, scorer {code(raw.task.scorer)}, gate: {gate}.\n"
    confidence = float(a.task.gate["confidence"] or 0)
    yield f"| rung | score ({100 * confidence:g} %) | p95 | $ per 1k | build | verdict |"
    yield "|---|---|---|---|---|---|"
    for row in table_rows(a):
        yield _cells(row)
    yield f"\n{assumed(a)}"
    if a.judge:
        yield f"\n{a.judge.sentence}"
    if a.control:
        yield f"\n{a.control.sentence}\n"
    for attempt in a.attempts:
        yield from _attempt_lines(attempt)
    yield from _data_lines(a)
    yield from _cost_lines(a)
    yield from _evidence_lines(a, raw.plan)


def _cells(texts: Sequence[str]) -> str:
    """Return one row of a table."""
    return "| " + " | ".join(texts) + " |"


def answer_line(a: Assessment) -> str:
    """Return the answer in one sentence."""
    found = a.recommendation
    if found.withheld:
        return f"Answer: no verdict. {found.withheld}"
    c = found.confirmed
    if found.rung is None and found.tested and c:
        return (
            f"Answer: none of the rungs. {found.tested} ({found.technique}) passed the gate and is "
            f"NOT confirmed on {c.n} sealed rows: {span(c)}. Do not ship it."
        )
    if found.rung is None:
        return "Answer: none of the rungs."
    text = f"Answer: {found.rung} ({found.technique})"
    if found.unproven:
        text += ", unproven"
    if c:
        passed = found.confirmed_verdict == "pass"
        word = "confirmed" if passed else "neither confirmed nor refuted"
        text += f", {word} on {c.n} sealed rows: {span(c)}"
    return text + "."


def table_rows(a: Assessment) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield the cells of the table of rungs, the control first."""
    if a.control:
        best = max(a.control.lines, key=lambda line: line.score.mean)
        yield (
            "control",
            span(best.score),
            f"{best.latency_ms:.1f} ms",
            f"{best.cost_usd_per_1k:.4f}",
            "–",
            f"reference: {best.name}, no model",
        )
    for attempt in a.attempts:
        yield _row(attempt)


def _row(attempt: Attempt) -> tuple[str, str, str, str, str, str]:
    m = attempt.measurement
    if m is None:
        if attempt.status == "no verdict":
            return (attempt.rung, "–", "", "", "", "no verdict")
        return (attempt.rung, "not climbed", "", "", "", attempt.reason)
    word: str = attempt.verdict.status if attempt.verdict else attempt.status
    if attempt.status == "no verdict":
        word = "no verdict"
    if word == "undecided" and attempt.verdict:
        word += ", leans to a " + ("pass" if attempt.verdict.unproven else "fail")
    verdict = f"{word} after {m.score.n} rows"
    more = [limit.more_rows for limit in attempt.verdict.limits] if attempt.verdict else []
    if word.startswith("undecided") and any(more):
        verdict += f" · about {max(filter(None, more)):,} more rows would settle it"
    if attempt.diagnosis:
        verdict += f" · {attempt.diagnosis.sentence}"
    elif attempt.candidate:
        mended = ", ".join(mend.cause for mend in attempt.mends if mend.kept)
        verdict += f" · mended: {mended}" if mended else ""
        verdict += f" · {attempt.candidate.technique}"
    return (
        attempt.rung,
        span(m.score),
        f"{m.latency_ms.p95:.0f} ms" if m.latency_ms else "–",
        "?" if m.cost_usd_per_1k is None else f"{m.cost_usd_per_1k:.4f}",
        duration(m.build.seconds),
        verdict,
    )


def assumed(a: Assessment) -> str:
    """Say what the figures of the table rest on."""
    sources = {m.cost_source for m in (x.measurement for x in a.attempts) if m and m.cost_source}
    asked_at = {m.latency_ms.n for m in (x.measurement for x in a.attempts) if m and m.latency_ms}
    text = f"score: mean ({100 * float(a.task.gate['confidence'] or 0):g} % interval)"
    if asked_at:
        text += f" · p95: of {' or '.join(f'{n:,}' for n in sorted(asked_at))} timed requests"
    return text + (f" · $: {'; '.join(sorted(sources))}" if sources else "")


def _attempt_lines(attempt: Attempt) -> Iterator[str]:
    yield f"\n### {attempt.rung}: {attempt.status}\n"
    m = attempt.measurement
    if m is None or attempt.candidate is None:
        yield attempt.reason
        yield from _failed_lines(attempt)
        return
    yield f"Winner: {attempt.candidate.technique}. {attempt.reason}.\n"
    yield from _limit_lines(attempt)
    yield from _failed_lines(attempt)
    yield from mend_lines(attempt.mends)
    if m.macro_f1 is not None:
        yield f"\nMacro-F1 {m.macro_f1:.3f} beside a score of {m.score.mean:.3f}."
    yield from _latency_lines(m)
    for name, other in m.others.items():
        yield f"\nAlso {name}: {span(other)}."
    yield from _retrieval_lines(attempt)
    yield from _human_lines(m)
    yield from _slice_lines(m)
    yield from _comparison_lines(attempt)
    yield from _teacher_lines(attempt.against_teacher)
    yield from build_lines(m.build)
    yield from cause_lines(attempt.diagnosis)
    yield from context_lines(attempt.context)
    if attempt.race:
        yield "\n<details><summary>The race on dev rows</summary>\n"
        yield "| candidate | score | rows | failed requests |"
        yield "|---|---|---|---|"
        for line in attempt.race:
            mark = "" if line.dropped else " ← won"
            score = f"{line.score:.2f}" if line.n else "–"
            lost = f"{line.errors}: neither won nor lost" if line.inconclusive else str(line.errors)
            yield _cells((f"{line.technique}{mark}", score, str(line.n), lost))
        yield "\n</details>"


def _failed_lines(attempt: Attempt) -> Iterator[str]:
    """Say which requests failed, from the race to the explanation, and what became of them."""
    m, failed = attempt.measurement, attempt.asked.errors
    if failed:
        yield (
            f"\nRequests that failed, from the race on: {counted(failed)}. "
            "They were asked again, and left out where they failed again; none counts as wrong."
        )
    if m and m.errors:
        yield (
            f"\n{m.errors} of the {m.requests} gate rows have no score; the commonest error: "
            f"{m.commonest_error}"
        )


def _latency_lines(m: Measurement) -> Iterator[str]:
    if m.latency_ms is None:
        if m.untimed:
            yield f"\nLatency: none of {m.untimed} timed requests was answered."
        return
    found = m.latency_ms
    parts = []
    for name, value in (("p50", found.p50), ("p95", found.p95), ("p99", found.p99)):
        low, high = found.intervals.get(name, (None, None))
        # So few requests may set no upper end: the slowest is yet to come.
        ends = f"{low or 0:.0f} " + ("or more" if high is None else f"to {high:.0f}")
        parts.append(f"{name} {value:.0f} ms ({ends})")
    text = f"\nLatency over {found.n} requests, {found.clients} at once: {', '.join(parts)}"
    if found.queue_p95:
        text += f"; waiting in line: p95 {found.queue_p95:.0f} ms"
    if found.first_token_p50 is not None:
        text += (
            f"; first token: p50 {found.first_token_p50:.0f} ms, "
            f"p95 {found.first_token_p95 or 0:.0f} ms"
        )
    if m.requests_per_second:
        text += f". Kept busy with full batches: {m.requests_per_second:.1f} requests a second"
    if m.untimed:
        text += f". {m.untimed} more timed requests got no answer"
    yield f"{text}."
    if found.p95 > SUSPECT_TAIL * found.p50:
        yield (
            f"\nThe p95 is {found.p95 / found.p50:.0f} times the p50: a few far longer inputs, or "
            "other work on the machine. If nothing else should have run, measure again."
        )


def _retrieval_lines(attempt: Attempt) -> Iterator[str]:
    for found in attempt.retrieval:
        text = f"\nThe search handed over {found.k} of the {found.source} for each row"
        if found.recall:
            n = next(iter(found.recall.values())).n
            at = ", ".join(f"{share.mean:.2f} at {k}" for k, share in found.recall.items())
            text += f"; recall, on the {n} rows whose right document is known: {at}"
        yield (
            f"{text}. {100 * found.redundancy:.0f} % of the words handed over had been said by an "
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


def _human_lines(m: Measurement) -> Iterator[str]:
    if m.human_score:
        yield (
            f"\nBy people: {span(m.human_score)}, from {m.human_score.n} human labels and the "
            f"judge's scores{', unweighted' if m.unweighted else ''} (PPI++, a normal "
            "approximation; the labelled answers must be a random sample)."
        )
    elif m.human_refusal:
        yield f"\nNo score by people: {m.human_refusal}. The score here is the judge's opinion."
    if m.unjudged:
        yield f"\n{m.unjudged} answers got no grade from the judge and count as errors."


def _slice_lines(m: Measurement) -> Iterator[str]:
    if m.unweighted:
        yield f"\nWeighted to the shares in production; unweighted {span(m.unweighted)}."
    if m.slices:
        yield "\n| kind of row | score | n |"
        yield "|---|---|---|"
        for kind, score in m.slices.items():
            yield _cells((kind, span(score), str(score.n)))


def _comparison_lines(attempt: Attempt) -> Iterator[str]:
    chose = next((line for line in attempt.race if not line.dropped), None)
    mended = any(mend.kept for mend in attempt.mends)  # what raced is not what was measured
    if chose and attempt.measurement and not mended:
        seen, unseen = chose.score, attempt.measurement.score.mean
        yield (
            f"\nOn the {chose.n} dev rows that chose it: {seen:.2f}; on unseen rows: {unseen:.2f} "
            f"({unseen - seen:+.2f})."
        )
    of = len(attempt.comparisons)
    corrected = f" (of {of} comparisons, Holm)" if of > 1 else ""
    for c in attempt.comparisons:
        yield (
            f"\nAgainst {c.other}, on the {c.n} rows that both answered: {c.difference:+.2f} "
            f"({c.low:+.2f} to {c.high:+.2f}), p = {c.p_value:.2g}{corrected}: **{c.claim}**."
        )


def _teacher_lines(found: AgainstTeacher | None) -> Iterator[str]:
    if found is None:
        return
    text = (
        f"\nBeside its teacher, {found.teacher}, on the {found.n} rows that both answered: "
        f"{found.kept:.0%} of the score kept ({found.low:.0%} to {found.high:.0%})"
    )
    if found.cheaper:
        text += f"; a request costs 1/{found.cheaper:.3g}"
    if found.faster:
        text += f", and takes 1/{found.faster:.3g} of the time (p50)"
    yield f"{text}."


def _limit_lines(attempt: Attempt) -> Iterator[str]:
    yield "| limit | wanted | measured | distance | verdict |"
    yield "|---|---|---|---|---|"
    for limit in attempt.verdict.limits if attempt.verdict else ():
        got = "?" if limit.got is None else f"{limit.got:.4g}"
        distance = "?" if limit.distance is None else f"{limit.distance:+.4g}"
        rows = limit.more_rows
        more = f", about {rows:,} more rows would settle it" if rows else ""
        cells = (limit.limit, f"{limit.wanted:g}", got, distance, f"{limit.verdict}{more}")
        yield _cells(cells)


def _data_lines(a: Assessment) -> Iterator[str]:
    d = a.data
    yield "\n## The rows\n"
    yield (
        f"{train_rows(d)}, {d.dev} dev (they chose), {d.gate} gate (they judged), "
        f"{d.sealed} sealed (read once), {d.reserve} in reserve; "
        f"{documents(d)}, {d.unlabeled} unlabelled. "
        f"{d.duplicates} near-duplicates were set aside"
        + (f": {_first(', ', d.set_aside)}." if d.set_aside else ".")
    )
    if d.detectable is None:
        yield "These gate rows cannot prove this gate even without a mistake: add rows."
    else:
        yield f"These gate rows can prove a true score of {d.detectable:.3f} or more."
    needed = [f"{rows:,} if it is {score}" for score, rows in d.rows_needed.items() if rows]
    if needed:
        yield f"Gate rows that prove the gate, by the true score: {', '.join(needed)}."
    if d.contaminated:
        shown = _first(", ", d.contaminated)
        yield f"\n{len(d.contaminated)} held-out rows repeat training rows, not counted: {shown}."
    if d.look_alikes:
        shown = _first("; ", d.look_alikes)
        yield (
            f"\n{len(d.look_alikes)} held-out rows differ from a training row in a number or a "
            f"name only; they are not counted, and worth a look: {shown}."
        )
    yield from _overlap_lines(d.overlap)
    if a.recommendation.with_leaked_rows:
        yield f"\nWith those rows the score would be {span(a.recommendation.with_leaked_rows)}."


def train_rows(d: DataReport) -> str:
    """Say how many training rows there are, and how many of them a teacher wrote."""
    written = f" ({d.synthetic} of them synthetic)" if d.synthetic else ""
    return f"{d.train} train{written}"


def documents(d: DataReport) -> str:
    """Say how many documents there are, and into how many passages the long ones were cut."""
    cut = f", read as {d.passages:,} passages" if d.passages > d.documents else ""
    return f"{d.documents:,} documents{cut}"


def _first(mark: str, texts: Sequence[str], most: int = 5) -> str:
    rest = len(texts) - most
    return mark.join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


def _overlap_lines(found: WordOverlap | None) -> Iterator[str]:
    if found is None:
        return
    yield (
        f"\n{found.overlapping} of the {found.checkable} held-out rows of {found.words} words or "
        f"more share so many in a row with a training row or a document; "
        f"{found.rows - found.checkable} shorter ones cannot be checked so."
    )
    if found.top:
        yield f"\nThe rows that share most: {_first('; ', found.top)}."


def _cost_lines(a: Assessment) -> Iterator[str]:
    cost, saved = a.recommendation.cost, a.savings
    yield from technique_lines(a.recommendation.techniques)
    yield "\n## Cost\n"
    if cost and cost["usd_per_1k"] is not None:
        yield (
            f"{cost['usd_per_1k']:.4f} USD per 1,000 requests, {cost['usd_per_month']:.2f} USD a "
            f"month at {cost['requests_per_month']:,.0f} requests; built once for "
            f"{cost['build_usd']:.4f} USD."
        )
    yield from _bill_lines(a)
    spared = f"; not trained: {', '.join(saved.training_avoided)}" if saved.training_avoided else ""
    yield (
        f"The decision took {saved.calls_made:,} calls on held-out rows"
        + (f" ({saved.tokens_made:,} tokens)" if saved.tokens_made else "")
        + f", trained rungs: {saved.trainings_made}; measuring every rung on every row takes "
        f"{saved.calls_if_exhaustive:,} calls"
        + (f" ({saved.tokens_if_exhaustive:,} tokens)" if saved.tokens_if_exhaustive else "")
        + f"{spared}."
    )
    calls = sum(attempt.asked.calls for attempt in a.attempts)
    tokens = sum(attempt.asked.tokens for attempt in a.attempts)
    if calls:
        yield (
            f"With races, searches and explanations, the rungs asked {calls:,} calls, "
            f"{tokens:,} tokens in this run; what was kept from earlier ones is not in it."
        )


def _bill_lines(a: Assessment) -> Iterator[str]:
    found = a.economics
    if found is None or not found.bills:
        return
    yield f"\nTo own, with what is paid once spread over {found.months} months:\n"
    yield "| rung | build | labels | revalidation a quarter | per 1k | a month |"
    yield "|---|---|---|---|---|---|"
    for b in found.bills:
        figures = (b.build, b.labels, b.revalidation_per_quarter, b.per_1k, b.per_month)
        name = b.rung if b.passed else f"{b.rung} (does not pass)"
        yield _cells((name, *(f"{usd:.4f}" for usd in figures)))
    yield ""
    for crossing in found.break_evens:
        yield f"- {crossing.sentence}"
    yield "\n![USD a month over requests a month](costs.svg)\n"


def _evidence_lines(a: Assessment, plan: str | None) -> Iterator[str]:
    yield "\n## Evidence\n"
    yield f"ladder {a.ladder_version}, {a.created}, {a.seconds:.0f} s, seed {a.task.seed}."
    yield f"Machine: {', '.join(f'{k} {v}' for k, v in a.hardware.items())}."
    yield f"Versions: {', '.join(f'{k} {v}' for k, v in a.versions.items())}."
    yield f"Task {_short(a.task.digest)}; data " + ", ".join(
        f"{role} {_short(digest)}" for role, digest in a.data.digests.items()
    )
    if plan:
        yield (
            f"\nNext: {code(f'ladder revalidate {plan}')}, or {code(f'ladder schedule {plan}')}."
        )


def _short(digest: str) -> str:
    """Return the beginning of a digest; a text that is none stays whole: it may be escaped."""
    return digest[:16] if digest.isalnum() else digest
