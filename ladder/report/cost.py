"""What each system costs to build and to run."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.economy.machines import HOURS_PER_MONTH
from ladder.evidence import Assessment, Bill, BreakEven
from ladder.figures import costs_svg
from ladder.report.blocks import Block, Bullets, Code, Figure, Heading, say, tabled
from ladder.report.summary import price_words, usd
from ladder.wording import latency

BILL = ("rung", "build", "labels", "revalidation a quarter", "machines", "per 1k", "a month")


def cost_blocks(a: Assessment) -> Iterator[Block]:
    """Yield the section on costs: a month, and what it takes to own each system."""
    cost = a.recommendation.cost
    yield Heading(2, "Cost")
    if cost and cost["usd_per_1k"] is not None:
        yield say(
            f"{usd(cost['usd_per_1k'])} USD per 1,000 requests, {cost['usd_per_month']:.2f} USD a "
            f"month at {cost['requests_per_month']:,.0f} requests ({month_sum(a)}); "
            f"{built_words(cost['build_usd'])}."
        )
        yield from _machine_blocks(a)
        yield from _sizing_blocks(a)
    elif a.recommendation.control:
        yield from _sizing_blocks(a)
    yield from _bill_blocks(a)


def built_words(spent: float | None) -> str:
    """Say what an answer has cost to build."""
    return f"built once for {usd(spent)} USD" if spent else "nothing to build"


def month_sum(a: Assessment) -> str:
    """Say how the cost of a month comes about; an answer is priced."""
    cost, chosen = a.recommendation.cost, a.chosen
    basis = chosen.measurement.cost_basis if chosen and chosen.measurement else None
    if basis and basis.machines and basis.usd_per_hour is not None:
        whole = "1 machine" if basis.machines == 1 else f"{basis.machines:,} machines"
        assumed = f", {' and '.join(basis.assumed)} assumed" if basis.assumed else ""
        return f"{whole} × {HOURS_PER_MONTH} h × {basis.usd_per_hour:g} USD an hour{assumed}"
    thousands = (cost["requests_per_month"] or 0) / 1000
    return f"{thousands:,g} × {usd(cost['usd_per_1k'] or 0)} USD per 1,000"


def _machine_blocks(a: Assessment) -> Iterator[Block]:
    """Say how many machines the answer needs, what one can do, and what a busy one costs."""
    chosen = a.chosen
    measured = chosen.measurement if chosen else None
    basis = measured.cost_basis if measured else None
    if measured is None or basis is None:
        return
    text = f"Paid: {price_words(basis)}."
    if basis.machines and basis.capacity:
        used = (basis.requests_per_month or 0) / (basis.machines * basis.capacity)
        shared = (measured.cost_busy_usd_per_1k or 0.0) / (basis.utilisation or 1.0)
        text += (
            f" One can answer {basis.capacity:,.0f} requests a month, so {used:.1%} of what is "
            f"paid is used; with other work beside it (`hardware: {{shared: true}}`) 1,000 "
            f"requests cost {usd(shared)} USD."
        )
    yield say(text)


def _sizing_blocks(a: Assessment) -> Iterator[Block]:
    """Say how many machines serve the task's volume, and how long requests take then."""
    found = a.recommendation.sizing
    if found is None:
        return
    load = f"at {found.peak_per_second:.4g} requests a second, the mean of the hours with work"
    if found.machines is None:
        text = f"No number of machines answers 95 % within {found.limit_ms:g} ms {load}."
    else:
        whole = "1 machine" if found.machines == 1 else f"{found.machines:,} machines"
        text = (
            f"To serve it: {whole}, busy for {found.utilisation or 0:.1%} of the time, p95 "
            f"{latency(found.p95_ms or 0)} {load}, by queueing with the times of {found.timed} "
            "requests."
        )
    yield say((text, " For another load: ", Code("ladder size RUN --peak …"), "."))


def _bill_blocks(a: Assessment) -> Iterator[Block]:
    found = a.economics
    if found is None or not found.bills:
        return
    yield say(f"To own, with what is paid once spread over {found.months} months:")
    table = tabled(BILL, *map(_bill_row, found.bills))
    yield table
    yield Bullets(tuple(map(break_even_sentence, found.break_evens)))
    caption = "USD a month over requests a month"
    yield Figure(caption, lambda width: costs_svg(found, width), table, "costs.svg")


def _bill_row(b: Bill) -> tuple[str, ...]:
    once = (b.build, b.labels, b.revalidation_per_quarter)
    name = b.rung if b.passed else f"{b.rung} (does not pass)"
    machines = "–" if b.machines is None else f"{b.machines:,}"
    return (
        name,
        *(f"{amount:.4f}" for amount in once),
        machines,
        usd(b.per_1k),
        usd(b.per_month),
    )


def break_even_sentence(found: BreakEven) -> str:
    """Say from how many requests a month one rung's system is cheaper than another's."""
    low, high = (None if end is None else about(end) for end in (found.low, found.high))
    if found.requests_per_month is None:
        text = f"{found.rung} becomes cheaper than {found.against} at no volume"
        return text + (f", or perhaps from {low} on." if low is not None else ".")
    at = about(found.requests_per_month)
    to = f"to {high}" if high is not None else "upwards, perhaps never"
    between = "" if low == high == at else f" ({low or 0} {to})"
    return (
        f"{found.rung} is cheaper than {found.against} from about {at} requests a month{between}."
    )


def about(amount: float) -> str:
    """Return a count with its three first digits: more are not known of it."""
    digits = len(f"{amount:.0f}")
    return f"{round(amount, min(0, 3 - digits)):,.0f}"
