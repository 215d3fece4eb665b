"""What people prefer: pairs of a better and a worse answer, or answers that are wanted or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Mistake = tuple[str, str, str]
"""What was found, what was wanted, how to fix it."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One row: a pair, or one answer on the side that it is on."""

    input: str
    chosen: str = ""
    rejected: str = ""
    """Empty: nobody has said which answer is worse."""

    @property
    def is_pair(self) -> bool:
        """Tell whether there is an answer on both sides."""
        return bool(self.chosen and self.rejected)


def mistake_of(row: Preference) -> Mistake | None:
    """Return what is wrong with a row by itself."""
    if row.chosen != row.rejected:
        return None
    got = f"`{row.chosen[:40]}` as `chosen` and as `rejected`"
    return got, "two different texts", "A pair of equal answers prefers nothing: take it out."


def told_before(row: Preference, first: Mapping[Preference, str]) -> Mistake | None:
    """Return what is wrong with a row after others.

    Args:
        row: a pair, or one answer.
        first: each earlier row, and where it is.
    """
    fix = "Keep one of them."
    if row in first:
        return f"the same row again (first in {first[row]})", "each row once", fix
    turned = Preference(row.input, row.rejected, row.chosen)
    if turned not in first:
        return None
    what = "pair the other way round" if row.is_pair else "answer with the other mark"
    got = f"the same {what} (in {first[turned]})"
    return got, "one verdict on it", "Keep the one that holds, or take both out."
