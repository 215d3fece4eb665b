"""Pictures, as SVG: files by themselves, and in a page whose style sheet gives the colours."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Literal

from ladder.economy.ownership import owned
from ladder.evidence import Economics

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0")
"""Observable's palette: told apart by most colour-blind readers, and in print."""
DECADES_AROUND = 2
PLAUSIBLE = 1e4
"""Times the task's volume, up to which a picture reaches for a break-even or a further machine."""
POINTS = 600
"""Volumes at which a bill is drawn: whole machines make steps."""
INK, FAINT, PAPER = "#1b1f24", "#767b82", "#fffffe"
CHOSEN, GOOD, BAD, OPEN = "#0b6e63", "#0b6e64", "#a63d2f", "#8a6100"
STYLED = {
    INK: "--ink",
    FAINT: "--faint",
    PAPER: "--paper",
    CHOSEN: "--accent",
    GOOD: "--good",
    BAD: "--bad",
    OPEN: "--open",
    **{colour: f"--line-{number}" for number, colour in enumerate(COLOURS, start=1)},
}
"""Colours of a picture -> the custom property that a page's style sheet has for each."""
WIDE, NARROW = 7.6, 3.9
"""Inches: on a page a picture is drawn for a screen and for a telephone, in letters of one size."""
LEAST_SPREAD = 1.2
"""From this ratio of the largest cost to the smallest on, marks tell costs by their size."""
MOST_TICKS = 6
LABEL_ROOM = 0.24
"""Of the width of a picture: what the name of a system takes."""
NEAREST = sorted(range(-10, 20), key=abs)
"""Steps of 0.02 that a name may stand above or below its mark."""

Mark = Literal["chosen", "good", "bad", "open", "reference"]
"""What a mark says: the answer, passed, failed, undecided; what others are compared with."""
_MARKS: Mapping[Mark, str] = {
    "chosen": CHOSEN,
    "good": GOOD,
    "bad": BAD,
    "open": OPEN,
    "reference": FAINT,
}


@dataclass(frozen=True)
class Bar:
    """A score with its interval, on a line of its own."""

    label: str
    mean: float
    low: float
    high: float
    mark: Mark
    hollow: bool = False


@dataclass(frozen=True)
class Rule:
    """A line that scores are read against."""

    at: float
    label: str
    dashed: bool = False


@dataclass(frozen=True)
class Spot:
    """A system by its latency, its score and its cost."""

    label: str
    milliseconds: float
    mean: float
    low: float
    high: float
    usd_per_1k: float | None
    mark: Mark


def intervals_svg(
    bars: Sequence[Bar],
    rules: Sequence[Rule],
    width: float = WIDE,
    label: str = "score",
    reach: tuple[float, float] = (-0.02, 1.02),
) -> str:
    """Draw scores with their intervals, the first on top, and the lines they are read by.

    Args:
        bars: at least one.
        rules: e.g. the gate.
        width: in inches.
        label: of the axis.
        reach: the least and the greatest value of the axis.
    """
    figure, axes = _figure((width, 0.9 + 0.36 * len(bars)))
    for place, bar in enumerate(bars):
        colour = _MARKS[bar.mark]
        axes.plot([bar.low, bar.high], [place, place], color=colour, linewidth=2)
        face = "none" if bar.hollow else colour
        axes.plot([bar.mean], [place], "o", markersize=8, color=colour, markerfacecolor=face)
    for rule in rules:
        style = "--" if rule.dashed else "-"
        axes.axvline(rule.at, color=INK, linewidth=1, linestyle=style)
        right = rule.at > sum(reach) / 2
        axes.annotate(
            rule.label, (rule.at, 1), xycoords=("data", "axes fraction"), color=INK,
            xytext=(-4 if right else 4, 3), textcoords="offset points", parse_math=False,
            horizontalalignment="right" if right else "left", fontsize=9,
        )  # fmt: skip
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars], parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(bars) - 0.5, -0.6)
    axes.set_xlim(*reach)
    axes.set_xlabel(label)
    return _as_svg(figure)


