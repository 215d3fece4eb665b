"""A race in waves: who won, and what is said of the others."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ladder.engines.base import Completion
from ladder.evidence import Candidate
from ladder.inference.outcome import Outcome
from ladder.progress import Quiet
from ladder.samples.rows import Sample
from ladder.selection import race as racing

DEV = tuple(Sample(id=f"d{at}", input="x", target="y") for at in range(100))
RIGHT = {"first": 0.2, "second": 0.6, "third": 0.9}
"""Candidate -> the share of dev examples that it answers right."""


def candidate(description: str) -> Candidate:
    return Candidate(rung="prompt", description=description, model="bundled:none")


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(evaluator, candidate, samples, title=""):
        return [
            Outcome(sample, "", Completion(), (float(at % 10 < 10 * RIGHT[candidate.description]),))
            for at, sample in enumerate(samples)
        ]

    monkeypatch.setattr(racing, "answer", answer)


@pytest.mark.parametrize("later", [["third"], []])
def test_one_candidate_wins_and_each_has_one_line(answered, later):
    waves = (
        lambda bench, leader: [candidate("first"), candidate("second")],
        lambda bench, leader: [candidate(name) for name in later],
    )
    gate = SimpleNamespace(max_error_rate=0.02)
    bench = SimpleNamespace(
        splits=SimpleNamespace(dev=DEV), watch=Quiet(), task=SimpleNamespace(gate=gate)
    )
    leader, lines = racing.race_rung(bench, SimpleNamespace(STAGES=waves, CHALLENGERS=()))
    won = later[0] if later else "second"
    assert leader.description == won
    assert [line.description for line in lines if not line.dropped] == [won]
    assert sorted(line.description for line in lines) == sorted(["first", "second", *later])
