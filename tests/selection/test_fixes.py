"""What is fixed, in which order, and what is not kept: over a real search in real copies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from replayed import asking, of, replayed

from ladder.diagnosis.changes import changes, oracle
from ladder.evidence import Candidate, Fix, Retrieval
from ladder.inference.evaluator import Evaluator
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Document, Sample
from ladder.selection.fixes import MOST_ROWS, apply_fixes

ITEMS, COPIES = 20, 5
TRAINING = 1000
"""Training examples have numbers from here on."""


def rows(prefix: str, count: int, start: int, **more: object) -> tuple[Sample, ...]:
    return tuple(
        Sample(id=f"{prefix}{at}", input=f"question {at} about item{at % ITEMS}", target=str(at),
               **more)
        for at in range(start, start + count)
    )  # fmt: skip


PAGES = tuple(
    Document(f"page{item}-{copy}", "", f"What is known of item{item} and where it is kept")
    for item in range(ITEMS)
    for copy in range(COPIES)
)
DATA = Data(rows("t", 100, TRAINING), rows("d", 60, 0), (), (), documents=PAGES)


class Prompt(NamedTuple):
    """What a rule goes by."""

    documents: list[str]
    """Their lines, in the order in which they are read."""
    item: str
    """What is asked about."""

    @property
    def unlike(self) -> bool:
        """Whether several documents are read, and no two of them are copies."""
        return 1 < len(self.documents) == len(set(self.documents))


Share = Callable[[Prompt], float]
"""The share of such prompts that are answered right."""


def reading(source: str = "documents", **how: object) -> Candidate:
    retrieval = Retrieval.model_validate({"source": source, "k": 3, **how})
    return asking("Answer.", "rag", description="t", retrieval=retrieval)


def tried(evaluator: Evaluator, start: Candidate, depth: int) -> Iterable[Candidate]:
    """Yield a candidate with its changes, those of what is changed, and the right documents."""
    yield start
    given = oracle(evaluator, of(evaluator, start))
    if given is not None:
        yield given
    if depth:
        for way in changes(evaluator, of(evaluator, start)).values():
            yield from tried(evaluator, way, depth - 1)


def mended(
    folder: Path,
    share: Share,
    start: Candidate | None = None,
    unseen: Share | None = None,
    data: Data = DATA,
    depth: int = 1,
) -> tuple[Candidate, tuple[Fix, ...], Bench]:
    """Fix a candidate whose share of right answers follows from the documents that it reads.

    Args:
        folder: for the recording.
        share: of the dev set.
        start: what is fixed; default: it reads three documents, of which each has copies.
        unseen: the share of the training examples; default: as of the others.
        data: the examples and documents.
        depth: how many changes, one on top of the other, are recorded.
    """
    first = start or reading()

    def speak(prompt: str) -> str:
        block = prompt.rpartition("\n\n")[2]
        documents = [line for line in block.splitlines() if line.startswith("Document: ")]
        [(number, item)] = re.findall(r"question (\d+) about (item\d+)", block)
        rule = unseen if unseen and int(number) >= TRAINING else share
        right = int(number) % 10 < round(10 * rule(Prompt(documents, item)))
        return number if right else "none"

    def candidates(evaluator: Evaluator) -> Iterable[Candidate]:
        yield from tried(evaluator, first, depth)
        if first.retrieval and first.retrieval.source == "examples":
            yield from tried(evaluator, reading(), depth)

    bench = replayed(folder, data, candidates, speak, gate={"min_score": 0.8})
    found, fixes = apply_fixes(bench.evaluator, of(bench, first))
    return found, fixes, bench


@pytest.mark.slow
def test_what_helps_is_kept_and_named(tmp_path):
    found, fixes, _ = mended(tmp_path, lambda prompt: 0.9 if prompt.unlike else 0.2)
    assert found.retrieval.unique
    assert [(each.cause, each.kept) for each in fixes] == [("redundancy", True)]
    assert fixes[0].on_dev.difference == pytest.approx(0.7)
    assert "repeats left out" in found.description


@pytest.mark.slow
def test_fixes_are_applied_one_on_top_of_the_other(tmp_path):
    """Left out repeats help; then the best document, read first, helps what is left."""

    def share(prompt: Prompt) -> float:
        if not prompt.unlike:
            return 0.2
        return 0.9 if f"{prompt.item} " in prompt.documents[0] else 0.6

    found, fixes, _ = mended(tmp_path, share, depth=2)
    assert [each.cause for each in fixes] == ["redundancy", "position"]
    assert (found.retrieval.unique, found.retrieval.order) == (True, "best first")


@pytest.mark.slow
def test_a_system_that_holds_the_score_is_left_alone(tmp_path):
    found, fixes, bench = mended(tmp_path, lambda prompt: 1.0 if prompt.unlike else 0.9)
    assert (found, fixes) == (of(bench, reading()), ())


@pytest.mark.slow
def test_a_gain_that_chance_allows_is_none(tmp_path):
    found, fixes, bench = mended(tmp_path, lambda prompt: 0.3 if prompt.unlike else 0.2)
    assert (found, fixes) == (of(bench, reading()), ())
    assert bench.evaluator.models.asked.calls > 2 * MOST_ROWS


@pytest.mark.slow
def test_what_does_not_win_on_unseen_rows_is_said_and_not_kept(tmp_path):
    found, fixes, bench = mended(
        tmp_path,
        lambda prompt: 0.9 if prompt.unlike else 0.2,
        unseen=lambda prompt: 0.1 if prompt.unlike else 0.2,
    )
    assert found == of(bench, reading())
    assert [each.kept for each in fixes] == [False]
    assert fixes[0].unseen.difference == pytest.approx(-0.1)


@pytest.mark.slow
def test_of_changes_that_hold_the_score_the_cheaper_one_is_kept(tmp_path):
    found, fixes, _ = mended(
        tmp_path, lambda prompt: 0.9 if prompt.unlike or len(prompt.documents) == 1 else 0.2
    )
    assert (found.retrieval.k, found.retrieval.unique) == (1, False)
    assert [each.cause for each in fixes] == ["distraction"]


@pytest.mark.slow
def test_documents_have_another_chance_where_examples_won(tmp_path):
    """One change is not enough: reading documents, and leaving their copies out."""
    found, fixes, _ = mended(
        tmp_path, lambda prompt: 1.0 if prompt.unlike else 0.2, start=reading("examples")
    )
    assert found.retrieval.source == "documents"
    assert [each.cause for each in fixes] == ["redundancy"]


@pytest.mark.slow
def test_where_the_right_documents_fail_too_nothing_is_fixed(tmp_path):
    def share(prompt: Prompt) -> float:
        return 0.9 if prompt.unlike else 0.3 if len(prompt.documents) == 1 else 0.2

    _, without, _ = mended(tmp_path, share)
    assert without, "where no right document is known, it is fixed"
    known = tuple(replace(row, doc_ids=(f"page{at % ITEMS}-0",)) for at, row in enumerate(DATA.dev))
    (tmp_path / "known").mkdir()
    found, fixes, bench = mended(tmp_path / "known", share, data=replace(DATA, dev=known))
    assert (found, fixes) == (of(bench, reading()), ())
    assert bench.evaluator.models.asked.calls == 2 * len(known), "as it is, and the right ones"


@pytest.mark.slow
def test_a_change_that_alone_holds_the_score_wins_whatever_it_costs(tmp_path):
    def share(prompt: Prompt) -> float:
        return 1.0 if prompt.unlike else 0.5 if len(prompt.documents) == 1 else 0.1

    found, fixes, _ = mended(tmp_path, share)
    assert found.retrieval.unique
    assert fixes[0].cause == "redundancy"


def test_what_was_trained_is_not_fixed(tmp_path):
    """Its training examples are no fresh training examples."""
    bench = replayed(tmp_path, DATA, lambda _: (), str)
    start = of(bench, reading()).but(adapter="here")
    assert apply_fixes(bench.evaluator, start) == (start, ())


@pytest.mark.slow
def test_documents_take_over_only_with_a_fix_that_was_kept(tmp_path):
    start = reading("examples")
    found, _, bench = mended(
        tmp_path,
        lambda prompt: 0.5 if not prompt.documents else 1.0 if prompt.unlike else 0.6,
        start=start,
        unseen=lambda prompt: 0.1 if prompt.unlike else 0.6,
    )
    assert found == of(bench, start)


def test_what_reads_nothing_is_left_alone(tmp_path):
    bench = replayed(tmp_path, DATA, lambda _: (), str)
    bare = of(bench, asking("Answer."))
    assert apply_fixes(bench.evaluator, bare) == (bare, ())
    assert bench.evaluator.models.asked.calls == 0
