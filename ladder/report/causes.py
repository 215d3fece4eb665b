"""What the report says of causes, fixes and contexts, from records whose texts are escaped."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evidence import ContextCosts, Diagnosis, Fix
from ladder.wording import gap


def fix_lines(fixes: tuple[Fix, ...]) -> Iterator[str]:
    """Say what was changed before the rung was measured, and what that was worth."""
    if not fixes:
        return
    yield "\nMended before it was measured, each change on top of the one before:\n"
    for fix in fixes:
        before, after = fix.tokens
        unseen = f"; on rows that chose nothing {gap(fix.unseen)}" if fix.unseen else ""
        dropped = "" if fix.kept else " Not kept: it does not win on rows that chose nothing."
        yield (
            f"- **{fix.cause}** → {fix.change}: {gap(fix.on_dev)} on the rows that choose"
            f"{unseen}; {before:.0f} → {after:.0f} prompt tokens.{dropped}"
        )


def cause_lines(diagnosis: Diagnosis | None) -> Iterator[str]:
    """Say why a rung did not pass, by what the ablations fixed."""
    if diagnosis is None or not (diagnosis.causes or diagnosis.ablations):
        return
    # Often the first cause says the same sentence.
    said = any(diagnosis.sentence == cause.sentence for cause in diagnosis.causes)
    yield "\nWhy it did not pass:" + ("" if said else f" {diagnosis.sentence}") + "\n"
    for cause in diagnosis.causes:
        rows = f" (e.g. {', '.join(cause.sample_ids[:3])})" if cause.sample_ids else ""
        would = ""
        if cause.recoverable:
            r = cause.recoverable
            would = f" Had they been right: {r.mean:.2f} ({r.low:.2f}–{r.high:.2f})."
        yield f"- **{cause.name}**: {cause.sentence}{rows}.{would}"
    if diagnosis.ablations:
        n = max(found.n for found in diagnosis.ablations.values())
        ablations = ", ".join(
            f"{name} {found.mean:.2f}" + (f" (of {found.n})" if found.n < n else "")
            for name, found in diagnosis.ablations.items()
        )
        asked = diagnosis.asked
        yield (
            f"\nThe same {n} rows with one thing changed: {ablations}. That took "
            f"{asked.calls:,} calls, {asked.tokens:,} tokens, {asked.seconds:.0f} s of the model."
        )
    for line in diagnosis.unresolved:
        yield f"\nCould not tell {line}."


def context_lines(costs: ContextCosts | None) -> Iterator[str]:
    """Say what context costs."""
    if costs is None:
        return
    curve = ", ".join(f"{found.mean:.2f} at {k}" for k, found in costs.curve.items())
    yield (
        f"\nHow much to read, on {costs.rows} rows: {curve} texts; {costs.knee} is the smallest "
        "within one standard error of the best."
    )
    yield (
        f"\nThe right document alone scores {costs.alone.mean:.2f}. Among {costs.texts} texts, "
        f"length costs {gap(costs.length)}, real texts beside it instead of filler cost a further "
        f"{gap(costs.distraction)}, and {costs.position.other} costs {gap(costs.position)}."
    )
