"""The answer's number equals the target's."""

from __future__ import annotations

import math
import re

from ladder.scorers.base import Score, Scorer

_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]?\.\d+")


def number(*, tolerance: float = 1e-6) -> Scorer:
    """Compare the last number in the answer with the target's.

    Args:
        tolerance: the relative difference that still counts as equal.
    """
    if tolerance < 0:
        raise ValueError("a tolerance of 0 or more")

    def score(answer: str, target: str) -> Score:
        got, wanted = last_number(answer), last_number(target)
        if got is None or wanted is None:
            return Score(0.0, "no number in the answer" if got is None else "no number wanted")
        same = math.isclose(got, wanted, rel_tol=tolerance, abs_tol=0.0)
        return Score(float(same), f"{got:g} against {wanted:g}")

    return score


def last_number(text: str) -> float | None:
    """Return the last number in a text; thousands commas are allowed."""
    found = _NUMBER.findall(text.replace("\u2212", "-"))
    if not found:
        return None
    value = float(found[-1].replace(",", ""))
    return value if math.isfinite(value) else None
