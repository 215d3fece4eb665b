"""The answer's number equals the target's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ladder.language.numbers import Mark, decimal_mark, last_number
from ladder.scorers.base import Score

__all__ = ["Number", "last_number", "number"]


@dataclass(frozen=True)
class Number:
    """Compares the last number in the answer with the last one in the target."""

    tolerance: float
    decimal: Mark | None = None
    """Of a number such as 1,234, whose shape leaves it open; None: as English reads it."""
    given: bool = False
    """The user named the decimal mark: no target changes it."""

    def __call__(self, answer: str, target: str) -> Score:
        """Return 1 where the numbers are equal."""
        got, wanted = last_number(answer, self.decimal), last_number(target, self.decimal)
        if got is None or wanted is None:
            return Score(0.0, "no number in the answer" if got is None else "no number wanted")
        same = math.isclose(got, wanted, rel_tol=self.tolerance, abs_tol=0.0)
        return Score(float(same), f"{got:g} against {wanted:g}")

    def fitted(self, targets: Sequence[str]) -> Number:
        """Return the scorer with the decimal mark that the targets show, if none was named."""
        return self if self.given else replace(self, decimal=decimal_mark(targets))


def _tolerance(value: object) -> float:
    """Return a tolerance; YAML reads 1e-3 as a text."""
    try:
        share = float(value) if isinstance(value, int | float | str) else -1.0
    except ValueError:
        share = -1.0
    if isinstance(value, bool) or not 0 <= share < math.inf:
        raise ValueError("a tolerance of 0 or more, as a number such as 0.001")
    return share


def number(*, tolerance: float = 1e-6, decimal: Literal["auto", ".", ","] = "auto") -> Number:
    """Compare the last number in the answer with the target's.

    Args:
        tolerance: the relative difference that still counts as equal.
        decimal: what stands before the decimals of a number that could be read in two ways, such
            as 1,234. auto: the mark that the task's targets show, else a point. Numbers that can
            be read in one way only (1,5 and 1.234,5 and 1,234.5) are read in that way.
    """
    tolerance = _tolerance(tolerance)
    if decimal == "auto":
        return Number(tolerance)
    if decimal not in get_args(Mark):
        raise ValueError('decimal: auto, "." or ","')
    return Number(tolerance, decimal, given=True)