def trade_svg(
    spots: Sequence[Spot], least: float, most_ms: float | None, width: float = WIDE
) -> str:
    """Draw each system's score over its latency; its cost is the size of its mark.

    Args:
        spots: at least one.
        least: the score that the gate asks for.
        most_ms: the latency that it allows.
        width: in inches.
    """
    figure, axes = _figure((width, 3.6))
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    sizes = _sizes(spots)
    for spot, size in zip(spots, sizes, strict=True):
        colour = _MARKS[spot.mark]
        at = [spot.milliseconds] * 2
        axes.plot(at, [spot.low, spot.high], color=colour, linewidth=1.5)
        axes.plot(at[:1], [spot.mean], "o", color=colour, markersize=size)
    axes.set_xscale("log")
    low, high = min(s.milliseconds for s in spots), max(s.milliseconds for s in spots)
    low, high = min(low, most_ms or low), max(high, most_ms or high)
    low = low / 2.2
    high = max(high * 3.5, low * (high / low) ** (1 / (1 - LABEL_ROOM)))
    axes.set_xlim(low, high)
    axes.set_ylim(-0.04, 1.08)
    _label_spots(axes, spots, sizes, least, most_ms)
    _gate_line(axes, least)
    if most_ms is not None:
        axes.axvline(most_ms, color=INK, linewidth=1)
        axes.annotate(
            f"{most_ms:g} ms", (most_ms, 1), xycoords=("data", "axes fraction"), fontsize=9,
            xytext=(4, -9), textcoords="offset points", color=INK,
        )  # fmt: skip
    axes.xaxis.set_major_locator(LogLocator(numticks=MOST_TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("p95 latency, ms")
    axes.set_ylabel("score")
    return _as_svg(figure)


def _sizes(spots: Sequence[Spot]) -> list[float]:
    """Return the diameter of each mark: its area grows with the cost, where costs differ."""
    costs = [spot.usd_per_1k for spot in spots if spot.usd_per_1k]
    if not costs or max(costs) < LEAST_SPREAD * min(costs):
        return [8.0] * len(spots)
    return [5 + 13 * ((spot.usd_per_1k or 0) / max(costs)) ** 0.5 for spot in spots]


@dataclass(frozen=True)
class _Box:
    """What a name must not cover: ends in shares of the width, and scores."""

    left: float
    right: float
    low: float
    high: float

    def meets(self, other: _Box) -> bool:
        """Tell whether this covers a part of another."""
        beside = self.left < other.right and other.left < self.right
        return beside and self.low < other.high and other.low < self.high


def _label_spots(
    axes: Any, spots: Sequence[Spot], sizes: Sequence[float], least: float, most_ms: float | None
) -> None:
    """Write each system's name beside its mark, where it covers neither lines, marks nor names.

    To the right where there is room, else to the left, else somewhat higher.
    """
    first, last = axes.get_xlim()

    def at(milliseconds: float) -> float:
        return math.log(milliseconds / first) / math.log(last / first)

    taken = [_Box(0, 1, least - 0.015, least + 0.015)]
    taken += [_Box(at(most_ms), at(most_ms), 0, 1)] if most_ms is not None else []
    taken += [_Box(at(s.milliseconds), at(s.milliseconds), s.low, s.high) for s in spots]
    for spot, size in sorted(zip(spots, sizes, strict=True), key=lambda each: each[0].mean):
        x, gap = at(spot.milliseconds), 0.008
        places = [
            _Box(left, left + LABEL_ROOM, y - 0.032, y + 0.032)
            for y in (spot.mean + 0.02 * step for step in NEAREST)
            for left in (x + gap, x - gap - LABEL_ROOM)
            if min(left, y) >= 0
        ]
        free = (box for box in places if not any(box.meets(other) for other in taken))
        box = next(free, places[0])
        taken.append(box)
        on_left, away = box.left < x, 6 + size / 2
        axes.annotate(
            spot.label, (spot.milliseconds, (box.low + box.high) / 2), color=INK, fontsize=9,
            xytext=(-away if on_left else away, 0), textcoords="offset points",
            horizontalalignment="right" if on_left else "left", verticalalignment="center",
            parse_math=False,
        )  # fmt: skip


def curve_svg(
    points: Sequence[tuple[int, float, float, float]],
    knee: int,
    least: float | None,
    width: float = WIDE,
) -> str:
    """Draw the score over the number of texts in context.

    Args:
        points: texts, mean score, and the ends of its interval.
        knee: the fewest texts that do as well as any.
        least: the score that the gate asks for; None: unknown.
        width: in inches.
    """
    figure, axes = _figure((width, 3.0))
    texts = [point[0] for point in points]
    axes.plot(texts, [point[1] for point in points], color=CHOSEN, linewidth=2)
    for at, mean, low, high in points:
        axes.plot([at, at], [low, high], color=CHOSEN, linewidth=1.5)
        face = CHOSEN if at == knee else "none"
        axes.plot([at], [mean], "o", color=CHOSEN, markerfacecolor=face, markersize=7)
    if least is not None:
        _gate_line(axes, least)
    axes.set_xticks(texts)
    axes.set_ylim(-0.04, 1.08)
    axes.set_xlabel("texts in context")
    axes.set_ylabel("score")
    return _as_svg(figure)


def reliability_svg(
    before: Sequence[tuple[float, float, float, float]],
    after: Sequence[tuple[float, float, float, float]],
    width: float = WIDE,
) -> str:
    """Draw how often answers are right over the chance that they were given.

    Args:
        before: chance, share that is right, and the ends of its interval, by the system's own
            chances.
        after: the same once they are calibrated; empty: they are not.
        width: in inches.
    """
    figure, axes = _figure((width, 3.4))
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
    lines = [(before, FAINT, "none", "as given")]
    lines += [(after, CHOSEN, CHOSEN, "calibrated")] if after else []
    for points, colour, face, label in lines:
        for chance, _, low, high in points:
            axes.plot([chance, chance], [low, high], color=colour, linewidth=1.5)
        axes.plot(
            [point[0] for point in points], [point[1] for point in points], "o-", color=colour,
            markerfacecolor=face, markersize=7, linewidth=1.5, label=label,
        )  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.04, 1.08)
    axes.set_xlabel("probability of the answer")
    axes.set_ylabel("share that is right")
    axes.legend(frameon=False, loc="upper left", fontsize=9)
    return _as_svg(figure)


def _gate_line(axes: Any, least: float) -> None:
    axes.axhline(least, color=INK, linewidth=1)
    axes.annotate(
        f"gate {least:g}", (1, least), xycoords=("axes fraction", "data"), xytext=(4, 0),
        textcoords="offset points", color=INK, fontsize=9, verticalalignment="center",
    )  # fmt: skip


def in_page(svg: str, name: str, label: str) -> str:
    """Return a picture as a part of a page: its colours by the style sheet, its ids its own.

    Args:
        svg: as the functions here draw it.
        name: unique on the page; letters, digits and hyphens.
        label: what it shows, for those who cannot see it.
    """
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r' (?:xmlns(?::xlink)?|version)="[^"]*"', "", body)
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL).replace("xlink:href", "href")
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'href="#', f'href="#{name}-', body).replace("url(#", f"url(#{name}-")
    opening = re.search(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', body)
    assert opening is not None
    named = f'<svg {opening[1]} role="img" aria-label="{escape(label)}">'
    body = named + re.sub(r"; font-family: [^;]*(?=;)", "", body[opening.end() :])
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    return _coloured(body)


def _coloured(body: str) -> str:
    """Let a style sheet give the colours; where it has none, they stay."""
    names = "|".join(STYLED)
    return re.sub(names, lambda found: f"var({STYLED[found[0]]}, {found[0]})", body)


def costs_svg(found: Economics, width: float = WIDE) -> str:
    """Draw USD a month over requests a month, one line a rung, break-evens marked.

    Whole machines make steps: the volumes reach to where a second one is needed. The page shows the
    same picture that stands beside the Markdown file: it is drawn once for both.

    Args:
        found: at least one bill.
        width: in inches.
    """
    return _costs_svg(found, width)


@lru_cache(maxsize=2)  # a width that is left out would be another key than the same one given
def _costs_svg(found: Economics, width: float) -> str:
    columns = 2 if width > NARROW else 1
    figure, axes = _figure((width, 3.3 + 0.2 * math.ceil(len(found.bills) / columns)))
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
            axes.plot([volume], [owned(bill, volume)], "o", color=INK, markersize=5)
    axes.axvline(found.requests_per_month, color=FAINT, linestyle=":", linewidth=1)
    axes.annotate(
        f"{found.requests_per_month:,.0f}", (found.requests_per_month, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3), textcoords="offset points", color=FAINT, fontsize=9,
        horizontalalignment="center",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.minorticks_off()  # over so many powers of ten they cost more time than they tell
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom / 2, top * 2)  # bills that differ by cents are to look alike
    axes.set_xlabel("requests a month")
    axes.set_ylabel("USD a month, all in")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"{usd:g}"))
    names = figure.legend(loc="outside upper left", ncols=columns, frameon=False, fontsize=9)
    for text in names.get_texts():
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


def _figure(inches: tuple[float, float] = (6.4, 3.6)) -> tuple[Any, Any]:
    # It reads a `matplotlibrc` in the folder it is imported in, which may be of somebody else's
    # task: with one line there it starts LaTeX.
    with chdir(Path(__file__).parent):
        import matplotlib
    matplotlib.rcdefaults()
    matplotlib.use("svg")
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "ladder"  # the same bytes for the same figures
    matplotlib.rcParams["svg.fonttype"] = "none"
    for part in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
        matplotlib.rcParams[part] = INK
    figure = Figure(figsize=inches, layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _as_svg(figure: Any) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    file = io.StringIO()
    # `savefig` would draw it twice, the first time for its layout: the canvas itself needs one.
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(file, metadata={"Date": None})
    return file.getvalue()
