"""A small task of labels, and a small model with random weights to teach."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import yaml

from ladder.task import Task, load_task

LABELS = ("bread", "cake", "pie")


def rows_of(labels: tuple[str, ...], count: int, seed: int) -> list[dict[str, str]]:
    """Return rows that hold their label and words that no other row has."""
    draw = Random(seed)

    def word() -> str:
        return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=7))

    return [
        {"input": f"{word()} {word()} {label} {word()}", "target": label}
        for label in labels
        for _ in range(count)
    ]


TRAIN = rows_of(LABELS[:2], 30, 0)


def task_in(folder: Path, **more: Any) -> Task:
    test = [
        {"input": f"{label} plate {at}", "target": label} for label in LABELS for at in range(20)
    ]
    for name, rows in (("train", TRAIN), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    values = {
        "name": "shop", "goal": "Name the thing.", "score": "exact_match",
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "answer": {"type": "label", "labels": list(LABELS)}, "gate": {"min_score": 0.5},
    }  # fmt: skip
    (folder / "task.yaml").write_text(yaml.safe_dump({**values, **more}))
    return load_task(folder / "task.yaml")


def write_model(smollm: Path, folder: Path, layers: int) -> None:
    """Write a small model with random weights and the bundled model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(layers)
    tokenizer = AutoTokenizer.from_pretrained(smollm)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, max_position_embeddings=512,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
