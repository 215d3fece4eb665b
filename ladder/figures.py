"""Pictures, as SVG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from ladder.economy.ownership import owned
from ladder.evidence import Economics

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0")
"""Observable's palette: told apart by most colour-blind readers, and in print."""
DECADES_AROUND = 2
PLAUSIBLE = 1e4
"""Times the task's volume, up to which a picture reaches for a break-even or a further machine."""
POINTS = 600
"""Volumes at which a bill is drawn: whole machines make steps."""


def costs_svg(found: Economics) -> str:
    """Draw USD a month over requests a month, one line a rung, break-evens marked.

    Whole machines make steps: the volumes reach to where a second one is needed.
    """
    figure, axes = _figure()
    from matplotlib.ticker import EngFormatter, FuncFormatter

    marks = [b.requests_per_month for b in found.break_evens if b.requests_per_month]
    most = PLAUSIBLE * found.requests_per_month
    shown = [mark for mark in marks if mark <= most]
    full = [bill.capacity for bill in found.bills if bill.capacity and bill.capacity <= most]
    low = min([found.requests_per_month, *shown]) / 10**DECADES_AROUND
    high = max([found.requests_per_month, *shown, *full]) * 10**DECADES_AROUND
    low = max(low, 1.0)
    volumes = [low * (high / low) ** (at / POINTS) for at in range(POINTS + 1)]
    lines = {bill.rung: (bill, colour) for bill, colour in zip(found.bills, COLOURS, strict=False)}
    for rung, (bill, colour) in lines.items():
        usd = owned(bill, volumes)
        style = "-" if bill.passed else "--"
        label = rung if bill.passed else f"{rung}, does not pass"
        axes.plot(volumes, usd, color=colour, linestyle=style, label=label, linewidth=2)
    for crossing in found.break_evens:
        volume = crossing.requests_per_month
        if volume in shown and volume is not None:
            bill, _ = lines[crossing.rung]
            axes.plot([volume], [owned(bill, volume)], "o", color="black", markersize=5)
    axes.axvline(found.requests_per_month, color="grey", linestyle=":", linewidth=1)
    axes.annotate(
        "your volume", (found.requests_per_month, 1), xycoords=("data", "axes fraction"),
        xytext=(3, -10), textcoords="offset points", color="grey", fontsize=8,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom / 2, top * 2)  # bills that differ by cents are to look alike
    axes.set_xlabel("requests a month")
    axes.set_ylabel("USD a month, all in")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"{usd:g}"))
    for text in axes.legend(frameon=False).get_texts():
        text.set_parse_math(False)  # a name with two `$` in it is a name
    return _as_svg(figure)


def loss_svg(curve: Sequence[Sequence[float]]) -> str:
    """Draw the loss of a training over its steps.

    Args:
        curve: [step, loss] of every logged step.
    """
    figure, axes = _figure()
    steps, losses = [point[0] for point in curve], [point[1] for point in curve]
    axes.plot(steps, losses, color=COLOURS[0], linewidth=2, marker="o", markersize=2)
    axes.set_xlabel("step")
    axes.set_ylabel("training loss")
    axes.set_ylim(bottom=0)
    return _as_svg(figure)


def _figure() -> tuple[Any, Any]:
    # It reads a `matplotlibrc` in the folder it is imported in, which may be of somebody else's
    # task: with one line there it starts LaTeX.
    with chdir(Path(__file__).parent):
        import matplotlib
    matplotlib.rcdefaults()
    matplotlib.use("svg")
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "ladder"  # the same bytes for the same figures
    matplotlib.rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _as_svg(figure: Any) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
