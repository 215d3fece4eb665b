"""The race over dev examples: who wins, who leaves early, and what is said of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from replayed import asking, of, replayed

from ladder.evidence import Candidate
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.selection.race import ROUNDS, race

DEV = tuple(Sample(id=f"d{at}", input=f"number {at}", target=str(at)) for at in range(100))
RIGHT = {"twenty": 2, "sixty": 6, "ninety": 9, "ninety at length " + "and more " * 9: 9}
"""Instruction -> how many of ten numbers are answered right under it."""


def speak(prompt: str) -> str:
    """Say the number that is asked about, as often as the instruction above it lets one."""
    number = int(prompt.rpartition("number ")[2].split()[0])
    right = number % 10 < RIGHT[prompt.partition("\n")[0]]
    return str(number) if right else "none"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    data = Data((), DEV, (), ())
    return replayed(tmp_path, data, lambda _: map(asking, RIGHT), speak)


def raced(bench: Bench, *instructions: str) -> tuple[Candidate, dict[str, tuple[float, int, bool]]]:
    """Race; return the winner, and of each candidate its score, its rows, and if it lost."""
    winner, lines = race(bench.evaluator, [of(bench, asking(name)) for name in instructions])
    return winner, {line.description: (line.score, line.n, line.dropped) for line in lines}


def test_the_best_wins_and_each_has_its_line(bench):
    winner, lines = raced(bench, "twenty", "sixty", "ninety")
    assert winner.description == "ninety"
    assert lines["ninety"] == (pytest.approx(0.9), len(DEV), False)
    assert {name for name, (_, _, dropped) in lines.items() if dropped} == {"twenty", "sixty"}


def test_who_is_clearly_behind_is_asked_no_further(bench):
    _, lines = raced(bench, "twenty", "ninety")
    assert lines["twenty"][1] == ROUNDS[0]
    assert bench.evaluator.models.asked.calls == len(DEV) + ROUNDS[0]


def test_of_equals_the_shorter_prompt_wins(bench):
    short, long = list(RIGHT)[2:]
    assert raced(bench, long, short)[0].description == short


def test_one_alone_has_won_and_is_not_asked(bench):
    winner, lines = raced(bench, "twenty")
    assert (winner.description, lines) == ("twenty", {})
    assert bench.evaluator.models.asked.calls == 0
