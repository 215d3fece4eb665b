"""What was measured so far: whose share of the error goes to the next system."""

from __future__ import annotations

import pytest

from ladder.evidence import Attempt, Control, LimitVerdict, Verdict
from ladder.gate.budget import budget_of
from ladder.gate.looks import judge_in_looks, looks
from ladder.rungs.protocol import History
from ladder.task import GateLimits

GATE = GateLimits(min_score=0.8)


def judged(right: int) -> Verdict:
    """Return the verdict on a system that has every tenth row, or two of them, … right."""
    scores = [float(at % 10 < right) for at in range(200)]
    budget = budget_of(GATE, 4)
    found, _ = judge_in_looks(lambda n: (scores[:n], None), looks(200), GATE.min_score, budget)
    return Verdict(status=found.verdict, limits=(found,))


HOPELESS, NEAR, GOOD = judged(1), judged(7), judged(10)
SKIPPED = None


def test_only_what_fails_clearly_is_clear() -> None:
    words = [(verdict.status, verdict.limits[0].clear) for verdict in (HOPELESS, NEAR, GOOD)]
    assert words == [("fail", True), ("fail", False), ("pass", False)]


@pytest.mark.parametrize(
    ("control", "verdicts", "many"),
    [
        (None, [], 0),
        (HOPELESS, [], 1),
        (NEAR, [], 0),
        (None, [HOPELESS], 1),
        (HOPELESS, [HOPELESS, HOPELESS], 3),
        (HOPELESS, [HOPELESS, NEAR], 0),
        (HOPELESS, [NEAR, HOPELESS], 1),
        (HOPELESS, [SKIPPED], 0),
        (HOPELESS, [SKIPPED, HOPELESS], 1),
    ],
)
def test_who_failed_clearly_in_a_row_up_to_the_last_is_counted(control, verdicts, many):
    history = History(control=Control(lines=(), verdict=control))
    for verdict in verdicts:
        status = "failed" if verdict else "skipped"
        history.add(Attempt(rung="prompt", status=status, verdict=verdict))
    assert history.failed_clearly == many


def test_a_latency_that_fails_hands_nothing_on() -> None:
    late = LimitVerdict(limit="max_p95_ms", wanted=1, got=9, distance=-8, verdict="fail")
    history = History()
    history.add(
        Attempt(rung="rag", status="failed", verdict=Verdict(status="fail", limits=(late,)))
    )
    assert history.failed_clearly == 0
