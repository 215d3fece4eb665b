"""The ladder, in order. To add a rung: a module that satisfies `protocol.Rung`, and a line here."""

from __future__ import annotations

from ladder.evidence import Gap
from ladder.rungs import r1_prompt, r2_rag, r3_lora, r4_distill
from ladder.rungs.protocol import Rung, Trains
from ladder.task import RungName

LADDER: list[Rung] = [r1_prompt, r2_rag, r3_lora, r4_distill]

__all__ = ["LADDER", "Rung"]


def fixes() -> dict[RungName, frozenset[Gap]]:
    """Return what each rung can fix, from the lowest up."""
    return {rung.NAME: rung.FIXES for rung in LADDER}


def trains() -> dict[RungName, Trains]:
    """Return what each rung trains, from the lowest up."""
    return {rung.NAME: rung.TRAINS for rung in LADDER}
