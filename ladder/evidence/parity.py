"""What a GGUF file's answers are beside those of the same weights in transformers."""

from __future__ import annotations

from typing import Literal

from ladder.evidence.release import NotWorse
from ladder.evidence.values import Asked, Estimate, Record

ParityVerdict = Literal["holds", "fails", "not compared"]


class Parity(Record):
    """A GGUF file, asked the same by llama.cpp and by transformers, before its figures count."""

    file: str
    """Name of the file."""
    quantisation: str = ""
    beside: str = ""
    """What it was compared with, e.g. `transformers 5.23.0, float32`."""
    rows: int = 0
    equal: Estimate | None = None
    """Share of rows whose answers are the same."""
    same_first: int = 0
    """Rows at which both hold the same first token for the likeliest."""
    logprob_median: float | None = None
    """Nats by which the likeliest first tokens differ; None: they could not be told."""
    logprob_most: float | None = None
    not_worse: NotWorse | None = None
    """Is the file's score not worse than the other's?"""
    asked: Asked = Asked()
    """What both were asked."""
    verdict: ParityVerdict
    reason: str = ""
    """Why it fails, or was not compared."""
