"""The sections of a report, each as blocks: what Markdown and the page have in common."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evaluation.parity import parity_line
from ladder.evidence import Assessment
from ladder.report.blocks import Block, Bullets, Code, Heading, Quote, Strong, Table, say, tabled
from ladder.report.calibrated import calibration_blocks
from ladder.report.cluster import cluster_line
from ladder.report.control import control_sentence, take_control
from ladder.report.effort import kept_words
from ladder.report.isolation import isolation_line
from ladder.report.people import judge_sentence
from ladder.report.reasons import answer_reasons
from ladder.report.summary import answer_line, assumed, table_rows


def answer_blocks(a: Assessment) -> Iterator[Block]:
    """Yield the task, the answer, and what speaks for it."""
    yield Heading(1, a.task.name)
    yield Quote(a.task.goal)
    yield say(answer_line(a))
    if instead := take_control(a):
        yield say((Strong(f"But {instead}"),))
    yield Bullets(tuple(answer_reasons(a)))


def measured_blocks(a: Assessment, raw: Assessment) -> Iterator[Block]:
    """Yield what was measured: the table of rungs, and what its figures rest on.

    Args:
        a: the assessment, its texts escaped.
        raw: the same as it was read.
    """
    yield Heading(2, "What was measured")
    gate = f", gate: {gate_words(a)}."
    yield say(("Base model ", Code(raw.task.base), ", scorer ", Code(raw.task.scorer), gate))
    yield rung_table(a)
    yield say(assumed(a))
    if a.judge:
        yield say(judge_sentence(a.judge))
    if a.parity:
        yield say(f"{parity_line(a.parity)}.")
    if a.control and not a.recommendation.control:
        yield say(control_sentence(a))
    yield from calibration_blocks(a.control_calibration, "the linear control's")


def rung_table(a: Assessment) -> Table:
    """Return the table of rungs, the control first."""
    confidence = float(a.task.gate["confidence"] or 0)
    score = f"score ({100 * confidence:g} %)"
    return tabled(("rung", score, "p95", "$ per 1k", "build", "verdict"), *table_rows(a))


def gate_words(a: Assessment) -> str:
    """Return the limits of the gate and how it decides."""
    limits = {name: value for name, value in a.task.gate.items() if value is not None}
    return ", ".join(
        f"{name} {value if isinstance(value, str) else format(value, 'g')}"
        for name, value in limits.items()
    )


def evidence_blocks(a: Assessment, plan: str | None) -> Iterator[Block]:
    """Yield where the figures come from, and the command that measures them again."""
    yield Heading(2, "Evidence")
    yield say(
        f"ladder {a.ladder_version}, {a.created}, {a.seconds:.0f} s"
        f"{kept_words(a.effort)}, seed {a.task.seed}.",
        f"Machine: {', '.join(f'{k} {v}' for k, v in a.hardware.items())}.",
        f"Versions: {', '.join(f'{k} {v}' for k, v in a.versions.items())}.",
        f"Task {_short(a.task.digest)}; data "
        + ", ".join(f"{role} {_short(digest)}" for role, digest in a.data.digests.items()),
        *((f"{cluster_line(a.cluster)}.",) if a.cluster else ()),
        *((f"{isolation_line(a.isolation)}.",) if a.isolation else ()),
    )
    if plan:
        again, job = Code(f"ladder revalidate {plan}"), Code(f"ladder schedule {plan}")
        yield say(("Next: ", again, ", or ", job, "."))


def _short(digest: str) -> str:
    """Return the beginning of a digest; a text that is none stays whole: it may be escaped."""
    return digest[:16] if digest.isalnum() else digest
