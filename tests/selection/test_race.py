"""The race over dev examples: who wins, who leaves early, and what is said of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from replayed import asking, of, replayed

from ladder.evidence import Candidate
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.selection.race import COMPARED_FROM, ROUNDS, Standing, best_of, race

DEV = tuple(Sample(id=f"d{at}", input=f"number {at}", target=str(at)) for at in range(100))
RIGHT = {
    "nothing": 0, "nothing at length " + "and more " * 9: 0,
    "twenty": 2, "sixty": 6, "eighty": 8, "ninety": 9, "ninety at length " + "and more " * 9: 9,
}  # fmt: skip
"""Instruction -> how many of ten numbers are answered right under it."""
SHORT, LONG = list(RIGHT)[-2:]


def speak(prompt: str) -> str:
    """Say the number that is asked about, as often as the instruction above it lets one."""
    number = int(prompt.rpartition("number ")[2].split()[0])
    right = number % 10 < RIGHT[prompt.partition("\n")[0]]
    return str(number) if right else "none"


def bench_of(folder: Path, min_score: float) -> Bench:
    data = Data((), DEV, (), ())
    gate = {"min_score": min_score}
    return replayed(folder, data, lambda _: map(asking, RIGHT), speak, gate=gate)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The gate is what ninety of a hundred right answers neither miss nor surely hold."""
    return bench_of(tmp_path, 0.9)


def raced(bench: Bench, *instructions: str) -> tuple[Candidate, dict[str, tuple[float, int, bool]]]:
    """Race; return the winner, and of each candidate its score, its rows, and if it lost."""
    winner, lines = race(bench.evaluator, [of(bench, asking(name)) for name in instructions])
    return winner, {line.description: (line.score, line.n, line.dropped) for line in lines}


def test_the_best_wins_and_each_has_its_line(bench):
    winner, lines = raced(bench, "sixty", "eighty", SHORT)
    assert winner.description == SHORT
    assert lines[SHORT] == (pytest.approx(0.9), len(DEV), False)
    assert {name for name, (_, _, dropped) in lines.items() if dropped} == {"sixty", "eighty"}


def test_who_cannot_reach_the_gate_is_asked_no_further(bench):
    _, lines = raced(bench, "twenty", SHORT)
    assert lines["twenty"][1] == 8  # 2 of the first 4 would be no wonder at 0.9
    assert bench.evaluator.models.asked.calls == len(DEV) + 8


def test_who_is_clearly_behind_is_asked_no_further_though_it_might_reach_the_gate(tmp_path):
    bench = bench_of(tmp_path, 0.85)
    _, lines = raced(bench, "sixty", SHORT)
    assert lines["sixty"][1] == COMPARED_FROM
    line = next(
        line
        for line in race(bench.evaluator, [of(bench, asking(n)) for n in ("sixty", SHORT)])[1]
        if line.description == "sixty"
    )
    assert line.settled is None


def test_where_nobody_can_reach_the_gate_the_cheapest_stands_for_all(bench):
    winner, lines = raced(bench, *list(RIGHT)[1::-1])
    assert winner.description == "nothing"
    assert {n for _, n, _ in lines.values()} == {ROUNDS[0]}


@pytest.mark.parametrize(("lasts", "winner"), [(COMPARED_FROM, "cheap"), (32, "dear")])
def test_who_left_for_the_gate_stands_again_where_few_rows_later_nobody_reaches_it(lasts, winner):
    """Luck kept the dear one for two rounds more; after many rows it is no luck."""
    dear = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0] + [0.0] * 8
    if lasts > COMPARED_FROM:
        dear = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, *[1.0] * 5, *[0.0] * 21]
    of_row, tokens = {"dear": dear, "cheap": [0.0] * lasts}, {"dear": 100.0, "cheap": 10.0}
    names = list(tokens)

    def read(at: int, count: int) -> Standing:
        return Standing(of_row[names[at]][:count], tokens[names[at]])

    found, seen = best_of(2, 64, 0.8, read, Quiet())
    assert found is not None
    assert names[found] == winner
    assert [seen[at].n for at in range(2)] == [lasts, ROUNDS[0]]


def test_a_leader_that_surely_holds_the_gate_ends_the_race(tmp_path):
    bench = bench_of(tmp_path, 0.5)
    winner, lines = raced(bench, "eighty", SHORT)
    assert winner.description == SHORT
    assert {n for _, n, _ in lines.values()} == {COMPARED_FROM}


def test_of_equals_the_shorter_prompt_wins_and_the_other_is_asked_no_further(bench):
    winner, lines = raced(bench, LONG, SHORT)
    assert winner.description == SHORT
    assert lines[LONG][1] == COMPARED_FROM


def test_one_alone_has_won_and_is_not_asked(bench):
    winner, lines = raced(bench, "twenty")
    assert (winner.description, lines) == ("twenty", {})
    assert bench.evaluator.models.asked.calls == 0
