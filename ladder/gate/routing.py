"""Is a cascade worth it: a light system answers what it is sure of, a heavy one the rest. Pure.

A cascade asks the light system always. It is compared with what costs nothing to build: sending a
random share of the requests to the heavy one. Below that line a router knows nothing.
The threshold is chosen on one set of rows and judged on another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ladder.evidence import NotWorse
from ladder.gate.bounds import lower_bound
from ladder.gate.non_inferiority import Pairs, not_worse_by

STEPS = 20
"""Shares of escalated rows that are tried, from nearly all down to none."""


@dataclass(frozen=True)
class Routed:
    """One row as both systems answered it."""

    sure: float
    """How sure the light system is of its answer: any number, the higher the surer."""
    light: float
    """Its score, 0..1."""
    heavy: float
    """The heavy system's score, 0..1."""


@dataclass(frozen=True)
class Prices:
    """What a request takes of each system, in one unit: USD, seconds, or tokens."""

    light: float
    heavy: float


@dataclass(frozen=True)
class Point:
    """A cascade at one threshold."""

    threshold: float
    """What is at least so sure is answered by the light system alone."""
    escalated: float
    """Share of the rows that the heavy system answers."""
    score: float
    cost: float
    """Of a request, the light system's included."""


Verdict = Literal["worth it", "below the random mix", "worse than the heavy system", "not shown"]


@dataclass(frozen=True)
class Cascade:
    """What judging a threshold on rows that did not choose it has shown."""

    point: Point
    light: Point
    """Everything is answered by the light system."""
    heavy: Point
    """Everything is answered by the heavy system, which alone is paid."""
    mix: float
    """Score of a random mix of both at the cascade's cost."""
    above_mix: float
    """The cascade's score is at least so far above the mix's, at `error`."""
    oracle: Point
    """A router that knows: the heavy system is asked where it alone is right."""
    not_worse: NotWorse
    """Than the heavy system, by the margin."""
    verdict: Verdict


def curve(rows: Sequence[Routed], prices: Prices) -> list[Point]:
    """Return the cascade at every threshold that tells rows apart, the heaviest first.

    The first escalates everything, the last nothing.
    """
    ordered = sorted(rows, key=lambda row: -row.sure)
    points = [_point(math.inf, 0, sum(row.heavy for row in rows), len(rows), prices)]
    score = points[0].score * len(rows)
    for at, row in enumerate(ordered, start=1):
        score += row.light - row.heavy
        if at == len(ordered) or ordered[at].sure < row.sure:
            points.append(_point(row.sure, at, score, len(rows), prices))
    return points


def _point(threshold: float, kept: int, score: float, count: int, prices: Prices) -> Point:
    escalated = (count - kept) / count
    cost = prices.light + escalated * prices.heavy
    return Point(threshold, escalated, score / count, cost)


def choose(rows: Sequence[Routed], prices: Prices, margin: float, error: float) -> float:
    """Return the threshold of the cheapest cascade that is shown not to be worse than the heavy.

    It is shown for half of the margin: what judges needs the other half to show it again.
    Thresholds are tested in a fixed order, from nearly everything escalated down, and the first
    that is not shown ends it: so the error is that of one test (fixed-sequence testing; Maurer et
    al., 1995). Where not even the first is shown everything is escalated.

    Args:
        rows: that choose; they must not judge.
        prices: of both systems.
        margin: how much worse than the heavy system would be too much, 0..1.
        error: one-sided, of the choice.
    """
    points = curve(rows, prices)
    chosen = points[0]
    for share in range(STEPS - 1, -1, -1):
        point = next(each for each in points if each.escalated <= share / STEPS)
        pairs = Pairs(_scores(rows, point.threshold), [row.heavy for row in rows])
        if not_worse_by("choosing", pairs, margin / 2, error).verdict != "not worse":
            break
        chosen = point
    return chosen.threshold


def _scores(rows: Sequence[Routed], threshold: float) -> list[float]:
    return [row.light if row.sure >= threshold else row.heavy for row in rows]


def judge(
    rows: Sequence[Routed], prices: Prices, threshold: float, margin: float, error: float
) -> Cascade:
    """Judge a cascade on rows that did not choose its threshold.

    It is worth it where both hold, each at `error`: it is not worse than the heavy system by the
    margin, and better than a random mix of the same cost. Both must hold, so none is corrected
    (an intersection-union test; Berger, 1982).

    Args:
        rows: the judging rows, at least one.
        prices: of both systems.
        threshold: `choose`'s.
        margin: how much worse than the heavy system would be too much, 0..1.
        error: one-sided, of each of the two.
    """
    count = len(rows)
    scores = _scores(rows, threshold)
    kept = sum(row.sure >= threshold for row in rows)
    point = _point(threshold, kept, math.fsum(scores), count, prices)
    light = Point(-math.inf, 0.0, math.fsum(row.light for row in rows) / count, prices.light)
    heavy = Point(math.inf, 1.0, math.fsum(row.heavy for row in rows) / count, prices.heavy)
    share = share_of_mix(point.cost, prices)
    gaps = [
        score - row.light - share * (row.heavy - row.light)
        for score, row in zip(scores, rows, strict=True)
    ]
    above = 2 * lower_bound([(gap + 1) / 2 for gap in gaps], error) - 1
    pairs = Pairs(scores, [row.heavy for row in rows])
    not_worse = not_worse_by("cascade", pairs, margin, error)
    mean_gap = math.fsum(gaps) / count
    return Cascade(
        point=point,
        light=light,
        heavy=heavy,
        mix=point.score - mean_gap,
        above_mix=above,
        oracle=_oracle(rows, prices),
        not_worse=not_worse,
        verdict=_verdict(not_worse, above, mean_gap),
    )


def share_of_mix(cost: float, prices: Prices) -> float:
    """Return the share that a random mix of a cost sends to the heavy system, 0..1.

    A mix pays one of the two, never both. What costs more than the heavy system buys all of it.
    """
    if prices.heavy <= prices.light or cost >= prices.heavy:
        return 1.0
    return max(0.0, (cost - prices.light) / (prices.heavy - prices.light))


def _oracle(rows: Sequence[Routed], prices: Prices) -> Point:
    better = sum(row.heavy > row.light for row in rows)
    score = math.fsum(max(row.light, row.heavy) for row in rows)
    return _point(math.nan, len(rows) - better, score, len(rows), prices)


def _verdict(not_worse: NotWorse, above: float, mean_gap: float) -> Verdict:
    if mean_gap <= 0:
        return "below the random mix"
    if not_worse.difference <= -not_worse.margin:
        return "worse than the heavy system"
    shown = above > 0 and not_worse.verdict == "not worse"
    return "worth it" if shown else "not shown"
