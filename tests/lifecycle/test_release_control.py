"""A release check where a side answers without a language model, and limits beside the score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from benches import saying
from engines.faulty_server import FaultyServer, Seen, Step
from lifecycle.two_systems import KINDS, LABELS, knows, plan_of, row, write_task

from ladder.climb.opening import open_bench
from ladder.errors import TaskError
from ladder.evaluation.control import measure_control
from ladder.evidence import ReleaseRecord
from ladder.lifecycle.plan import make_control_plan
from ladder.lifecycle.release import Terms, check_release, releases_so_far
from ladder.progress import Quiet
from ladder.task import load_task

WAY = "TF-IDF + logistic regression"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A model that knows the answers."""
    with saying(lambda seen: knows(seen.question)) as found:
        yield found


def task_in(folder: Path, url: str, *, rows: int = 300, turned: int = 0, **more: object) -> Path:
    """Write a task with 60 training examples, of which some bear the other label."""
    folder.mkdir(exist_ok=True)
    examples = [row(number) for number in range(10_000, 10_060)]
    for at in range(turned):
        wrong = LABELS[1 - LABELS.index(examples[at]["target"])]
        examples[at] = {**examples[at], "target": wrong}
    lines = (json.dumps(each) for each in examples)
    (folder / "train.jsonl").write_text("".join(f"{line}\n" for line in lines))
    data = {"train": "train.jsonl", "test": "test.jsonl"}
    return write_task(folder, url, rows, data=data, **more)


def plan_of_control(task: Path, runs: str) -> Path:
    """The plan that an assessment leaves whose answer is the control."""
    bench = open_bench(load_task(task), task.parent / runs, Quiet())
    found, _ = measure_control(bench.evaluator)
    assert found is not None
    [line] = [each for each in found.lines if each.name == WAY]
    bench.folder.mkdir(parents=True)
    path = bench.folder / "revalidation.yaml"
    path.write_text(make_control_plan(bench, line, line.score), encoding="utf-8")
    bench.evaluator.models.cache.close()
    return path


def checked(candidate: Path, champion: Path, **terms: object) -> ReleaseRecord:
    return check_release(candidate, champion, Quiet(), Terms(**terms))


def why_unmeasured(found: ReleaseRecord) -> dict[str, str]:
    return {one.what: one.why for one in found.unmeasured}


@pytest.mark.slow
def test_two_controls_are_compared_and_no_model_is_asked(
    tmp_path: Path, server: FaultyServer
) -> None:
    champion = plan_of_control(task_in(tmp_path / "old", server.url), "runs")
    dearer = {"usd_per_hour": 1.0}  # in one second, two plans of one task are the same file
    candidate = plan_of_control(task_in(tmp_path / "new", server.url, hardware=dearer), "runs")
    found = checked(candidate, champion)
    assert found.passed, found.refusals
    assert [check.name for check in found.checks] == ["all", *KINDS]
    assert (found.forgetting, found.calibration) == ((), {})
    assert why_unmeasured(found)["forgetting"] == "the candidate reads no instructions"
    assert [limit.limit for limit in found.limits] == ["max_error_rate"]
    assert len(releases_so_far(candidate)) == 1
    assert server.seen == []


def test_a_control_that_learnt_from_wrong_labels_is_refused(
    tmp_path: Path, server: FaultyServer
) -> None:
    champion = plan_of_control(task_in(tmp_path / "old", server.url), "runs")
    candidate = plan_of_control(task_in(tmp_path / "new", server.url, turned=60), "runs")
    found = checked(candidate, champion)
    assert found.refusals == ("all", *KINDS)
    assert found.sides["champion"].score.mean > 0.9 > 0.1 > found.sides["candidate"].score.mean
    assert found.regressions[0].champion == found.regressions[0].target


@pytest.mark.slow
def test_a_control_and_a_model_are_compared_both_ways(tmp_path: Path, server: FaultyServer) -> None:
    task = task_in(tmp_path / "job", server.url)
    control = plan_of_control(task, "runs")
    model = plan_of(task, str(load_task(task).models.base), "model")
    found = checked(control, model)
    assert found.passed, found.refusals
    assert why_unmeasured(found)["forgetting"] == "the candidate reads no instructions"
    found = checked(model, control)
    assert found.passed, found.refusals
    assert why_unmeasured(found)["forgetting"] == "the champion reads no instructions"
    with pytest.raises(TaskError, match="a control without a model"):
        checked(model, control, also=(model,))


def limited(plan: Path, **limits: float) -> None:
    """Certify a plan with limits of its gate."""
    values = yaml.safe_load(plan.read_text())
    plan.write_text(yaml.safe_dump({**values, "gate": {**values["gate"], **limits}}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "refusals"),
    [({"max_p95_ms": 60_000.0, "max_cost_usd_per_1k": 50.0}, ()),
     ({"max_p95_ms": 1e-4, "max_cost_usd_per_1k": 1e-12}, ("max_p95_ms", "max_cost_usd_per_1k"))],
)  # fmt: skip
def test_a_control_is_held_to_the_limits_of_both_gates(
    tmp_path: Path, server: FaultyServer, limits: dict[str, float], refusals: tuple[str, ...]
) -> None:
    task = task_in(tmp_path / "job", server.url, hardware={"usd_per_hour": 1.0})
    champion, candidate = (plan_of_control(task, runs) for runs in ("old", "new"))
    limited(champion, **limits)
    found = checked(candidate, champion)
    assert found.refusals == refusals
    assert {limit.limit for limit in found.limits} == {"max_error_rate", *limits}
    assert all(limit.got is not None for limit in found.limits)


@pytest.mark.slow
def test_a_model_that_is_slower_than_the_limit_is_refused(
    tmp_path: Path, server: FaultyServer
) -> None:
    """The candidate takes 80 ms and more for each answer; the champion's gate allows 40."""
    task, at_once = task_in(tmp_path / "job", server.url, rows=150), server.script
    models = load_task(task).models
    champion, candidate = (
        plan_of(task, str(model), runs)
        for model, runs in ((models.base, "old"), (models.student, "new"))
    )

    def late(seen: Seen) -> Step:
        return replace(at_once(seen), delay_s=0.08 if seen.payload["model"] == "new" else 0.0)

    server.script = late
    limited(champion, max_p95_ms=40.0, max_cost_usd_per_1k=1.0)
    found = checked(candidate, champion, slices_from=59)
    assert found.refusals == ("max_p95_ms",)
    [limit] = [each for each in found.limits if each.limit == "max_p95_ms"]
    assert limit.wanted == 40
    assert limit.got is not None
    assert limit.got > 80
    side = found.sides["candidate"]
    assert (side.p95_ms, side.usd_per_1k) == (limit.got, pytest.approx(0.014))
    limited(champion, max_p95_ms=30_000.0)
    assert checked(candidate, champion, slices_from=59).passed
