"""A climbed classifier: its probabilities, by answers that it gave, stand on the attempt."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from benches import bench_over, task_with
from conftest import train_head
from replayed import GivenRung

from ladder.climb.attempt import attempt_rung
from ladder.evaluation.control import control_calibration
from ladder.evidence import Attempt, Candidate
from ladder.report.attempt import result_blocks
from ladder.report.blocks import Figure, Paragraph
from ladder.report.calibrated import calibration_blocks
from ladder.samples.data import Data
from ladder.samples.rows import Sample

LABELS = ("bread", "cake", "pie")


def rows(prefix: str, count: int, seed: int) -> tuple[Sample, ...]:
    """Return rows of which one in six names two things."""
    draw = Random(seed)
    found = []
    for at in range(count):
        label, other = draw.sample(LABELS, 2)
        also = f" and {other}" if at % 6 == 0 else ""
        text = f"{draw.randrange(10_000)} {label}{also} please"
        found.append(Sample(id=f"{prefix}{at}", input=text, target=label))
    return tuple(found)


@pytest.mark.slow
def test_a_classifiers_probabilities_are_calibrated_and_certified_and_shown(tmp_path: Path) -> None:
    train = rows("t", 60, 1)
    train_head(tmp_path / "head", [row.input for row in train], [row.target for row in train])
    data = Data(train, rows("d", 120, 2), rows("g", 200, 3), (), labels=LABELS)
    bench = bench_over(task_with(answer={"type": "label", "labels": LABELS}), data, tmp_path)
    student = Candidate(
        rung="distill", description="linear", model=f"head:{tmp_path / 'head'}", decoding="free"
    )
    attempt, scores = attempt_rung(bench, GivenRung("distill", [student]), every=True)
    found = attempt.calibration
    assert found is not None
    assert (found.dev_rows, found.before.n, found.without) == (120, len(scores), 0)
    assert found.after.brier.mean <= found.before.brier.mean
    assert found.abstention.verdict in ("pass", "undecided")
    assert found.abstention.wrong is not None
    assert found.abstention.wrong.mean <= 0.05
    blocks = list(result_blocks(attempt, [attempt]))
    said = " ".join(str(line) for b in blocks if isinstance(b, Paragraph) for line in b.lines)
    assert "Probabilities of the answers" in said
    assert "held on the eval set" in said or "neither proven nor refuted" in said
    figures = [block for block in blocks if isinstance(block, Figure)]
    assert [figure for figure in figures if "<svg" in figure.draw(4.0)]
    again = Attempt.model_validate_json(attempt.model_dump_json())
    assert again == attempt


def test_the_linear_controls_probabilities_are_calibrated_and_shown(tmp_path: Path) -> None:
    data = Data(rows("t", 60, 1), rows("d", 120, 2), rows("g", 200, 3), (), labels=LABELS)
    task = task_with(answer={"type": "label", "labels": LABELS})
    bench = bench_over(task, data, tmp_path)
    found = control_calibration(bench.evaluator)
    assert found is not None
    assert (found.dev_rows, found.before.n, found.without) == (120, 200, 0)
    assert found.before.bins
    assert found.after.brier.mean <= found.before.brier.mean
    assert control_calibration(bench.evaluator) == found, "answers and chances are kept"
    said = " ".join(str(b.lines) for b in calibration_blocks(found, "its") if hasattr(b, "lines"))
    assert "Probabilities of its answers" in said


def test_without_labels_or_dev_rows_the_control_has_none(tmp_path: Path) -> None:
    task = task_with(answer={"type": "label", "labels": LABELS})
    data = Data(rows("t", 60, 1), (), rows("g", 200, 3), (), labels=LABELS)
    assert control_calibration(bench_over(task, data, tmp_path).evaluator) is None
