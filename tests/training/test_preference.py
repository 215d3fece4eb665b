"""The preference programs: what they refuse, what they measure, and that they change the model."""

from __future__ import annotations

import importlib
import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT, ladder
from training.programs import largest_change, started

sys.path.insert(0, str(ROOT / "recipes"))
preference = importlib.import_module("preference")

PAIRS = [
    {"prompt": f"Q{at} {'word ' * (at % 5)}\nA:", "chosen": " yes please\n", "rejected": " no\n"}
    for at in range(30)
]
GRADED = [
    {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
    for row in PAIRS
    for side in ("chosen", "rejected")
]
CHAT = [
    {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        **{k: [{"role": "assistant", "content": row[k].strip()}] for k in ("chosen", "rejected")},
    }
    for row in PAIRS
]


# Held-out rows and the metric


def test_all_rows_of_a_prompt_go_one_way_and_the_same_ones_in_any_order() -> None:
    learnt, held_out = preference.hold_out(GRADED)
    assert len(held_out) == 2 * 3
    assert not {row["prompt"] for row in learnt} & {row["prompt"] for row in held_out}
    again = preference.hold_out(GRADED[::-1])[1]
    assert {row["prompt"] for row in again} == {row["prompt"] for row in held_out}


def test_held_out_rows_have_one_of_each_kind() -> None:
    rows = [{"prompt": str(at), "label": at == 7} for at in range(40)]
    _, held_out = preference.hold_out(rows, lambda row: row["label"])
    assert {row["label"] for row in held_out} == {True, False}


def test_too_few_prompts_end_the_program() -> None:
    with pytest.raises(SystemExit, match="9 prompts are too few: 10 at least"):
        preference.hold_out(PAIRS[:9])


def test_a_pair_of_equal_texts_is_named_by_its_line() -> None:
    rows = [PAIRS[0], {**PAIRS[1], "rejected": PAIRS[1]["chosen"]}]
    with pytest.raises(SystemExit, match="line 2: `chosen` and `rejected` are the same text"):
        preference.refuse_equal(rows, "pairs.jsonl")


def test_what_the_record_says_of_margins() -> None:
    found = preference.compared([-1.0, 0.0, 2.0, -3.0], [1.0, 1.0, 1.0, -2.0])
    assert (found["before"], found["after"], found["held_out"]) == (0.375, 0.75, 4)
    assert (found["margin_before"], found["margin_after"]) == (-0.5, 0.25)
    assert found["reward_accuracy"] == 0.75  # three margins grew


def test_couples_of_kto_are_of_one_prompt_where_there_are_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kto = importlib.import_module("kto")
    monkeypatch.setattr(kto, "log_probabilities", lambda *_, **__: [-1.0, -3.0, -2.0, -2.5])
    rows = [
        {"prompt": prompt, "completion": "x", "label": label}
        for prompt, label in [("a", True), ("a", False), ("b", True), ("c", False)]
    ]
    assert kto.margins(None, rows) == [2.0]
    alone = [{**row, "prompt": str(at)} for at, row in enumerate(rows)]
    assert sorted(kto.margins(None, alone)) == [0.5, 1.0, 1.5, 2.0]


# What the programs refuse

NO_REJECTED = [{k: v for k, v in r.items() if k != "rejected"} for r in PAIRS]
EQUAL = [*PAIRS, {**PAIRS[0], "rejected": PAIRS[0]["chosen"]}]
WANTED, UNWANTED = ([r for r in GRADED if r["label"] == label] for label in (True, False))


@pytest.mark.parametrize(
    ("name", "rows", "why"),
    [
        pytest.param("dpo", EQUAL, "line 31: `chosen` and", marks=pytest.mark.slow),
        pytest.param("orpo", NO_REJECTED, "no `rejected`", marks=pytest.mark.long),
        pytest.param("kto", WANTED, "add rows with `label: false`", marks=pytest.mark.slow),
        pytest.param("dpo", NO_REJECTED, "no `rejected`", marks=pytest.mark.long),
        pytest.param("kto", UNWANTED, "add rows with `label: true`", marks=pytest.mark.long),
        pytest.param("kto", PAIRS, "no `completion`", marks=pytest.mark.long),
    ],
)
def test_rows_that_no_preference_can_be_learnt_from(
    name: str, rows: list[dict[str, Any]], why: str, tiny: Path, tmp_path: Path
) -> None:
    done = started(name, rows, tiny, tmp_path / "out")
    assert done.returncode == 1
    assert why in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "out" / "training.json").exists()


