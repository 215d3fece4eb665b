"""A challenger must also win on rows that did not choose it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from conftest import ROOT

from ladder.climb.attempt import race_rung
from ladder.climb.opening import open_bench
from ladder.evidence import Candidate, Comparison
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.selection import proving
from ladder.selection import race as racing
from ladder.task import load_task


@pytest.fixture
def bench(tmp_path) -> Bench:
    task = load_task(ROOT / "evalsets/r2_ferry_handbook/task.yaml")
    return open_bench(task, tmp_path, Quiet())


def candidate(name: str, shots: tuple[str, ...] = ()) -> Candidate:
    return Candidate(rung="prompt", description=name, model="bundled:smollm2-135m", shots=shots)


def comparison(claim: str) -> Comparison:
    numbers = {"difference": 0.1, "low": 0.0, "high": 0.2, "n": 50, "p_value": 0.01}
    return Comparison.model_validate({"other": "old", "claim": claim, **numbers})


@pytest.mark.parametrize(
    ("claim", "wins"), [("better", "new"), ("no difference proven", "old"), ("worse", "old")]
)
def test_a_challenger_is_kept_only_if_it_wins_unseen(bench, monkeypatch, claim, wins) -> None:
    old, new = candidate("old"), candidate("new")
    monkeypatch.setattr(racing, "race", lambda bench, found: (found[-1], []))
    monkeypatch.setattr(racing, "compare_unseen", lambda bench, a, b: comparison(claim))
    rung = SimpleNamespace(STAGES=(lambda c, top: [old],), CHALLENGERS=(lambda c, top: [new],))
    leader, _ = race_rung(bench, rung)
    assert leader is not None
    assert leader.description == wins


def test_no_unseen_rows_no_challenger(bench, monkeypatch) -> None:
    old, new = candidate("old"), candidate("new")
    monkeypatch.setattr(racing, "race", lambda bench, found: (found[-1], []))
    monkeypatch.setattr(racing, "compare_unseen", lambda bench, a, b: None)
    rung = SimpleNamespace(STAGES=(lambda c, top: [old],), CHALLENGERS=(lambda c, top: [new],))
    assert race_rung(bench, rung)[0] == old


def test_rows_that_are_shown_prove_nothing(bench) -> None:
    shown = bench.data.train[0].id
    rows = proving.proving_rows(bench.evaluator, candidate("a", shots=(shown,)), candidate("b"))
    assert shown not in {row.id for row in rows}
    held = {row.id for row in (*bench.data.dev, *bench.data.gate, *bench.data.sealed)}
    assert rows
    assert not held & {row.id for row in rows}
