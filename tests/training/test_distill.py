"""The distillation programs, on tiny models with random weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import program

pytestmark = pytest.mark.slow

ROWS = [
    {"prompt": "word " * (5 + 7 * (at % 9)), "completion": f" answer {at % 4}"} for at in range(24)
]


@pytest.fixture(scope="module")
def models(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A teacher and a smaller student with the bundled model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(smollm)
    made = {}
    for seed, (name, layers) in enumerate([("teacher", 3), ("student", 1)]):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64,
            num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
            pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, initializer_range=0.2,
        )  # fmt: skip
        made[name] = tmp_path_factory.mktemp("models") / name
        LlamaForCausalLM(config).save_pretrained(made[name])
        tokenizer.save_pretrained(made[name])
    return made


def model_of(folder: Path) -> SimpleNamespace:
    return SimpleNamespace(
        model_name_or_path=str(folder), dtype="float32", attn_implementation="sdpa",
        model_revision="main", use_peft=False, load_in_4bit=False, load_in_8bit=False,
    )  # fmt: skip


def write_rows(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    return str(folder / "rows.jsonl")


def settings_of(kind: Any, folder: Path, **more: Any) -> Any:
    usual = {
        "output_dir": str(folder / "out"), "use_cpu": True, "per_device_train_batch_size": 8,
        "num_train_epochs": 1, "learning_rate": 1e-2, "report_to": "none", "bf16": False,
        "seed": 0, "gradient_checkpointing": False, "disable_tqdm": True, "save_strategy": "no",
        "logging_steps": 1,
    }  # fmt: skip
    return kind(**{**usual, **more})


def logits_trainer(models: dict[str, Path], folder: Path, k: int, **more: Any) -> Any:
    from trl import SFTConfig

    module = program("distill_logits")
    names = ("temperature", "distillation_weight")
    said = {name: more.pop(name) for name in names if name in more}
    return module.make_trainer(
        module.Files(write_rows(folder)),
        settings_of(SFTConfig, folder, completion_only_loss=True, **more),
        model_of(models["student"]),
        module.Teaching(str(models["teacher"]), loss_top_k=k, **said),
    )


def divergence(student: Any, teacher: Any, trainer: Any) -> float:
    """Return the mean KL (nats) of the teacher from the student on the completions."""
    import torch

    module = program("distill_logits")
    examples = trainer.train_dataset.select_columns(["input_ids", "labels"]).to_list()
    batch = trainer.data_collator.collate(examples)
    with torch.no_grad():
        own, taught = (
            torch.log_softmax(module.completion_logits(each.float().eval(), batch)[0], -1)
            for each in (student, teacher)
        )
    return float((taught.exp() * (taught - own)).sum(-1).mean())


def load(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("warmth", [1.0, 2.0])
def test_with_the_whole_vocabulary_it_is_plain_distillation(warmth: float) -> None:
    import torch
    from torch.nn.functional import cross_entropy, kl_div, log_softmax

    module = program("distill_logits")
    torch.manual_seed(0)
    own, taught = torch.randn(7, 50, requires_grad=True), torch.randn(7, 50)
    wanted = torch.randint(50, (7,))
    teaching = module.Teaching("t", 50, warmth, 0.6)
    top = log_softmax(taught / warmth, -1).topk(50)
    found = module.mixed_loss(own, wanted, top.indices, top.values, teaching)
    plain = kl_div(
        log_softmax(own / warmth, -1), log_softmax(taught / warmth, -1),
        log_target=True, reduction="sum",
    )  # fmt: skip
    usual = cross_entropy(own, wanted, reduction="sum")
    expected = 0.6 * warmth**2 * plain + 0.4 * usual
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(x, own)[0] for x in (found, expected)))


def test_the_rest_counts_as_one_outcome_and_bounds_the_divergence_from_below() -> None:
    import torch

    module = program("distill_logits")
    torch.manual_seed(0)
    own, taught = torch.randn(5, 50), torch.randn(5, 50)
    losses = []
    for k in (1, 8, 49, 50):
        top = torch.log_softmax(taught, -1).topk(k)
        teaching = module.Teaching("t", k, 1.0, 1.0)
        wanted = torch.zeros(5, dtype=torch.long)
        losses.append(float(module.mixed_loss(own, wanted, top.indices, top.values, teaching)))
        same = module.mixed_loss(taught, wanted, top.indices, top.values, teaching)
        assert math.isclose(float(same), 0, abs_tol=1e-4)
    rounded = [round(loss, 4) for loss in losses]
    assert rounded == sorted(rounded)  # coarser outcomes tell less apart
    assert losses[2] == pytest.approx(losses[3], rel=1e-4)  # a rest of one token is that token


def test_the_teacher_reads_once_and_the_student_comes_nearer(models, tmp_path, capsys) -> None:
    import torch

    trainer = logits_trainer(models, tmp_path, 64, num_train_epochs=3, distillation_weight=1.0)
    assert "24 of 24 rows" in capsys.readouterr().out
    place = tmp_path / "rows.teacher.safetensors"
    written = place.stat().st_mtime_ns
    before = divergence(load(models["student"]), load(models["teacher"]), trainer)
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert losses[-1] < 0.4 * losses[0]
    after = divergence(trainer.model, load(models["teacher"]), trainer)
    assert after < 0.95 * before  # over all 49,152 tokens, though 64 were looked at
    again = logits_trainer(models, tmp_path, 64)
    assert place.stat().st_mtime_ns == written
    assert torch.equal(again.data_collator.ids, trainer.data_collator.ids)
    assert "has read" not in capsys.readouterr().out
    logits_trainer(models, tmp_path, 3)  # another k: what is stored is not enough
    assert place.stat().st_mtime_ns != written


def test_what_is_stored_is_what_the_teacher_says(models, tmp_path) -> None:
    import torch

    module = program("distill_logits")
    trainer = logits_trainer(models, tmp_path, 5)
    teacher = load(models["teacher"]).to(torch.bfloat16).eval()
    for row in (0, 13):
        example = trainer.train_dataset[row]
        batch = trainer.data_collator([dict(example)])
        with torch.no_grad():
            alone = torch.log_softmax(module.completion_logits(teacher, batch)[0], -1)
        kept = batch["top_logprobs"][0]
        named = alone.gather(1, batch["top_ids"][0].long())
        torch.testing.assert_close(kept, named, atol=0.1, rtol=0)  # bfloat16, another padding


def test_rows_taken_a_few_at_a_time_give_the_same_gradient(models, tmp_path, monkeypatch) -> None:
    """Not the weights after Adam: next to nothing, a gradient steps with its rounding."""
    import torch

    found = []
    for name, at_once in (("whole", 10**9), ("parts", 100)):
        monkeypatch.setattr(program("steps"), "TOKENS_AT_ONCE", at_once)
        trainer = logits_trainer(models, tmp_path / name, 16)
        batch = next(iter(trainer.get_train_dataloader()))
        count = (batch["labels"] != -100).sum()
        loss = trainer.training_step(trainer.model, dict(batch), count)
        gradients = torch.cat([p.grad.flatten() for p in trainer.model.parameters()])
        found.append((float(loss), gradients))
    (whole, own), (parts, split) = found
    assert parts == pytest.approx(whole, rel=1e-3)  # the teacher reads in bfloat16, in parts too
    assert float((own - split).abs().max()) < 1e-3 * float(own.abs().max())


def other_vocabulary(models: dict[str, Path], folder: Path) -> Path:
    from ladder.training.vocabulary import trim_vocabulary

    trim_vocabulary(models["teacher"], folder, ["word"], common=300)
    return folder


@pytest.mark.parametrize("name", ["distill_logits", "distill_on_policy"])
def test_a_teacher_with_another_vocabulary_is_refused(models, tmp_path, name) -> None:
    teacher = other_vocabulary(models, tmp_path / "trimmed")
    with pytest.raises(SystemExit, match=r"different vocabularies .*distill_sequence"):
        MAKE[name]({**models, "teacher": teacher}, tmp_path / "work")


@pytest.mark.parametrize("name", ["distill_logits", "distill_on_policy"])
def test_a_teacher_that_is_not_there(models, tmp_path, name) -> None:
    with pytest.raises(SystemExit, match=r"no teacher: .*nowhere"):
        MAKE[name]({**models, "teacher": tmp_path / "nowhere"}, tmp_path / "work")


@pytest.mark.parametrize("more", [{"distillation_weight": 1.5}, {"k": 0}])
def test_settings_that_make_no_sense(models, tmp_path, more) -> None:
    with pytest.raises(SystemExit, match="distillation_weight from 0 to 1"):
        logits_trainer(models, tmp_path, more.pop("k", 4), **more)


def on_policy_trainer(models: dict[str, Path], folder: Path, **more: Any) -> Any:
    from trl import DistillationConfig

    module = program("distill_on_policy")
    settings = settings_of(
        DistillationConfig, folder, max_completion_length=6, beta=0.0, logging_steps=1, **more,
        teacher_model_name_or_path=str(models["teacher"]),
    )  # fmt: skip
    return module.make_trainer(
        module.Files(write_rows(folder)), settings, model_of(models["student"])
    )


MAKE = {
    "distill_logits": lambda models, folder: logits_trainer(models, folder, 4),
    "distill_on_policy": on_policy_trainer,
}


def test_a_student_that_writes_itself_comes_nearer_to_its_teacher(models, tmp_path) -> None:
    trainer = on_policy_trainer(models, tmp_path, num_train_epochs=8)
    reference = logits_trainer(models, tmp_path / "reference", 4)
    before = divergence(load(models["student"]), load(models["teacher"]), reference)
    assert program("running").run(trainer) == 0
    after = divergence(trainer.model.cpu(), load(models["teacher"]), reference)
    assert after < 0.9 * before
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["rows"] == len(ROWS)
    assert len(record["loss_curve"]) == record["steps"] == 24
    assert (tmp_path / "out" / "model.safetensors").is_file()
