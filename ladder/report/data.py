"""The data of an assessment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evidence import Assessment, DataReport, WordOverlap
from ladder.report.blocks import Block, Heading, Said, say
from ladder.samples.describe import contradicted, provable
from ladder.wording import span

MOST_NAMED = 5


def data_blocks(a: Assessment) -> Iterator[Block]:
    """Yield the section on the data: the splits, what was set aside, and what leaks."""
    d = a.data
    yield Heading(2, "The rows")
    read = a.recommendation.confirmed is not None
    yield say(*_split_lines(d, read=read))
    yield from _leak_blocks(d)
    yield from _overlap_blocks(d.overlap)
    if a.recommendation.with_leaked_rows:
        yield say(f"With those rows the score would be {span(a.recommendation.with_leaked_rows)}.")


def _split_lines(d: DataReport, *, read: bool) -> Iterator[Said]:
    """Say what the splits hold, and what score they can prove."""
    yield (
        f"{train_rows(d)}, {d.dev} dev (they chose), {d.gate} eval (they judged), "
        f"{d.sealed} test ({'they confirmed' if read else 'held out, unread'}), "
        f"{d.reserve} in reserve; "
        f"{documents(d)}, {d.unlabeled} unlabelled"
        + (f", {d.out_of_scope} out of scope" if d.out_of_scope else "")
        + f". {d.duplicates} near-duplicates were set aside"
        + (f": {_first(', ', d.set_aside, d.duplicates)}." if d.set_aside else ".")
    )
    if d.duplicates_recall is not None:
        yield (
            "Among so many rows near-duplicates are looked for by sketches (MinHash): a pair that "
            f"is just alike is found with a chance of {100 * d.duplicates_recall:.2f} %."
        )
    if d.detectable is None:
        yield "These eval examples cannot prove this gate even without a mistake: add rows."
    else:
        yield f"These eval examples can prove a true score of {provable(d)} or more."
    needed = [f"{rows:,} if it is {score}" for score, rows in d.rows_needed.items() if rows]
    if needed:
        shared = f", where {d.systems} systems share its error" if d.systems > 1 else ""
        yield (
            f"Eval examples that prove the gate in 80 % of runs, by the true score{shared}: "
            f"{', '.join(needed)}."
        )


def _leak_blocks(d: DataReport) -> Iterator[Block]:
    """Say which rows were set aside, and which are worth a look."""
    if d.contaminated:
        shown = _first(", ", d.contaminated)
        count = len(d.contaminated)
        yield say(f"{count} held-out examples repeat training ones, not counted: {shown}.")
    if d.look_alikes:
        shown = _first("; ", d.look_alikes)
        yield say(
            f"{len(d.look_alikes)} held-out examples differ from a training example in a "
            "number or a "
            f"name only; they are not counted, and worth a look: {shown}."
        )
    if d.contradicting:
        shown = _first("; ", d.contradictions, d.contradicting)
        yield say(f"{contradicted(d)}; each is set aside: {shown}.")
    if d.reworded:
        shown = _first("; ", d.reworded)
        yield say(
            "Held-out examples that reword a training example and have another answer are "
            f"counted, and worth a look: {shown}."
        )


def train_rows(d: DataReport) -> str:
    """Say how many training examples there are, and how many of them a teacher wrote."""
    written = f" ({d.synthetic} of them synthetic)" if d.synthetic else ""
    return f"{d.train} train{written}"


def documents(d: DataReport) -> str:
    """Say how many documents there are, and into how many passages the long ones were cut."""
    cut = f", read as {d.passages:,} passages" if d.passages > d.documents else ""
    return f"{d.documents:,} documents{cut}"


def _first(mark: str, texts: Sequence[str], count: int | None = None) -> str:
    """Return the first texts, and how many more there are; `count` where not all are listed."""
    named = texts[:MOST_NAMED]
    rest = (len(texts) if count is None else count) - len(named)
    return mark.join(named) + (f" and {rest} more" if rest > 0 else "")


def _overlap_blocks(found: WordOverlap | None) -> Iterator[Block]:
    if found is None:
        return
    yield say(
        f"{found.overlapping} of the {found.checkable} held-out examples of {found.words} "
        "words or "
        f"more share so many in a row with a training example or a document; "
        f"{found.rows - found.checkable} shorter ones cannot be checked so."
    )
    if found.top:
        yield say(f"The rows that share most: {_first('; ', found.top)}.")
