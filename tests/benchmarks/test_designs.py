"""The designs beside the program's: what their rows and powers are is counted out, not believed."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from conftest import ROOT

from ladder.gate.looks import looks

SPEC = importlib.util.spec_from_file_location("designs", ROOT / "benchmarks/designs.py")
assert SPEC
assert SPEC.loader
designs = importlib.util.module_from_spec(SPEC)
sys.modules["designs"] = designs
SPEC.loader.exec_module(designs)

COUNTS = looks(340)


def test_rows_and_power_are_those_of_drawn_answers() -> None:
    design = designs.ours(COUNTS)
    right = np.random.default_rng(3).random((4_000, COUNTS[-1])) < 0.9
    hits = right.cumsum(axis=1)[:, np.array(COUNTS) - 1]
    passed = hits >= np.array(design.hits)
    ends = np.where(passed.any(axis=1), passed.argmax(axis=1), len(COUNTS) - 1)
    rows = np.array(COUNTS)[ends]
    assert passed.any(axis=1).mean() == pytest.approx(design.passes(0.9), abs=0.03)
    assert rows.mean() == pytest.approx(design.rows(0.9), abs=4 * rows.std() / 4_000**0.5)


def test_every_design_holds_the_error_and_the_best_reads_no_more_than_any_other() -> None:
    best = designs.best(COUNTS)
    others = [designs.ours(COUNTS), designs.shaped(COUNTS, 0.0), designs.shaped(COUNTS, -0.5)]
    for design in (best, *others):
        assert design.passes(0.85) <= 0.05 + 1e-9
    assert best.passes(0.9) >= 0.8
    for design in others:
        if design.passes(0.9) >= 0.8:
            assert best.rows(0.9) <= design.rows(0.9)
