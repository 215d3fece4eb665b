"""A student that does not generate: an encoder, fine-tuned to fill in the fields of an answer.

    python recipes/student_encoder.py --config recipes/student_encoder.yaml \
        --model_name_or_path EMBEDDING_FOLDER --train_file rows.jsonl --output_dir OUT

Each row is {"text": text, "label": answer}, maybe a teacher's. `answer: label` takes an
answer for one field, `json` has one for each value of an object, `text` one for each word
(`fields.py`). Every weight learns. Leaves the encoder with its tokenizer, form.json (fields and
their values), heads.safetensors and training.json in OUT.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fields import Form, make_form, make_network, targets, words_of
from rows import read_rows
from running import Progress, write_record
from settings import Files, parse, stop

UNTAGGED = -100
BUCKETS = 8
"""So many batches are drawn together and sorted by length, so that few tokens are padding."""


@dataclass
class Encoder:
    """transformers' TrainingArguments in their own names, and what the fields are read from."""

    output_dir: str = field(metadata={"help": "Where the student is written."})
    model_name_or_path: str = field(
        default="", metadata={"help": "Folder of an encoder, such as an embedding model's."}
    )
    answer: str = field(default="label", metadata={"help": "What answers are: label, json, text."})
    learning_rate: float = field(default=3e-4, metadata={"help": "At its highest."})
    head_learning_rate: float = field(default=2e-3, metadata={"help": "That of the new layers."})
    warmup_ratio: float = field(default=0.1, metadata={"help": "Share of the steps."})
    num_train_epochs: int = field(default=12, metadata={"help": "How often each row is read."})
    per_device_train_batch_size: int = field(default=16, metadata={"help": "Rows of a step."})
    weight_decay: float = field(default=0.01, metadata={"help": "Of all weights."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Longer gradients are cut."})
    max_length: int = field(default=384, metadata={"help": "Tokens read of a text."})
    bf16: bool = field(default=False, metadata={"help": "Compute in bfloat16; auto: if it can."})
    logging_steps: int = field(default=5, metadata={"help": "Steps between two logged losses."})
    seed: int = field(default=0, metadata={"help": "Of new weights, dropout and order."})


@dataclass
class Example:
    """A row, cut into tokens."""

    input_ids: list[int]
    chosen: list[int]
    tags: list[int]
    """One for each token: that of the word that it begins."""


def main() -> int:
    """Train once and write the student."""
    files, settings = parse((Files, Encoder))
    rows = read_rows(files.train_file, ("text", "label"))
    output = Path(settings.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    texts, answers = [str(row["text"]) for row in rows], [str(row["label"]) for row in rows]
    try:
        form = make_form(texts, answers, settings.answer)
    except ValueError as error:
        stop(f"no encoder can fill this in: {error}")
    started = time.perf_counter()
    tokenizer, network = opened(settings, form)
    longest = getattr(network.encoder.config, "max_position_embeddings", settings.max_length)
    settings.max_length = min(settings.max_length, longest)
    examples = cut(texts, answers, form, tokenizer, settings.max_length)
    progress = Progress(output / "progress.jsonl")
    steps, tokens = learn(network, examples, settings, progress, tokenizer.pad_token_id or 0)
    write(output, network, tokenizer, form, settings)
    about = {
        "tokens": tokens,
        "steps": steps,
        "rows": len(examples),
        "loss_curve": progress.curve(),
        "fields": len(form.fields),
        "seed": settings.seed,
        "learning_rate": settings.learning_rate,
        "precision": "float32, computed in bfloat16" if settings.bf16 else "float32",
    }
    seconds = time.perf_counter() - started
    write_record(output, seconds, ["torch", "transformers"], about)
    return 0


def opened(settings: Encoder, form: Form) -> tuple[Any, Any]:
    """Return the encoder's tokenizer, and the encoder with new heads."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = Path(settings.model_name_or_path)
    if not settings.model_name_or_path or not (folder / "config.json").is_file():
        stop(f"`{settings.model_name_or_path}` is no folder of an encoder (models.embedding)")
    torch.manual_seed(settings.seed)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.is_fast:
        stop(f"{folder}: its tokenizer does not tell where a token stands (no tokenizer.json)")
    encoder = AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    return tokenizer, make_network(encoder, form)


def cut(
    texts: Sequence[str], answers: Sequence[str], form: Form, tokenizer: Any, longest: int
) -> list[Example]:
    """Return rows as tokens with what they teach; rows of another form are left out."""
    encoded = tokenizer(
        list(texts), truncation=True, max_length=longest, return_offsets_mapping=True
    )
    found = []
    for row, (text, answer) in enumerate(zip(texts, answers, strict=True)):
        words, firsts = words_of(encoded, row)
        taught = targets(form, text, answer, words)
        if taught is None:
            continue
        tags = [UNTAGGED] * len(encoded["input_ids"][row])
        for at, tag in zip(firsts, taught[1], strict=True):
            tags[at] = tag
        found.append(Example(encoded["input_ids"][row], taught[0], tags))
    return found


def learn(
    network: Any, examples: Sequence[Example], settings: Encoder, progress: Progress, pad: int
) -> tuple[int, int]:
    """Fine-tune all weights; return the steps, and the tokens that were read."""
    import torch

    heads = [p for name, p in network.named_parameters() if not name.startswith("encoder.")]
    groups = [
        {"params": list(network.encoder.parameters()), "lr": settings.learning_rate},
        {"params": heads, "lr": settings.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    size = settings.per_device_train_batch_size
    steps = settings.num_train_epochs * math.ceil(len(examples) / size)
    warm = max(1, round(settings.warmup_ratio * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm, max(0.0, (steps - step) / (steps - warm + 1))),
    )
    network.train()
    progress.write(0, steps, None)
    tokens, since = 0, []
    order = batches(examples, settings)
    for step, batch in enumerate(order, start=1):
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            loss = loss_of(network, batch, pad)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        tokens += sum(len(example.input_ids) for example in batch)
        since.append(float(loss.detach()))
        if not math.isfinite(since[-1]):
            stop(f"the loss is not a number at step {step}. Lower learning_rate")
        if step % settings.logging_steps == 0 or step == steps:
            progress.write(step, steps, sum(since) / len(since))
            since = []
    return steps, tokens


def batches(examples: Sequence[Example], settings: Encoder) -> Iterator[list[Example]]:
    """Yield the batches of all epochs: drawn anew in each, rows of like lengths together."""
    draw, size = random.Random(settings.seed), settings.per_device_train_batch_size
    for _ in range(settings.num_train_epochs):
        order = draw.sample(list(examples), len(examples))
        found = []
        for start in range(0, len(order), BUCKETS * size):
            few = sorted(order[start : start + BUCKETS * size], key=lambda e: len(e.input_ids))
            found += [few[at : at + size] for at in range(0, len(few), size)]
        yield from draw.sample(found, len(found))


def loss_of(network: Any, batch: Sequence[Example], pad: int) -> Any:
    """Return the mean cross-entropy of the chosen fields plus that of the words' tags."""
    import torch
    from torch.nn.functional import cross_entropy

    longest = max(len(example.input_ids) for example in batch)

    def padded(rows: Sequence[Sequence[int]], filler: int) -> Any:
        return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])

    ids = padded([example.input_ids for example in batch], pad)
    mask = padded([[1] * len(example.input_ids) for example in batch], 0)
    choices, tags = network(ids, mask)
    losses = [
        cross_entropy(scores.float(), torch.tensor([example.chosen[at] for example in batch]))
        for at, scores in enumerate(choices)
    ]
    loss = torch.stack(losses).mean() if losses else torch.zeros(())
    if tags.shape[-1] > 1:
        wanted = padded([example.tags for example in batch], UNTAGGED)
        loss = loss + cross_entropy(
            tags.float().flatten(0, 1), wanted.flatten(), ignore_index=UNTAGGED
        )
    return loss


def write(output: Path, network: Any, tokenizer: Any, form: Form, settings: Encoder) -> None:
    """Write the encoder in its own format, the heads beside it, and what the fields are."""
    from safetensors.torch import save_file

    network.encoder.save_pretrained(output)
    tokenizer.save_pretrained(output)
    state = network.state_dict()
    heads = {name: each.contiguous() for name, each in state.items() if name[:8] != "encoder."}
    save_file(heads, output / "heads.safetensors")
    about = {"form": form.as_json(), "max_length": settings.max_length}
    (output / "form.json").write_text(json.dumps(about, ensure_ascii=False))


if __name__ == "__main__":
    raise SystemExit(main())
