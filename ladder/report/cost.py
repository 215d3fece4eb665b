"""What each system costs to build and to run."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evidence import Assessment, BreakEven
from ladder.report.effort import effort_lines
from ladder.report.summary import price_words, table_cells, usd
from ladder.report.training import training_method_lines


def cost_lines(a: Assessment) -> Iterator[str]:
    """Yield the section on costs: ways of training, a month, and what the decision took."""
    cost = a.recommendation.cost
    yield from training_method_lines(a)
    yield "\n## Cost\n"
    if cost and cost["usd_per_1k"] is not None:
        yield (
            f"{usd(cost['usd_per_1k'])} USD per 1,000 requests, {cost['usd_per_month']:.2f} USD a "
            f"month at {cost['requests_per_month']:,.0f} requests; built once for "
            f"{cost['build_usd']:.4f} USD."
        )
        yield from _machine_lines(a)
    yield from _bill_lines(a)
    yield from effort_lines(a.effort)


def _machine_lines(a: Assessment) -> Iterator[str]:
    """Say how many machines the answer needs, what one can do, and what a busy one costs."""
    chosen = next((x for x in a.attempts if x.rung == a.recommendation.rung), None)
    measured = chosen.measurement if chosen else None
    basis = measured.cost_basis if measured else None
    if measured is None or basis is None:
        return
    text = f"\nPaid: {price_words(basis)}."
    if basis.machines and basis.capacity:
        used = (basis.requests_per_month or 0) / (basis.machines * basis.capacity)
        shared = (measured.cost_busy_usd_per_1k or 0.0) / (basis.utilisation or 1.0)
        text += (
            f" One can answer {basis.capacity:,.0f} requests a month, so {used:.1%} of what is "
            f"paid is used; with other work beside it (`hardware: {{shared: true}}`) 1,000 "
            f"requests cost {usd(shared)} USD."
        )
    yield text


def _bill_lines(a: Assessment) -> Iterator[str]:
    found = a.economics
    if found is None or not found.bills:
        return
    yield f"\nTo own, with what is paid once spread over {found.months} months:\n"
    yield "| rung | build | labels | revalidation a quarter | machines | per 1k | a month |"
    yield "|---|---|---|---|---|---|---|"
    for b in found.bills:
        once = (b.build, b.labels, b.revalidation_per_quarter)
        name = b.rung if b.passed else f"{b.rung} (does not pass)"
        machines = "–" if b.machines is None else f"{b.machines:,}"
        running = (machines, usd(b.per_1k), usd(b.per_month))
        yield table_cells((name, *(f"{amount:.4f}" for amount in once), *running))
    yield ""
    for crossing in found.break_evens:
        yield f"- {break_even_sentence(crossing)}"
    yield "\n![USD a month over requests a month](costs.svg)\n"


def break_even_sentence(found: BreakEven) -> str:
    """Say from how many requests a month one rung's system is cheaper than another's."""
    low, high = found.low, found.high
    if found.requests_per_month is None:
        text = f"{found.rung} becomes cheaper than {found.against} at no volume"
        return text + (f", or perhaps from {low:,.0f} on." if low is not None else ".")
    to = f"to {high:,.0f}" if high is not None else "upwards, perhaps never"
    return (
        f"{found.rung} is cheaper than {found.against} from about "
        f"{found.requests_per_month:,.0f} requests a month ({low or 0:,.0f} {to})."
    )
