"""What the diagnosis benchmark makes of what was measured. No model is asked."""

from __future__ import annotations

import importlib.util
import sys
from random import Random

import pytest
from conftest import ROOT

from ladder.diagnosis.rules import NOT_THERE, Ablations


def loaded(name: str):
    """Load a program of benchmarks/, which lies on no path, as the tests of fault injection do."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
        assert spec
        assert spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


loaded("diagnosed")
loaded("fault_injection")
BENCHMARK = importlib.util.spec_from_file_location(
    "diagnosis_benchmark", ROOT / "benchmarks/diagnosis.py"
)
assert BENCHMARK
assert BENCHMARK.loader
benchmark = importlib.util.module_from_spec(BENCHMARK)
sys.modules["diagnosis_benchmark"] = benchmark
BENCHMARK.loader.exec_module(benchmark)

ROWS = [f"row{at}" for at in range(30)]
RIGHT, WRONG = dict.fromkeys(ROWS, 1.0), dict.fromkeys(ROWS, 0.0)


def cell(k: int, place: int, *mending: str) -> Ablations:
    """Return what is measured where every row is wrong, and some ablations mend all of them."""
    names = ("no-op control", "oracle", "unique", "strong oracle")
    changed = {name: RIGHT if name in mending else WRONG for name in names}
    return Ablations(WRONG, changed, dict.fromkeys(ROWS, place), k)


COPIES = cell(3, 4, "oracle", "unique", "strong oracle")
DELETED = cell(3, NOT_THERE)


def test_a_row_that_is_drawn_twice_counts_twice_and_keeps_all_that_is_known_of_it():
    drawn = benchmark.part(COPIES, ["row1", "row1", "row2"])
    assert len(drawn.production) == 3
    assert len(drawn.changed["unique"]) == len(drawn.places) == 3
    assert benchmark.first_named(benchmark.part(COPIES, ROWS)) == "redundancy"
    assert benchmark.first_named(benchmark.part(DELETED, ROWS)) == "missing"


def test_a_place_stays_read_or_too_low_beside_a_system_that_reads_more():
    read, too_low = cell(12, 5), cell(3, 5)
    both = benchmark.together(read, too_low)
    assert len(both.production) == 2 * len(ROWS)
    assert both.k == 12
    assert {both.places[f"{row}a"] for row in ROWS} == {5}
    assert {both.places[f"{row}b"] for row in ROWS} == {13}
    gone = benchmark.together(read, DELETED)
    assert {gone.places[f"{row}b"] for row in ROWS} == {NOT_THERE}


def test_two_faults_are_named_with_their_shares():
    cells = {"copies x5": COPIES, "gold deleted": DELETED}
    one = benchmark.Measured(RIGHT, cells, {}, frozenset())
    found = dict(benchmark.mixed(one, 5, "seed"))
    assert set(found) == {"copies x5 + gold deleted", "gold deleted + copies x5"}
    for doubles in found.values():
        assert doubles.first == doubles.both == [True] * 5
        assert max(doubles.off) == pytest.approx(0)


def test_a_cause_that_is_not_named_is_off_by_its_whole_share():
    doubles = benchmark.Doubles([], [], [])
    doubles.add(benchmark.diagnosed(DELETED), {"labels": 0.6, "missing": 0.4})
    assert (doubles.first, doubles.both) == ([False], [False])
    assert doubles.off == pytest.approx([0.6, 0.6])


def test_the_exact_interval_is_that_of_clopper_and_pearson():
    assert benchmark.exact(0, 59) == (0.0, pytest.approx(0.0606, abs=1e-4))
    assert benchmark.exact(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)


def test_few_pipelines_and_pipelines_that_differ_make_it_wide():
    def width(rates):
        low, high = benchmark.over_pipelines(rates, 20.0)
        return high - low

    assert width([0.9] * 12) < width([0.9] * 3) < width([1.0, 1.0, 0.7])
    low, high = benchmark.over_pipelines([1.0] * 3, 20.0)
    assert low < 0.5
    assert high == 1.0


@pytest.mark.slow
def test_the_interval_over_rows_holds_the_rate_and_is_wider_where_rows_disagree():
    assert benchmark.over_rows(DELETED, "missing") == (1.0, 1.0)
    places = {row: NOT_THERE if at % 2 else 4 for at, row in enumerate(ROWS)}
    split = Ablations(WRONG, COPIES.changed, places, 3)
    low, high = benchmark.over_rows(split, "missing")
    assert low < 0.3
    assert high > 0.7


def test_cases_are_drawn_with_replacement():
    drawn = benchmark.draw(ROWS, Random(0))
    assert len(drawn) == benchmark.CASE_ROWS
    assert len(set(drawn)) < len(drawn)
