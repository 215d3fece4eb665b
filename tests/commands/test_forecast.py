"""The dry run: it counts what a climb asks, and asks and trains nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from ladder.climb.dry_run import EFFICIENCY, DryEngine, DryTrainer, dry_run
from ladder.commands.forecast import forecast
from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.speed import Speed
from ladder.errors import DataError, TaskError
from ladder.evidence import Asked
from ladder.progress import Quiet
from ladder.rungs import r1_prompt
from ladder.task import Prices, Task, load_task

pytestmark = pytest.mark.slow  # each makes or climbs something real, and takes seconds

SOURCE = ROOT / "evalsets/r1_guest_feedback"
SPEED = Speed(read=1000, write=100, read_alone=500, write_alone=10)


def task_in(folder: Path, **more: object) -> Task:
    """Return r1's task with other values, read from r1's rows."""
    values = yaml.safe_load((SOURCE / "task.yaml").read_text())
    (folder / "task.yaml").write_text(yaml.safe_dump({**values, **more}))
    return load_task(folder / "task.yaml", SOURCE)


@pytest.fixture
def absent(tmp_path, monkeypatch) -> Path:
    """A user's cache without the converted model: nothing may be loaded to guess."""
    monkeypatch.setenv("LADDER_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_every_rung_has_its_figures_and_nothing_is_made(absent):
    _, found = dry_run(task_in(absent), absent / "runs", Quiet())
    assert list(found) == ["prompt", "rag", "lora", "distill", "diagnosis", "test set"]
    for spent in found.values():
        assert isinstance(spent, Asked)
        assert spent.calls >= 100
        assert spent.tokens > 10 * spent.calls
        assert spent.seconds > 0
        assert spent.usd > 0
    assert not (absent / "cache").exists()
    assert not list((absent / "runs").glob("artefacts/*"))


def test_the_same_dry_run_gives_the_same_figures(absent, monkeypatch):
    """With as many deals: on a busy machine fewer fit into the time that a person waits."""
    monkeypatch.setattr("ladder.climb.dry_run.PATIENCE", 600)
    task = task_in(absent)
    first, again = (dry_run(task, absent / "runs", Quiet(), until="rag")[1] for _ in range(2))
    assert first == again
    assert list(first) == ["prompt", "rag", "diagnosis", "test set"]


def test_the_total_is_the_sum_of_its_lines(absent):
    text = forecast(task_in(absent, rungs=["prompt"]), absent / "runs", Quiet(), until=None)
    named = ("prompt", "diagnosis", "test-set", "all")
    calls = {
        words[0]: int(words[1].replace(",", ""))
        for line in text.splitlines()[2:]
        if (words := line.replace("in all", "all").replace("test set", "test-set").split())[0]
        in named
    }
    parts = calls["prompt"], calls["diagnosis"], calls["test-set"]
    assert calls["all"] == sum(parts)
    assert min(parts) > 0


def test_candidates_differ_so_a_race_drops_some_early(absent, monkeypatch):
    """All as good as each other, they would all be asked about every row of each round."""
    task = task_in(absent, rungs=["prompt"])
    _, differing = dry_run(task, absent / "runs", Quiet())
    monkeypatch.setattr("ladder.selection.race.CLEARLY_BEHIND", 1e9)
    _, kept = dry_run(task, absent / "runs", Quiet())
    assert isinstance(differing["prompt"], Asked)
    assert isinstance(kept["prompt"], Asked)
    assert differing["prompt"].calls < kept["prompt"].calls


def test_an_encoder_that_would_be_trained_is_counted(absent, monkeypatch):
    """Drawn answers stand in no input: whether fields can be copied is known from the rows."""
    rows = [
        {"input": f"A table at hall{at}, please", "target": json.dumps({"place": f"hall{at}"})}
        for at in range(120)
    ]
    (absent / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    task = task_in(
        absent,
        data={"examples": str(absent / "rows.jsonl")},
        answer={"type": "json"},
        score="json_fields",
        rungs=["prompt", "distill"],
    )
    trained: list[str] = []
    train = DryTrainer.train

    def spy(self, recipe, *rest):
        trained.append(recipe.name)
        return train(self, recipe, *rest)

    monkeypatch.setattr(DryTrainer, "train", spy)
    dry_run(task, absent / "runs", Quiet())
    assert "student_encoder" in trained


def test_an_endpoint_is_priced_and_not_asked(absent):
    task = task_in(
        absent,
        models={"base": "openai:any@https://example.invalid/v1"},
        prices={"input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0},
        rules={"data_may_leave": True},
    )
    _, found = dry_run(task, absent / "runs", Quiet())
    prompt = found["prompt"]
    assert isinstance(prompt, Asked)
    assert prompt.usd == pytest.approx(prompt.tokens / 1e6, abs=1e-6)  # tokens are rounded
    dearer = task.model_copy(update={"prices": Prices(input_usd_per_1m=1, output_usd_per_1m=5)})
    again = dry_run(dearer, absent / "runs", Quiet())[1]["prompt"]
    assert isinstance(again, Asked)
    assert again.usd > 1.1 * prompt.usd
    assert "endpoint" in str(found["lora"])


def test_rows_that_may_not_leave_are_not_even_reckoned_with(absent):
    task = task_in(absent, models={"base": "openai:any@https://example.invalid/v1"})
    with pytest.raises(TaskError, match="data_may_leave"):
        dry_run(task, absent / "runs", Quiet())


def test_a_judge_is_asked_about_graded_answers_and_the_control(absent):
    rows = [
        {"input": f"question {at}", "answer": "yes", "human": at % 2, "target": "yes"}
        for at in range(40)
    ]
    (absent / "graded.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    data = {"train": "train.jsonl", "test": "test.jsonl", "graded": "graded.jsonl"}
    task = task_in(absent, data=data, score={"judge": {"rubric": "right"}}, rungs=["prompt"])
    _, found = dry_run(task, absent / "runs", Quiet())
    assert list(found) == ["judge", "prompt", "test set"]
    assert isinstance(found["judge"], Asked)
    assert found["judge"].calls > 100


def test_votes_and_rewrites_are_counted_at_their_most(absent, monkeypatch):
    """Drawn answers differ, so a vote takes all it may."""
    task = task_in(absent, answer={"type": "json"}, score="json_fields", rungs=["prompt"])
    _, both = dry_run(task, absent / "runs", Quiet())
    monkeypatch.setattr(r1_prompt, "CHALLENGERS", ())
    _, plain = dry_run(task, absent / "runs", Quiet())
    assert isinstance(plain["prompt"], Asked)
    assert isinstance(both["prompt"], Asked)
    assert both["prompt"].calls > plain["prompt"].calls + 4 * 16
    assert both["prompt"].tokens > plain["prompt"].tokens


def test_a_gate_that_the_rows_cannot_prove_is_refused(absent):
    gate = {"min_score": 0.99}
    with pytest.raises(DataError, match=r"too few to prove 0\.99"):
        dry_run(task_in(absent, gate=gate), absent / "runs", Quiet())
    undecided = task_in(absent, gate={**gate, "when_undecided": "stop"})
    _, found = dry_run(undecided, absent / "runs", Quiet(), until="prompt")
    assert "prompt" in found


class Words:
    """An engine that counts words."""

    abilities = Abilities(plain=True, scores_choices=True)

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def test_a_shared_prefix_is_read_once():
    engine = DryEngine("w", Words(), SPEED, ["yes"])
    requests = [Request(text=f"{'same ' * 90}{word}", max_tokens=10) for word in ("a", "b", "c")]
    answers: list[Completion] = [completion for _, completion in engine.complete(requests)]
    assert [answer.tokens_in for answer in answers] == [91, 91, 91]
    assert [answer.tokens_out for answer in answers] == [6, 6, 6]
    assert sum(answer.seconds for answer in answers) == pytest.approx(
        ((90 + 3) / 1000 + 3 * 6 / 100) / EFFICIENCY
    )
