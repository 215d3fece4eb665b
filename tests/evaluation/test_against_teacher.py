"""A student beside its teacher."""

from __future__ import annotations

from pathlib import Path

import pytest
from students import task_in

from ladder.climb.opening import open_bench
from ladder.evaluation.against_teacher import beside, over_control
from ladder.evidence import Estimate, Latency, Measurement, TokenUse
from ladder.progress import Quiet


def measured(mean: float, cost: float | None, p50: float) -> Measurement:
    latency = Latency(p50=p50, p95=p50, p99=p50, n=20)
    return Measurement(
        score=Estimate(mean=mean, low=0, high=1, n=50), cost_usd_per_1k=cost,
        latency_ms=latency, tokens=TokenUse(input_mean=1, output_mean=1),
    )  # fmt: skip


def test_what_is_kept_counts_the_rows_that_both_answered(tmp_path: Path) -> None:
    bench = open_bench(task_in(tmp_path), tmp_path / "runs", Quiet())
    rows = [sample.id for sample in bench.data.gate]
    assert len(rows) > 10
    teacher = {row: float(at % 5 != 0) for at, row in enumerate(rows[:10])}
    student = {row: float(at % 5 != 0 and at != 1) for at, row in enumerate(rows)}
    found = beside(
        bench.evaluator,
        "rag",
        (measured(0.7, 0.01, 2.0), student),
        (measured(0.8, 0.5, 90.0), teacher),
        None,
    )
    assert found is not None
    assert (found.teacher, found.n) == ("rag", 10)
    assert found.kept == pytest.approx(7 / 8)
    assert found.low < found.kept < found.high
    assert found.cheaper == pytest.approx(50)
    assert found.faster == pytest.approx(45)
    unpriced = beside(
        bench.evaluator,
        "rag",
        (measured(0.7, 0.01, 2.0), student),
        (measured(0.8, None, 90.0), teacher),
        None,
    )
    assert unpriced is not None
    assert unpriced.cheaper is None
    nothing = dict.fromkeys(teacher, 0.0)
    both = (measured(0.7, 0.01, 2.0), student), (measured(0.0, 0.5, 90.0), nothing)
    assert beside(bench.evaluator, "rag", *both, None) is None


@pytest.mark.parametrize(
    ("control_right", "claim", "worth_having"),
    [
        (range(20), "better", True),  # 20 more right, none fewer: p = 2e-6
        (range(36), "no difference proven", False),  # 4 more right, none fewer: p = 0.125
        (range(15, 55), "no difference proven", False),  # 15 each
        (range(60), "worse", False),
    ],
)
def test_a_teacher_is_worth_having_where_it_is_proven_above_the_control(
    tmp_path: Path, control_right: range, claim: str, worth_having: bool
) -> None:
    bench = open_bench(task_in(tmp_path), tmp_path / "runs", Quiet())
    rows = [f"row {at}" for at in range(60)]
    teacher = {row: float(at < 40) for at, row in enumerate(rows)}
    control = {row: float(at in control_right) for at, row in enumerate(rows)}
    over = over_control(bench.evaluator, "distill", teacher, control)
    assert over is not None
    assert (over.other, over.claim, over.n) == ("control", claim, 60)
    both = (measured(0.7, 0.01, 2.0), teacher), (measured(0.7, 0.5, 90.0), teacher)
    found = beside(bench.evaluator, "x", *both, over)
    assert found is not None
    assert found.worth_having is worth_having


def test_without_a_control_no_teacher_is_worth_having(tmp_path: Path) -> None:
    bench = open_bench(task_in(tmp_path), tmp_path / "runs", Quiet())
    right = {"a": 1.0, "b": 0.0}
    assert over_control(bench.evaluator, "distill", right, {}) is None
    both = (measured(0.5, 0.01, 2.0), right), (measured(0.5, 0.5, 90.0), right)
    found = beside(bench.evaluator, "x", *both, None)
    assert found is not None
    assert not found.worth_having
