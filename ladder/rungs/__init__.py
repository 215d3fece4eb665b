"""The ladder, in order. To add a rung: a module that satisfies `base.Rung`, and a line here."""

from __future__ import annotations

from ladder.rungs import r1_prompt, r2_rag, r3_lora, r4_distill
from ladder.rungs.protocol import Rung

LADDER: tuple[Rung, ...] = (r1_prompt, r2_rag, r3_lora, r4_distill)

__all__ = ["LADDER", "Rung"]
