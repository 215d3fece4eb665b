"""What would lead to another answer, as far as it was measured.

From records whose texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator

from ladder.audit.pack.certified import declared
from ladder.evidence import Assessment
from ladder.report.blocks import Code, Said
from ladder.report.cost import break_even_sentence
from ladder.report.reasons import advice_lines
from ladder.report.summary import usd
from ladder.wording import latency


def changes_of_mind(a: Assessment) -> Iterator[Said]:
    """Yield what would lead to another answer, as far as it was measured."""
    found, chosen = a.recommendation, a.chosen
    if found.confirmed and found.confirmed_verdict != "fail":
        proven = declared(found.confirmed.low)
        yield f"A gate above {proven:g}: the held-out test examples prove no more."
    if chosen and chosen.measurement and (timed := chosen.measurement.latency_ms):
        high = timed.intervals.get("p95", (None, None))[1]
        least = latency(timed.p95) + ", or somewhat more" if high is None else latency(high)
        yield f"A limit on the p95 below {least}: {chosen.rung} is not shown to be faster."
    yield from _limits_missed(a)
    others = {x.rung for x in a.attempts if x.status == "passed"} - {found.rung}
    for even in a.economics.break_evens if a.economics else ():
        both = {even.rung, even.against}
        if found.rung in both and both & others and even.requests_per_month is not None:
            yield capital(break_even_sentence(even))
    if a.control and not found.control and a.control.best.score.n:
        best = a.control.best
        yield (
            f"An answer without a language model that is proven to hold the gate: {best.name} has "
            f"{best.score.mean:.2f} today."
        )
    yield from advice_lines(found, a.attempts)
    if a.plan:
        changed = "Another base model, tokenizer or document: "
        yield (
            "Other training examples, or another library: " if found.control else changed,
            Code("ladder revalidate"),
            " finds it by its digests, and measures again.",
        )


def next_words(a: Assessment) -> Said:
    """Say what comes next where nothing is certified: which command, after which change."""
    found, again = a.recommendation, Code(f"ladder assess {a.task.source}")
    if found.withheld:
        return ("Next, once that is mended: ", again, ". It asks only for what is missing.")
    if found.advice == "climb on":
        whole = (
            ", without `rungs:` in the task and without --until. It asks only for what is missing."
        )
        return ("Next: ", again, whole)
    change = {
        "fix": "once what the diagnosis names is fixed",
        "lighter": "on a faster machine, with a smaller model or another limit",
        "stronger base": "once `models.base` names a stronger one",
    }.get(found.advice or "", "with other rows, or another gate")
    return (f"Next, {change}: ", again, ". It asks only for what is missing.")


def use_lines(a: Assessment) -> Iterator[Said]:
    """Yield the commands that take an answer on, as they are given in the folder of its run."""
    chosen = a.chosen
    measured = chosen.measurement if chosen else None
    built = measured.build.folder if measured else ""
    if built:
        yield ("What was trained lies in ", Code(built), ".")
        yield (
            Code(f"ladder export {built} --to merged"),
            ", or ",
            Code("gguf"),
            ": as other servers read it.",
        )
    if measured is None or measured.macro_f1 is not None:  # a task of labels
        yield (Code("ladder serve ."), ": answers requests on this machine, for trying.")
    yield (
        Code("ladder size ."),
        ": machines, memory and costs of a volume, with files to deploy.",
    )
    yield (Code("ladder promote ."), ": into production, on the record, with a way back.")


def _limits_missed(a: Assessment) -> Iterator[str]:
    """Yield the limit of latency or cost that is all that keeps another rung from passing."""
    for attempt in a.attempts:
        limits = attempt.verdict.limits if attempt.verdict else ()
        missed = [limit for limit in limits if limit.verdict != "pass"]
        if attempt.rung == a.recommendation.rung or len(missed) != 1 or missed[0].got is None:
            continue
        name, got = missed[0].limit, missed[0].got
        if name == "max_p95_ms":
            yield f"A limit on the p95 above {latency(got)}: {attempt.rung} holds all the others."
        if name == "max_cost_usd_per_1k":
            yield f"A cost limit above {usd(got)} USD: {attempt.rung} holds all the others."


def capital(text: str) -> str:
    """Return a sentence that begins one."""
    return text[:1].upper() + text[1:]
