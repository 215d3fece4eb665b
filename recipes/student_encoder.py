"""A student that does not generate: an encoder, fine-tuned to fill in the fields of an answer.

    python recipes/student_encoder.py --config recipes/student_encoder.yaml \
        --model_name_or_path EMBEDDING_FOLDER --train_file rows.jsonl --output_dir OUT

Each row is {"text": text, "label": answer}, maybe a teacher's. `answer: label` takes an
answer for one field, `json` has one for each value of an object, `text` one for each word
(`fields.py`). Every weight learns, in transformers' Trainer. Leaves the encoder with its tokenizer,
form.json (fields and their values), heads.safetensors and training.json in OUT.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fields import Form, make_form, make_network, targets, words_of
from rows import read_rows
from running import run
from settings import Files, parse, stop

UNTAGGED = -100
BUCKETS = 8
"""So many batches are drawn together and sorted by length, so that few tokens are padding."""


@dataclass
class Encoder:
    """What is read, and how; all else is transformers' TrainingArguments."""

    model_name_or_path: str = field(
        default="", metadata={"help": "Folder of an encoder, such as an embedding model's."}
    )
    answer: str = field(default="label", metadata={"help": "What answers are: label, json, text."})
    head_learning_rate: float = field(default=2e-3, metadata={"help": "That of the new layers."})
    max_length: int = field(default=384, metadata={"help": "Tokens read of a text."})


Example = dict[str, list[int]]
"""A row: its `input_ids`, the `chosen` values of its fields, and a tag for each token in `tags`:
that of the word that it begins."""


def main() -> int:
    """Train once and write the student."""
    from transformers import TrainingArguments

    files, encoder, settings = parse((Files, Encoder, TrainingArguments))
    rows = read_rows(files.train_file, ("text", "label"))
    texts, answers = [str(row["text"]) for row in rows], [str(row["label"]) for row in rows]
    try:
        form = make_form(texts, answers, encoder.answer)
    except ValueError as error:
        stop(f"no encoder can fill this in: {error}")
    trainer = make_trainer(texts, answers, form, encoder, settings)
    return run(trainer, lambda: {"fields": len(form.fields)})


def make_trainer(
    texts: Sequence[str], answers: Sequence[str], form: Form, encoder: Encoder, settings: Any
) -> Any:
    """Return a Trainer of an encoder with new heads, which writes the student at its end."""
    import torch
    from transformers import Trainer

    tokenizer, network = opened(encoder, form, settings.seed)
    longest = getattr(network.encoder.config, "max_position_embeddings", encoder.max_length)
    encoder.max_length = min(encoder.max_length, longest)
    settings.remove_unused_columns = False
    settings.include_num_input_tokens_seen = "non_padding"

    class EncoderTrainer(Trainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:
            return loss_of(model, **inputs)

        def _get_train_sampler(self, rows: Any = None) -> Any:
            return like_lengths(self.train_dataset, settings)

        def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
            if _internal_call:  # a checkpoint, from which a killed run goes on
                super().save_model(output_dir, _internal_call)
            else:
                write(Path(output_dir or settings.output_dir), network, tokenizer, form, encoder)

    heads = [p for name, p in network.named_parameters() if not name.startswith("encoder.")]
    groups = [
        {"params": list(network.encoder.parameters()), "lr": settings.learning_rate},
        {"params": heads, "lr": encoder.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    return EncoderTrainer(
        model=network,
        args=settings,
        train_dataset=cut(texts, answers, form, tokenizer, encoder.max_length),
        data_collator=lambda rows: padded(rows, tokenizer.pad_token_id or 0),
        optimizers=(optimizer, None),
    )


def opened(encoder: Encoder, form: Form, seed: int) -> tuple[Any, Any]:
    """Return the encoder's tokenizer, and the encoder with new heads."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = Path(encoder.model_name_or_path)
    if not encoder.model_name_or_path or not (folder / "config.json").is_file():
        stop(f"`{encoder.model_name_or_path}` is no folder of an encoder (models.embedding)")
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.is_fast:
        stop(f"{folder}: its tokenizer does not tell where a token stands (no tokenizer.json)")
    model = AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    return tokenizer, make_network(model, form)


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
        found.append(
            {"input_ids": encoded["input_ids"][row], "chosen": list(taught[0]), "tags": tags}
        )
    return found


def like_lengths(examples: Sequence[Example], settings: Any) -> Any:
    """Return a sampler: drawn anew in each epoch, rows of like lengths one after the other.

    What it draws depends on the seed and the epoch alone, so that a run which goes on after a kill
    reads what it would have read.
    """
    from torch.utils.data import Sampler

    size = settings.per_device_train_batch_size

    class LikeLengths(Sampler[int]):  # type: ignore[misc]
        epoch = 0

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

        def __len__(self) -> int:
            return len(examples)

        def __iter__(self) -> Iterator[int]:
            draw = random.Random(f"{settings.seed} {self.epoch}")
            order = draw.sample(range(len(examples)), len(examples))
            found = []
            for start in range(0, len(order), BUCKETS * size):
                few = order[start : start + BUCKETS * size]
                few.sort(key=lambda at: len(examples[at]["input_ids"]))
                found += [few[at : at + size] for at in range(0, len(few), size)]
            whole = [batch for batch in found if len(batch) == size]
            rest = [batch for batch in found if len(batch) < size]  # the last one of an epoch
            yield from (at for batch in [*draw.sample(whole, len(whole)), *rest] for at in batch)

    return LikeLengths()


def padded(rows: Sequence[Example], pad: int) -> dict[str, Any]:
    """Return rows as a batch: input_ids, attention_mask and tags of [rows, tokens], and chosen."""
    import torch

    longest = max(len(row["input_ids"]) for row in rows)

    def filled(found: Sequence[Sequence[int]], filler: int) -> Any:
        return torch.tensor([[*each, *[filler] * (longest - len(each))] for each in found])

    return {
        "input_ids": filled([row["input_ids"] for row in rows], pad),
        "attention_mask": filled([[1] * len(row["input_ids"]) for row in rows], 0),
        "tags": filled([row["tags"] for row in rows], UNTAGGED),
        "chosen": torch.tensor([row["chosen"] for row in rows]),
    }


def loss_of(network: Any, input_ids: Any, attention_mask: Any, tags: Any, chosen: Any) -> Any:
    """Return the mean cross-entropy of the chosen fields plus that of the words' tags."""
    import torch
    from torch.nn.functional import cross_entropy

    choices, words = network(input_ids, attention_mask)
    losses = [cross_entropy(scores.float(), chosen[:, at]) for at, scores in enumerate(choices)]
    loss = torch.stack(losses).mean() if losses else torch.zeros(())
    if words.shape[-1] > 1:
        loss = loss + cross_entropy(
            words.float().flatten(0, 1), tags.flatten(), ignore_index=UNTAGGED
        )
    return loss


def write(output: Path, network: Any, tokenizer: Any, form: Form, encoder: Encoder) -> None:
    """Write the encoder in its own format, the heads beside it, and what the fields are."""
    from safetensors.torch import save_file

    network.encoder.save_pretrained(output)
    tokenizer.save_pretrained(output)
    state = network.state_dict()
    heads = {name: each.contiguous() for name, each in state.items() if name[:8] != "encoder."}
    save_file(heads, output / "heads.safetensors")
    about = {"form": form.as_json(), "max_length": encoder.max_length}
    (output / "form.json").write_text(json.dumps(about, ensure_ascii=False))


if __name__ == "__main__":
    raise SystemExit(main())
