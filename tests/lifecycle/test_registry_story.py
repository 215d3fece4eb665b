"""Two certified prompts on the bundled model: promoted, rehearsed, rolled back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from assessments import assessment, estimate, record
from runs_made import checked

from ladder.climb.kept import keep_outcomes
from ladder.climb.opening import open_bench
from ladder.evaluation.measure import measure
from ladder.evidence import Attempt, Candidate, Rehearsed
from ladder.lifecycle.plan import make_plan
from ladder.lifecycle.promotion import Wish, promote
from ladder.lifecycle.registry import read_registry
from ladder.progress import Quiet
from ladder.rungs import LADDER
from ladder.task import load_task

pytestmark = pytest.mark.slow
PROMPT = LADDER[0]


def certified(task: Path, runs: Path, candidate: Candidate) -> Path:
    """Measure a candidate, keep its answers, and leave the files of a run that was confirmed."""
    bench = open_bench(load_task(task), runs, Quiet())
    measurement, _, outcomes = measure(bench.evaluator, candidate, bench.data.gate, all_rows=True)
    bench.folder.mkdir(parents=True)
    keep_outcomes(bench, PROMPT.NAME, candidate, outcomes)
    chosen = Attempt(rung="prompt", status="passed", candidate=candidate, measurement=measurement)
    confirmed = estimate(0.84, 150)
    (bench.folder / "revalidation.yaml").write_text(make_plan(bench, chosen, confirmed))
    found = assessment(task=record(name=bench.task.name))
    (bench.folder / "assessment.json").write_text(found.model_dump_json())
    bench.evaluator.models.cache.close()
    return bench.folder


@pytest.fixture
def runs(tmp_path: Path, smollm: Path) -> Path:
    """One run below another in production, on real answers of the bundled model."""
    things = {"bread": ["loaf", "baguette", "roll"], "cake": ["muffin", "tart", "eclair"]}
    rows = [
        {"input": f"{count} {thing}s, order number {count * 7919 % 1000}", "target": label}
        for label, names in things.items()
        for thing in names
        for count in range(2, 17)
    ]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "task.yaml").write_text(
        "name: bread\ngoal: Sort the orders.\ndata: {test: test.jsonl}\n"
        "answer: {type: label, labels: [bread, cake]}\nscore: exact_match\n"
        "gate: {min_score: 0.1}\nmodels: {base: 'bundled:smollm2-135m'}\n"
    )
    runs = tmp_path / "runs"
    first, second = (
        certified(
            tmp_path / "task.yaml",
            runs,
            Candidate(rung="prompt", description=word, model="bundled:smollm2-135m",
                      wording=(word, "Label"), decoding="scored"),
        )
        for word in ("Text", "Review")
    )  # fmt: skip
    promote(first, Wish())
    checked(second, first)
    promote(second, Wish())
    return runs


def test_promoted_rehearsed_and_rolled_back(runs: Path, ladder) -> None:
    registry = ("--registry", runs / "registry.jsonl")
    [first, second] = sorted((runs / "bread").iterdir())
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}

    said = ladder("rollback", "bread", "--rehearse", *registry)
    assert said.code == 0, said.errors
    assert "20 eval examples answered, 20 as they were kept" in said.out
    assert "can be rolled back to" in said.out
    rehearsed = read_registry(runs / "registry.jsonl").entries[-1]
    assert isinstance(rehearsed, Rehearsed)
    assert (rehearsed.rows, rehearsed.same) == (20, 20)
    assert rehearsed.score_now == rehearsed.score_then
    for path, content in before.items():  # nothing else has changed, and nothing was left
        assert path.name == "registry.jsonl" or path.read_bytes() == content
    assert {path for path in runs.rglob("*") if path.is_file()} <= {
        *before, runs / ".ladder.lock",
    }  # fmt: skip
    assert f"before: bread/{first.name}, rehearsed" in ladder("models", *registry).out

    said = ladder("rollback", "bread", *registry)
    assert said.code == 0, said.errors
    assert "never rehearsed" not in said.out
    [shown] = json.loads(ladder("models", "--json", *registry).out)["models"].values()
    assert (shown["run"], shown["kind"]) == (f"bread/{first.name}", "rolled back")
    assert second.is_dir()

    checked(second, first, at="2026-11-01T00:00:00+00:00")
    promote(second, Wish())
    relabelled(runs.parent / "test.jsonl")
    said = ladder("rollback", "bread", "--rehearse", *registry)
    assert said.code == 1
    assert "answers score less than they did" in said.out
    assert "Do not rely on it." in said.out


def relabelled(path: Path) -> None:
    """Swap the labels of all rows: what is answered now is wrong where it was right."""
    other = {"bread": "cake", "cake": "bread"}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    swapped = [{**row, "target": other[row["target"]]} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in swapped))
