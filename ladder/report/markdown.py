"""report.md: the assessment in words and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from ladder.evidence import Assessment
from ladder.report.attempt import attempt_blocks
from ladder.report.blocks import (
    Block,
    Bullets,
    Code,
    Example,
    Figure,
    Folded,
    Heading,
    Link,
    Missed,
    Paragraph,
    Part,
    Quote,
    Said,
    Strong,
    Table,
)
from ladder.report.cost import cost_blocks
from ladder.report.data import data_blocks
from ladder.report.effort import effort_blocks
from ladder.report.sections import answer_blocks, evidence_blocks, measured_blocks
from ladder.report.texts import each_text
from ladder.report.training import training_method_blocks
from ladder.wording import code, in_markdown


def as_markdown(assessment: Assessment) -> str:
    """Return the report. Every text of the record is escaped here, once, whoever wrote it."""
    return markdown(_blocks(each_text(assessment, in_markdown), assessment))


def markdown(blocks: Iterable[Block]) -> str:
    """Return blocks as Markdown."""
    return "\n\n".join(text for block in blocks if (text := _written(block))) + "\n"


def _blocks(a: Assessment, raw: Assessment) -> Iterator[Block]:
    yield from answer_blocks(a)
    yield from measured_blocks(a, raw)
    for attempt in a.attempts:
        yield from attempt_blocks(attempt, a.attempts)
    yield from data_blocks(a)
    yield from training_method_blocks(a)
    yield from cost_blocks(a)
    yield from effort_blocks(a.effort)
    yield from evidence_blocks(a, raw.plan)


def _written(block: Block) -> str:
    """Return a block as Markdown; nothing where there is nothing to show."""
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Paragraph):
        return "\n".join(map(_inline, block.lines))
    if isinstance(block, Quote):
        return f"> {block.text}"
    if isinstance(block, Bullets):
        return "\n".join(f"- {_inline(item)}" for item in block.items)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Figure):
        table = _table(block.table) if block.explains else ""
        return f"![{block.caption}]({block.file})" if block.file else table
    return _folded(block)


def _folded(block: Folded) -> str:
    inside = "\n\n".join(map(_written, block.inside))
    return f"<details><summary>{block.summary}</summary>\n\n{inside}\n\n</details>"


def _table(table: Table) -> str:
    rows = (_cells(table.head), "|---" * len(table.head) + "|", *map(_cells, table.rows))
    return "\n".join(rows)


def _cells(texts: Sequence[Said]) -> str:
    return "| " + " | ".join(map(_inline, texts)) + " |"


def _inline(said: Said) -> str:
    if isinstance(said, str):
        return said
    return "".join(map(_part, said))


def _part(part: Part) -> str:
    if isinstance(part, Strong):
        return f"**{part.text}**"
    if isinstance(part, Example):
        return part.id
    if isinstance(part, Missed):
        return f"**{part.text}**" if part.cause else part.text
    if isinstance(part, Link):
        return f"[{in_markdown(part.file)}]({quote(part.file)})"
    return code(part.text) if isinstance(part, Code) else part
