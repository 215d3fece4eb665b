"""The answer in one line and the table of rungs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evidence import Assessment, Attempt, CostBasis, Latency
from ladder.gate.quantiles import values_to_bound
from ladder.report.causes import diagnosis_sentence
from ladder.report.control import p95_of, shown_line
from ladder.report.reasons import attempt_reason, why_withheld
from ladder.wording import duration, latency, span

P95_CONFIDENCE = 0.95
"""At which so many timed requests bound a 95th percentile from above, or do not."""


def answer_line(a: Assessment) -> str:
    """Return the answer in one sentence, called so."""
    return f"Answer: {answer_sentence(a)}"


def answer_sentence(a: Assessment) -> str:
    """Return the answer in one sentence."""
    found = a.recommendation
    if found.withheld:
        return f"no verdict. {why_withheld(a)}"
    c = found.confirmed
    if found.rung is None and found.tested and c:
        return (
            f"none of the rungs. {found.tested} ({found.description}) passed the gate and "
            f"is NOT confirmed on {c.n} held-out test examples: {span(c)}. Do not ship it."
        )
    if found.rung is None and c and not found.control:
        return (
            f"none. {found.description}, without a language model, passed the gate and is "
            f"NOT confirmed on {c.n} held-out test examples: {span(c)}. Do not ship it."
        )
    if found.rung is None and not found.control:
        return "none of the rungs that were measured."
    text = f"{found.rung or 'no language model'} ({found.description})"
    if found.leans_to_pass:
        text += ", inconclusive: leans to pass"
    if c:
        passed = found.confirmed_verdict == "pass"
        word = "confirmed" if passed else "neither confirmed nor refuted"
        text += f", {word} on {c.n} held-out test examples: {span(c)}"
    return text + "."


def table_rows(a: Assessment) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield the cells of the table of rungs, the control first."""
    if a.control and (line := shown_line(a)):
        word, p95 = "pass" if a.recommendation.control else "reference", p95_of(a.control, line)
        yield (
            "control",
            span(line.score),
            f"mean {latency(line.latency_ms)}" if p95 is None else latency(p95),
            cost_cell(line.cost_usd_per_1k, line.cost_busy_usd_per_1k),
            "–",
            f"{word} on {line.score.n} rows: {line.name}, no model",
        )
    for attempt in a.attempts:
        yield _row(attempt, a.attempts)


def _row(attempt: Attempt, attempts: Sequence[Attempt]) -> tuple[str, str, str, str, str, str]:
    m = attempt.measurement
    if m is None:
        if attempt.status == "no verdict":
            return (attempt.rung, "–", "", "", "", "no verdict")
        return (attempt.rung, "not climbed", "", "", "", attempt_reason(attempt, attempts))
    word: str = attempt.verdict.status if attempt.verdict else attempt.status
    if attempt.status == "no verdict":
        word = "no verdict"
    if word == "undecided" and attempt.verdict:
        word += ", leans to a " + ("pass" if attempt.verdict.leans_to_pass else "fail")
    verdict = f"{word} after {m.score.n} rows"
    more = [limit.more_rows for limit in attempt.verdict.limits] if attempt.verdict else []
    if word.startswith("undecided") and any(more):
        verdict += f" · about {max(filter(None, more)):,} more rows would settle it"
    if attempt.diagnosis:
        verdict += f" · {diagnosis_sentence(attempt)}"
    elif attempt.candidate:
        fixed = ", ".join(fix.cause for fix in attempt.fixes if fix.kept)
        verdict += f" · fixed: {fixed}" if fixed else ""
        verdict += f" · {attempt.candidate.description}"
    return (
        attempt.rung,
        span(m.score),
        p95_cell(m.latency_ms),
        cost_cell(m.cost_usd_per_1k, m.cost_busy_usd_per_1k),
        duration(m.build.seconds),
        verdict,
    )


def assumed(a: Assessment) -> str:
    """Say what the figures of the table rest on."""
    measured = [attempt.measurement for attempt in a.attempts if attempt.measurement]
    line = shown_line(a)
    asked_at = {m.latency_ms.n for m in measured if m.latency_ms}
    text = (
        f"score: mean on the eval set ({100 * float(a.task.gate['confidence'] or 0):g} % interval)"
    )
    if a.control and line and p95_of(a.control, line) is None:
        text += " · mean: of rows that the control answered together"
    if asked_at:
        text += f" · p95: of {' or '.join(f'{n:,}' for n in sorted(asked_at))} timed requests"
        least = values_to_bound(0.95, P95_CONFIDENCE)
        if min(asked_at) < least:
            text += f" (not bounded from above: {least} are needed for {100 * P95_CONFIDENCE:g} %)"
    if a.disturbed:
        text += " · (disturbed): timed beside other work, which slows it"
    bases = [each.cost_basis for each in (*measured, line) if each and each.cost_basis]
    prices = sorted({price_words(basis) for basis in bases} - {""})
    if any(basis.machines for basis in bases):
        prices.append("in brackets what it costs on a machine that is busy all the time")
    return text + (f" · $: {'; '.join(prices)}" if prices else "")


def p95_cell(found: Latency | None) -> str:
    """Return a 95th percentile, and whether other work may have made it what it is."""
    if found is None:
        return "–"
    return latency(found.p95) + (" (disturbed)" if found.disturbed else "")


def cost_cell(paid: float | None, busy: float | None) -> str:
    """Return USD per 1,000 requests, and in brackets what they cost on a busy machine."""
    if paid is None:
        return "?"
    return usd(paid) if busy is None or busy == paid else f"{usd(paid)} ({usd(busy)})"


def usd(amount: float) -> str:
    """Return an amount of USD: cents from one USD on, four places below."""
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"


def assumed_words(found: CostBasis) -> str:
    """Say which parts of a machine's cost are defaults, and where the task would name them."""
    names = " and ".join(found.assumed)
    keys = {"volume": "use.requests_per_month", "price": "hardware.usd_per_hour"}
    said = ", ".join(keys[name] for name in found.assumed)
    return f", {names} assumed (the task does not name {said})" if names else ""


def price_words(found: CostBasis) -> str:
    """Say what a cost per request rests on."""
    if found.kind == "no prices":
        return "no prices given for the endpoint"
    day = f", priced {found.priced}" if found.priced else ", no date given"
    if found.kind == "prices":
        return found.source + day
    if found.kind != "machine":
        return "no answers"
    hourly, busy = found.usd_per_hour or 0.0, found.utilisation or 0.0
    at = f"at {hourly:g} USD an hour{assumed_words(found) or day}"
    if found.machines is None:
        return f"seconds of a machine that works for {busy:.0%} of its time, {at}"
    whole = "1 machine" if found.machines == 1 else f"{found.machines:,} machines"
    return f"{whole} for {found.requests_per_month or 0:,} requests a month, {at}"
