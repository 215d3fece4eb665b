"""Distillation from stored logits: a student learns the teacher's distribution over next tokens.

    python recipes/distill_logits.py --config recipes/distill_logits.yaml \
        --model_name_or_path STUDENT --teacher_model_name_or_path TEACHER \
        --train_file rows.jsonl --output_dir OUT

Each row is {"prompt": text, "completion": text}. The teacher reads every row once: its k likeliest
tokens at each position of the completion are stored beside the rows (rows.teacher.safetensors) and
used again by any later run on the same rows. The student's loss is the Kullback-Leibler divergence
from the teacher, softened by a temperature (Hinton et al., 2015, "Distilling the Knowledge in a
Neural Network"), mixed with the cross-entropy of the completions. All tokens outside the k are one
outcome with the probability that is left; without it the stored part, taken for the whole, makes a
student too sure (Anshumann et al., 2025, "Sparse Logit Sampling"). With k = vocabulary it is plain
distillation.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rows import read_rows, supervised
from running import run
from settings import Files, parse, precision, stop, tokenizer_of, trainer_arguments
from steps import (
    TOKENS_AT_ONCE,
    UNLABELLED,
    add_in_one_pass,
    completion_logits,
    completion_trainer,
    same_precision,
    same_vocabulary,
)

LEAST_REST = 1e-6
"""The probability left for all other tokens is taken as at least this: its logarithm is needed."""


@dataclass
class Teaching:
    """What is learnt from whom; TRL's names where TRL has one."""

    teacher_model_name_or_path: str = field(metadata={"help": "Folder of the teacher."})
    loss_top_k: int = field(default=32, metadata={"help": "Tokens stored for each position."})
    temperature: float = field(default=1.0, metadata={"help": "Softens both distributions."})
    distillation_weight: float = field(
        default=0.7, metadata={"help": "Share of the divergence; the rest is the cross-entropy."}
    )


def main() -> int:
    """Read with the teacher, train the student, and write the artefact."""
    from trl import ModelConfig, SFTConfig

    files, settings, model, teaching = parse((Files, SFTConfig, ModelConfig, Teaching))
    trainer = make_trainer(files, settings, model, teaching)
    return run(trainer, lambda: {"teacher_seconds": trainer.teacher_seconds})


def make_trainer(files: Files, settings: Any, model: Any, teaching: Teaching) -> Any:
    """Return TRL's SFTTrainer with the loss of a distillation; the teacher has read the rows."""

    def against_teacher(logits: Any, wanted: Any, inputs: Any) -> Any:
        at = inputs["labels"][:, 1:] != UNLABELLED
        width = int(at.sum(1).max())
        known = at.sum(1, keepdim=True) > at.new_ones(width).cumsum(0) - 1
        ids, logprobs = (inputs[n][:, :width][known] for n in ("top_ids", "top_logprobs"))
        return mixed_loss(logits, wanted, ids, logprobs, teaching)

    class LogitsTrainer(completion_trainer(against_teacher)):  # type: ignore[misc]
        """Keep the number of each row: it says where its teacher's logits are."""

        def _set_signature_columns_if_needed(self) -> None:
            super()._set_signature_columns_if_needed()
            if "row" not in self._signature_columns:
                self._signature_columns.append("row")

        def compute_loss(self, *given: Any, return_outputs: bool = False, **more: Any) -> Any:
            if return_outputs:
                stop("distill_logits evaluates nothing while it trains: leave eval_strategy out")
            return super().compute_loss(*given, **more)

    rows, tokenizer = taught_rows(files, settings, model, teaching)
    trainer = LogitsTrainer(**trainer_arguments(settings, model, tokenizer, rows))
    if model.use_peft:
        same_precision(trainer)
        add_in_one_pass(trainer.model)
    started = time.perf_counter()
    read = trainer.train_dataset.select_columns(["input_ids", "labels"]).to_list()
    place = Path(files.train_file).with_suffix(".teacher.safetensors")
    with trainer.accelerator.main_process_first():  # the others find what it has stored
        stored = teacher_logprobs(read, place, trainer, teaching)
    trainer.teacher_seconds = round(time.perf_counter() - started, 2)
    trainer.train_dataset = trainer.train_dataset.add_column("row", list(range(len(read))))
    trainer.data_collator = Beside(trainer.data_collator, *stored)
    return trainer


def taught_rows(
    files: Files, settings: Any, model: Any, teaching: Teaching
) -> tuple[list[dict[str, Any]], Any]:
    """Return the rows that fit and the student's tokenizer; refuse what cannot be taught."""
    from transformers import AutoTokenizer

    if not 0 <= teaching.distillation_weight <= 1 or teaching.loss_top_k < 1:
        stop("wanted distillation_weight from 0 to 1, and loss_top_k of 1 or more")
    rows = read_rows(files.train_file, ("prompt", "completion"))
    tokenizer = tokenizer_of(model, settings)
    if not Path(teaching.teacher_model_name_or_path).is_dir():
        stop(f"no teacher: {teaching.teacher_model_name_or_path} is not the folder of a model")
    teacher = AutoTokenizer.from_pretrained(
        teaching.teacher_model_name_or_path, local_files_only=True
    )
    same_vocabulary(tokenizer, teacher)
    return supervised(tokenizer, rows, settings.max_length), tokenizer