# What they do


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("dpo", PAIRS),
        pytest.param("dpo", CHAT, marks=pytest.mark.long),
        pytest.param("orpo", PAIRS, marks=pytest.mark.long),
        pytest.param("orpo", CHAT, marks=pytest.mark.long),
        ("kto", GRADED),
    ],
    ids=["dpo", "dpo-chat", "orpo", "orpo-chat", "kto"],
)
def test_a_program_moves_its_metric_and_its_artefact_changes_the_logits(
    name: str, rows: list[dict[str, Any]], tiny: Path, tmp_path: Path
) -> None:
    done = started(name, rows, tiny, tmp_path / "out", "--num_train_epochs", "4")
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert (record["metric"], record["held_out"]) == ("preference_accuracy", 3)
    assert record["margin_after"] > record["margin_before"] + 0.2
    assert record["reward_accuracy"] == 1.0
    assert record["tokens"] > 0
    assert record["rows"] == len(rows) * 27 / 30
    assert largest_change(tiny, tmp_path / "out") > 1e-3


@pytest.mark.long
def test_a_killed_run_compares_with_the_base_and_not_with_its_checkpoint(
    tiny: Path, tmp_path: Path
) -> None:
    whole = started("dpo", PAIRS, tiny, tmp_path / "whole", "--save_steps", "2")
    assert whole.returncode == 0
    killed = [*("--save_steps", "2", "--save_total_limit", "9"), "--num_train_epochs", "1"]
    stub = tmp_path / "dies.py"
    stub.write_text(
        "import sys, os\nsys.path.insert(0, sys.argv.pop(1))\nimport dpo, running\n"
        "write = running.Progress.write\n"
        "def dies(self, step, *rest):\n    write(self, step, *rest)\n"
        "    if step == 3: os._exit(9)\n"
        "running.Progress.write = dies\ndpo.main()\n"
    )
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in PAIRS))
    words = ["--config", ROOT / "recipes/dpo.yaml", "--model_name_or_path", tiny]
    words += ["--train_file", folder / "rows.jsonl", "--output_dir", folder]
    words += ["--learning_rate", "1e-2", "--max_length", "200", *killed]
    died = subprocess.run([sys.executable, stub, ROOT / "recipes", *words], check=False)
    assert died.returncode == 9
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-2"]
    done = started("dpo", PAIRS, tiny, folder, *killed)
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (
        json.loads((each / "training.json").read_text()) for each in (tmp_path / "whole", folder)
    )
    for name in ("before", "margin_before", "margin_after", "steps"):
        assert first[name] == second[name], name


# As ladder starts them


def written_task(folder: Path, base: Path, preferences: list[dict[str, Any]]) -> Path:
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrst", k=6)) for _ in range(900)]
    rows = [
        {"input": " ".join(words[9 * at : 9 * at + 9]), "target": words[9 * at]}
        for at in range(100)
    ]
    (folder / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows[:60]))
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows[60:]))
    data = {"train": "train.jsonl", "test": "test.jsonl"}
    if preferences:
        text = "".join(f"{json.dumps(row)}\n" for row in preferences)
        (folder / "preferences.jsonl").write_text(text)
        data["preferences"] = "preferences.jsonl"
    task = {
        "name": "first-word", "goal": "Say the first word.", "data": data, "score": "exact_match",
        "gate": {"min_score": 0.5}, "models": {"base": f"hf:{base}"}, "answer": {"max_tokens": 4},
    }  # fmt: skip
    (folder / "task.yaml").write_text(json.dumps(task))
    return folder / "task.yaml"


