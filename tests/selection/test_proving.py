"""Which training examples prove, and what they say of two systems."""

from __future__ import annotations

from pathlib import Path

import pytest
from replayed import asking, of, replayed

from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.selection.proving import (
    MOST_PROVING_ROWS,
    compare_unseen,
    learning_rows,
    proving_rows,
)


def rows(prefix: str, count: int, start: int) -> tuple[Sample, ...]:
    return tuple(
        Sample(id=f"{prefix}{at}", input=f"number {at}", target=str(at))
        for at in range(start, start + count)
    )


DATA = Data(rows("t", 300, 0), rows("d", 40, 1000), rows("g", 40, 2000), rows("s", 40, 3000))
OLD, BETTER, SAME = asking("half"), asking("most"), asking("half, said otherwise")
LEARNT = asking("most of the fresh training examples", shots=tuple(row.id for row in DATA.train))


def speak(prompt: str) -> str:
    number = int(prompt.rpartition("number ")[2].split()[0])
    right = number % 10 < (9 if "most" in prompt else 5)
    return str(number) if right else "none"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return replayed(tmp_path, DATA, lambda _: [OLD, BETTER, SAME], speak)


def test_what_wins_on_unseen_rows_is_better(bench):
    found = compare_unseen(bench.evaluator, of(bench, OLD), of(bench, BETTER))
    assert (found.claim, found.n) == ("better", MOST_PROVING_ROWS)
    assert found.difference == pytest.approx(0.4)
    found = compare_unseen(bench.evaluator, of(bench, BETTER), of(bench, OLD))
    assert found.claim == "worse"
    found = compare_unseen(bench.evaluator, of(bench, OLD), of(bench, SAME))
    assert (found.claim, found.difference) == ("no difference proven", 0)


def test_without_unseen_rows_nothing_is_compared(bench):
    assert compare_unseen(bench.evaluator, of(bench, OLD), of(bench, LEARNT)) is None


def test_rows_that_are_shown_prove_nothing(bench):
    shown = DATA.train[0].id
    a, b = (of(bench, one).model_copy(update={"instruction": ""}) for one in (OLD, SAME))
    proving = proving_rows(bench.evaluator, a.model_copy(update={"shots": (shown,)}), b)
    assert [row.id for row in proving] == [row.id for row in DATA.train[1 : MOST_PROVING_ROWS + 1]]


def test_an_instruction_is_not_proved_on_rows_that_it_may_be_written_from(bench):
    learning = set(learning_rows(bench.evaluator))
    assert learning
    assert not learning & set(proving_rows(bench.evaluator, of(bench, BETTER)))
