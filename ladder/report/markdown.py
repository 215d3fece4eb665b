"""report.md: the assessment in words and tables."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evidence import (
    Assessment,
)
from ladder.report.attempt import attempt_lines
from ladder.report.control import control_sentence, take_control
from ladder.report.cost import cost_lines
from ladder.report.data import data_lines
from ladder.report.people import judge_sentence
from ladder.report.reasons import answer_reasons
from ladder.report.summary import answer_line, assumed, table_cells, table_rows
from ladder.report.texts import each_text
from ladder.wording import code, in_markdown


def as_markdown(assessment: Assessment) -> str:
    """Return the report. Every text of the record is escaped here, once, whoever wrote it."""
    return "\n".join(_lines(each_text(assessment, in_markdown), assessment)) + "\n"


def _lines(a: Assessment, raw: Assessment) -> Iterator[str]:
    limits = {name: value for name, value in a.task.gate.items() if value is not None}
    gate = ", ".join(
        f"{name} {value if isinstance(value, str) else format(value, 'g')}"
        for name, value in limits.items()
    )
    yield f"# {a.task.name}\n"
    yield f"> {a.task.goal}\n"
    yield f"{answer_line(a)}\n"
    if instead := take_control(a):
        yield f"**But {instead}**\n"
    for reason in answer_reasons(a):
        yield f"- {reason}"
    yield "\n## What was measured\n"
    yield f"Base model {code(raw.task.base)}, scorer {code(raw.task.scorer)}, gate: {gate}.\n"
    confidence = float(a.task.gate["confidence"] or 0)
    yield f"| rung | score ({100 * confidence:g} %) | p95 | $ per 1k | build | verdict |"
    yield "|---|---|---|---|---|---|"
    for row in table_rows(a):
        yield table_cells(row)
    yield f"\n{assumed(a)}"
    if a.judge:
        yield f"\n{judge_sentence(a.judge)}"
    if a.control:
        yield f"\n{control_sentence(a.control, float(a.task.gate['min_score'] or 0))}\n"
    for attempt in a.attempts:
        yield from attempt_lines(attempt, a.attempts)
    yield from data_lines(a)
    yield from cost_lines(a)
    yield from _evidence_lines(a, raw.plan)


def _evidence_lines(a: Assessment, plan: str | None) -> Iterator[str]:
    yield "\n## Evidence\n"
    yield f"ladder {a.ladder_version}, {a.created}, {a.seconds:.0f} s, seed {a.task.seed}."
    yield f"Machine: {', '.join(f'{k} {v}' for k, v in a.hardware.items())}."
    yield f"Versions: {', '.join(f'{k} {v}' for k, v in a.versions.items())}."
    yield f"Task {_short(a.task.digest)}; data " + ", ".join(
        f"{role} {_short(digest)}" for role, digest in a.data.digests.items()
    )
    if plan:
        yield (
            f"\nNext: {code(f'ladder revalidate {plan}')}, or {code(f'ladder schedule {plan}')}."
        )


def _short(digest: str) -> str:
    """Return the beginning of a digest; a text that is none stays whole: it may be escaped."""
    return digest[:16] if digest.isalnum() else digest
