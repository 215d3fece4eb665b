"""What the report says of training: which way, what it was expected to take, what it took.

From records whose texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evidence import Build, TrainingMethod
from ladder.wording import duration


def build_lines(build: Build) -> Iterator[str]:
    """Say what a training took, beside what was estimated."""
    if not build.train_tokens:
        return
    expected = build.estimated
    estimated = (
        f" Foreseen: {duration(expected.seconds)}, {expected.memory_mb:,.0f} MB."
        if expected
        else ""
    )
    yield (
        f"\nBuild: {duration(build.seconds)}, {build.train_tokens:,} training tokens, "
        f"{build.peak_memory_mb:,.0f} MB at the peak, {build.usd:.4f} USD.{estimated}"
    )


def training_method_lines(found: Sequence[TrainingMethod]) -> Iterator[str]:
    """Say which ways of training there are, and what speaks for or against each."""
    if not found:
        return
    yield "\n## Which way of training\n"
    yield "| technique | why, or why not |"
    yield "|---|---|"
    for way in found:
        name = f"**{way.name}** (chosen)" if way.chosen else way.name
        yield f"| {name} | {way.reason} |"
