"""What benchmarks/tokens.py says of other plans: above what was taken, or not known to be."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from conftest import ROOT

from ladder.evidence import Asked


@pytest.fixture
def tokens(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location("tokens", ROOT / "benchmarks/tokens.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "tokens", module)
    spec.loader.exec_module(module)
    return module


def test_a_plan_below_what_was_taken_is_not_told_as_a_saving(tokens):
    plans = {"every rung": Asked(tokens=14_867), "every candidate": Asked(tokens=34_535)}
    assert list(tokens.plan_lines(plans, 15_890)) == [
        "other plans take more tokens: every candidate 34,535 or more",
        "not known to take more than the decision did: every rung 14,867 or more",
    ]
    assert list(tokens.plan_lines({}, 15_890)) == []