def mixed_loss(logits: Any, wanted: Any, ids: Any, logprobs: Any, teaching: Teaching) -> Any:
    """Return the summed loss of all positions.

    Args:
        logits: of the student, (positions, vocabulary).
        wanted: tokens of the completions, (positions).
        ids: the teacher's likeliest tokens, (positions, k).
        logprobs: their log-probabilities at the temperature, (positions, k).
        teaching: weight of the divergence, and the temperature.
    """
    import torch

    share, warmth = teaching.distillation_weight, teaching.temperature
    usual = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
    own = torch.log_softmax(logits / warmth, -1).gather(1, ids.long())
    taught = logprobs.float()
    divergence = (taught.exp() * (taught - own)).sum()
    if ids.shape[1] < logits.shape[1]:
        rest = [_rest(each) for each in (taught, own)]
        divergence = divergence + (rest[0].exp() * (rest[0] - rest[1])).sum()
    return share * warmth**2 * divergence + (1 - share) * usual


def _rest(logprobs: Any) -> Any:
    """Return the logarithm of the probability of all other tokens."""
    return (1 - logprobs.exp().sum(-1)).clamp_min(LEAST_REST).log()


def teacher_logprobs(
    rows: Sequence[dict[str, Any]], place: Path, trainer: Any, teaching: Teaching
) -> tuple[Any, Any, list[int]]:
    """Return tokens and log-probabilities (positions, k), and where each row's positions start.

    They are stored once; a file that another teacher, k, temperature or other rows left is
    written anew.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    about = _about(rows, teaching)
    if place.is_file():
        with safe_open(place, "pt") as kept:
            if (kept.metadata() or {}).get("about") == about:
                ids, logprobs = kept.get_tensor("ids"), kept.get_tensor("logprobs")
                return ids, logprobs, _starts(rows)
    ids, logprobs = _read(rows, trainer, teaching)
    part = place.with_suffix(".part")  # a killed run leaves no half-written file
    save_file({"ids": ids, "logprobs": logprobs}, part, metadata={"about": about})
    part.replace(place)
    return ids, logprobs, _starts(rows)


def _about(rows: Sequence[dict[str, Any]], teaching: Teaching) -> str:
    digest = hashlib.sha256(f"{teaching.loss_top_k} {teaching.temperature}".encode())
    folder = Path(teaching.teacher_model_name_or_path)
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    for row in rows:
        digest.update(f"{row['input_ids']}{row['labels']}".encode())
    return digest.hexdigest()


def _starts(rows: Sequence[dict[str, Any]]) -> list[int]:
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + sum(label != UNLABELLED for label in row["labels"][1:]))
    return starts


def _read(rows: Sequence[dict[str, Any]], trainer: Any, teaching: Teaching) -> tuple[Any, Any]:
    """Let the teacher read all rows, those of like length together."""
    import torch
    from transformers import AutoModelForCausalLM

    gpu = trainer.args.device.type == "cuda"
    teacher = AutoModelForCausalLM.from_pretrained(
        teaching.teacher_model_name_or_path,
        dtype=precision(),
        local_files_only=True,
        use_safetensors=True,
    )
    teacher = teacher.to(trainer.args.device).eval()
    starts, k = _starts(rows), min(teaching.loss_top_k, teacher.config.vocab_size)
    ids = torch.empty((starts[-1], k), dtype=torch.int32)
    logprobs = torch.empty((starts[-1], k))
    order = sorted(range(len(rows)), key=lambda at: -len(rows[at]["input_ids"]))
    done = 0
    while done < len(order):
        width = len(rows[order[done]]["input_ids"])
        some = order[done : done + max(1, (16 if gpu else 1) * TOKENS_AT_ONCE // width)]
        batch = trainer.data_collator([rows[at] for at in some])
        with torch.inference_mode():
            inputs = {name: value.to(teacher.device) for name, value in batch.items()}
            logits, _ = completion_logits(teacher, inputs)
            top = torch.log_softmax(logits / teaching.temperature, -1).topk(k)
        places = torch.tensor([at for row in some for at in range(starts[row], starts[row + 1])])
        ids[places], logprobs[places] = top.indices.int().cpu(), top.values.cpu()
        done += len(some)
        print(f"the teacher has read {done:,} of {len(rows):,} rows", flush=True)
    return ids, logprobs


class Beside:
    """Put what the teacher said of each row beside the row's tokens."""

    def __init__(self, collate: Any, ids: Any, logprobs: Any, starts: Sequence[int]) -> None:
        self.collate = collate
        self.ids, self.logprobs, self.starts = ids, logprobs, starts

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return a batch with top_ids and top_logprobs (rows, most positions, k), padded."""
        from torch.nn.utils.rnn import pad_sequence

        places = [slice(*self.starts[e["row"] : e["row"] + 2]) for e in examples]
        plain = [{n: v for n, v in example.items() if n != "row"} for example in examples]
        batch: dict[str, Any] = dict(self.collate(plain))
        batch["top_ids"] = pad_sequence([self.ids[at] for at in places], batch_first=True)
        batch["top_logprobs"] = pad_sequence([self.logprobs[at] for at in places], batch_first=True)
        return batch


if __name__ == "__main__":
    raise SystemExit(main())
