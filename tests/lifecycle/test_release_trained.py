"""A LoRA adapter that was trained to forget, beside the base that it was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import yaml
from trained import write_plan

from ladder.climb.opening import open_bench
from ladder.evaluation.measure import measure
from ladder.evidence import Candidate
from ladder.lifecycle.release import Terms, check_release
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.task import load_task
from ladder.training.launch import train
from ladder.training.recipes import find_recipe
from ladder.training.rows import plain_candidate, training_rows

LABELS = ("bread", "cake")
STEPS, BATCH, RATE = 24, 4, 1e-2
"""A rate ten times the recipe's: it learns two words, and little else is left."""


def row(number: int) -> dict[str, str]:
    draw = Random(number)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(3)]
    label = LABELS[number % 2]
    return {"input": f"{words[0]} {label} {words[1]} {words[2]}", "target": label}


def write_job(folder: Path) -> Path:
    for name, numbers in (("train", range(100)), ("test", range(1_000, 1_140))):
        lines = "".join(json.dumps(row(number)) + "\n" for number in numbers)
        (folder / f"{name}.jsonl").write_text(lines)
    values = {
        "name": "shop", "goal": "Name the thing.", "score": "exact_match",
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "answer": {"type": "label", "labels": list(LABELS)}, "gate": {"min_score": 0.1},
    }  # fmt: skip
    (folder / "task.yaml").write_text(yaml.safe_dump(values))
    return folder / "task.yaml"


def certified(bench: Bench, candidate: Candidate) -> Path:
    measurement, _, _ = measure(bench.evaluator, candidate, bench.data.gate, all_rows=True)
    return write_plan(bench, candidate, measurement)


@pytest.mark.slow
@pytest.mark.long
def test_an_adapter_that_forgets_is_refused_with_the_prompts_it_lost(
    smollm: Path, tmp_path: Path
) -> None:
    task = load_task(write_job(tmp_path))
    bench = open_bench(task, tmp_path / "old", Quiet())
    prompted = plain_candidate(bench.evaluator, "prompt").but(description="prompt")
    answered = [(sample, sample.target) for sample in bench.data.train]
    rows = training_rows(bench.evaluator, prompted, answered)
    settings = {
        "learning_rate": f"{RATE}", "max_steps": f"{STEPS}", "warmup_steps": "0",
        "per_device_train_batch_size": f"{BATCH}", "lr_scheduler_type": "constant",
    }  # fmt: skip
    recipe = find_recipe("lora", tmp_path)
    build = train(recipe, smollm, rows, tmp_path / "artefacts", Quiet(), settings)
    champion = certified(bench, prompted)
    adapted = prompted.but(rung="lora", description="adapter", adapter=build.folder, build=build)
    candidate = certified(open_bench(task, tmp_path / "new", Quiet()), adapted)

    found = check_release(candidate, champion, Quiet(), Terms(margin=0.1))
    print(found.model_dump_json(indent=1))
    assert not found.passed
    assert "forgetting" in found.refusals
    beside_champion, beside_base = found.forgetting
    assert (beside_champion.against, beside_base.against) == ("champion", "base")
    assert beside_champion.before == beside_base.before >= 8  # one model under both
    assert beside_champion.p_worse < 0.05
    assert len(beside_champion.lost) >= 5
    assert not beside_base.check.decides
    assert found.calibration.keys() == {"champion", "candidate"}

    anew = certified(open_bench(task, tmp_path / "anew", Quiet()), adapted)
    same = check_release(anew, candidate, Quiet(), Terms(margin=0.1))
    assert same.passed, same.refusals
    assert same.unmeasured[0].what == "a difference"
    assert same.forgetting[0].lost == ()
    assert same.forgetting[1].lost == beside_base.lost  # told, though it does not decide