@pytest.mark.slow
def test_ladder_makes_pairs_and_trains_on_them(tiny: Path, tmp_path: Path) -> None:
    path = written_task(tmp_path, tiny, [])
    command = ["train", "dpo", "--task", path, "--runs", tmp_path / "runs"]
    done = ladder(*command, "--set", "learning_rate=1e-2", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "training examples; rejected is a wrong answer of hf:" in done.stdout
    assert "preference_accuracy " in done.stdout
    [folder] = (tmp_path / "runs" / "artefacts").glob("dpo-*")
    record = json.loads((folder / "training.json").read_text())
    assert record["margin_after"] > record["margin_before"]
    assert largest_change(tiny, folder) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "row", "why"),
    [
        ("dpo", {"input": "q", "chosen": "a"}, "the column `rejected`"),
        ("orpo", {"input": "q", "answer": "a", "desirable": True}, "rows without a `rejected`"),
        ("kto", {"input": "q", "answer": "a", "desirable": True}, "0 unwanted ones"),
        ("dpo", {"input": "q", "chosen": "a", "rejected": "a"}, "two different texts"),
    ],
)
def test_ladder_refuses_what_cannot_be_learnt(
    name: str, row: dict[str, Any], why: str, tiny: Path, tmp_path: Path
) -> None:
    path = written_task(tmp_path, tiny, [row])
    done = ladder("train", name, "--task", path, "--runs", tmp_path / "runs", HF_HUB_OFFLINE="1")
    assert done.returncode == 2
    assert why in " ".join((done.stdout + done.stderr).split())
    assert not list(tmp_path.glob("runs/artefacts/*"))


# Their speed rests on this


@pytest.mark.slow
def test_the_head_looks_at_completions_only_and_trl_says_the_same(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRL's own sums, of every position, are those of the compacted head and of our metric."""
    import torch
    from trl import DPOConfig
    from trl.trainer import utils

    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in PAIRS))
    settings = DPOConfig(output_dir=str(tmp_path), use_cpu=True, report_to="none", bf16=False)
    model = SimpleNamespace(
        model_name_or_path=str(tiny), dtype="float32", attn_implementation="sdpa",
        model_revision="main", use_peft=False, load_in_4bit=False, load_in_8bit=False,
    )  # fmt: skip
    monkeypatch.setattr(utils, "_use_triton", utils._use_triton)  # is put back afterwards
    dpo = importlib.import_module("dpo")
    files = dpo.Files(str(tmp_path / "rows.jsonl"))
    trainer, held_out = dpo.make_trainer(files, settings, model)
    batch = next(iter(trainer.get_train_dataloader()))
    seen = []
    scored = utils._ChunkedLogProbFunction.apply
    monkeypatch.setattr(
        utils._ChunkedLogProbFunction,
        "apply",
        lambda h, *a: (seen.append(len(h)), scored(h, *a))[1],
    )
    lean = trainer.compute_ref_log_probs(trainer.model, batch)
    monkeypatch.setattr(utils, "_use_triton", lambda device: False)
    full = trainer.compute_ref_log_probs(trainer.model, batch)
    assert seen[0] == int(batch["completion_mask"][:, 1:].sum()) < seen[1]
    for one, other in zip(lean, full, strict=True):
        assert torch.allclose(one, other, atol=1e-3)
    margins = preference.paired_margins(trainer, held_out)
    columns = [trainer.train_dataset[0]]
    row = [r for r in PAIRS if r["prompt"] == columns[0]["prompt"]]
    [ours] = preference.paired_margins(trainer, row)
    chosen, rejected = trainer.compute_ref_log_probs(trainer.model, trainer.data_collator(columns))
    assert ours == pytest.approx(float(chosen - rejected), abs=1e-3)
    assert len(margins) == 3
